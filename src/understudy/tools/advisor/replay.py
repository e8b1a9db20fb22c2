"""Advice that comes back with the conversation: sealed for the client, plain for the model."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

from understudy.tools.advisor.seals import SEALED_AS
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import InvalidRequestError

_Block: TypeAlias = dict[str, Any]


def opened_advice(request: _Block, sealed: Sealed, organization_id: str, *, foreign_ok: bool) -> _Block:
    """The request with advice that the model can read. `foreign_ok`: what another service sealed may be for an upstream
    of the chain, and is left as it is.

    Raises InvalidRequestError for a seal that is not ours, is another organization's, or was changed. Text: [guess],
    after that of sealed results of web searches.
    """
    messages: list[_Block] = []
    for number, message in enumerate(cast("list[_Block]", request["messages"])):
        content = message.get("content")
        if message["role"] == "assistant" and isinstance(content, list):
            blocks = list(cast("list[_Block]", content))
            for place, block in enumerate(blocks):
                if block["type"] != "advisor_tool_result" or block["content"]["type"] != "advisor_redacted_result":
                    continue
                text = sealed.open(SEALED_AS, organization_id, block["content"]["encrypted_content"])
                if text is not None:
                    blocks[place] = {**block, "content": {"type": "advisor_result", "text": text}}
                elif not foreign_ok:
                    raise InvalidRequestError(
                        f"messages.{number}.content.{place}.advisor_tool_result.content.encrypted_content: Invalid "
                        "encrypted content in advisor result"
                    )
            message = {**message, "content": blocks}
        messages.append(message)
    return {**request, "messages": messages}
