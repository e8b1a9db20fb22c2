"""What web searches found, in the conversation that carries it: sealed for the client, open for the model.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool (2026-08).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeAlias, cast

from understudy.engines.materials import WebResult
from understudy.tools.protocol import ToolResult
from understudy.tools.web.sealed import CONTENT, INDEX, MOST_BYTES, OUTPUT, Sealed
from understudy.wire.errors import InvalidRequestError

_Block: TypeAlias = dict[str, Any]

_SEALED_RESULT: Final = "encrypted_code_execution_result"
OUTPUT_BYTES: Final = MOST_BYTES
"""Of what code has printed, as far as it is passed on sealed."""

TEXT: Final = "text"
"""The member of an opened result that says what stood there sealed."""


def opened(request: _Block, sealed: Sealed, organization_id: str) -> _Block:
    """The request with results that can be read, and citations that were looked at.

    Raises InvalidRequestError for a seal that is not ours, is another organization's, or was changed: "if it is missing
    or modified, the request fails with a 400" (web-search-tool.md). Texts: [guess].
    """
    messages: list[_Block] = []
    for number, message in enumerate(cast("list[_Block]", request["messages"])):
        content = message.get("content")
        if message["role"] == "assistant" and isinstance(content, list):
            blocks = [
                _opened(block, f"messages.{number}.content.{place}", sealed, organization_id)
                for place, block in enumerate(cast("list[_Block]", content))
            ]
            message = {**message, "content": blocks}
        messages.append(message)
    return {**request, "messages": messages}


def _opened(block: _Block, path: str, sealed: Sealed, organization_id: str) -> _Block:
    if block["type"] == "text":
        for place, citation in enumerate(cast("list[_Block]", block.get("citations") or ())):
            if (
                citation["type"] == "web_search_result_location"
                and sealed.open(INDEX, organization_id, citation["encrypted_index"]) is None
            ):
                raise InvalidRequestError(
                    f"{path}.citations.{place}.encrypted_index: Invalid encrypted index in web search citation"
                )
        return block
    found: Any = block.get("content")
    if block["type"] == "code_execution_tool_result" and found["type"] == _SEALED_RESULT:
        return {**block, "content": _opened_result(found, path, sealed, organization_id)}
    if block["type"] != "web_search_tool_result" or not isinstance(found, list):
        return block
    results: list[_Block] = []
    for place, result in enumerate(cast("list[_Block]", found)):
        text = sealed.open(CONTENT, organization_id, result["encrypted_content"])
        if text is None:
            raise InvalidRequestError(
                f"{path}.content.{place}.encrypted_content: Invalid encrypted content in web search result"
            )
        results.append(read_result(result, text))
    return {**block, "content": results}


def read_result(result: _Block, text: str) -> _Block:
    """A result as the model reads it."""
    return {**{name: value for name, value in result.items() if name != "encrypted_content"}, TEXT: text}


def sealed_result(result: ToolResult, sealed: Sealed, organization_id: str) -> ToolResult:
    """What code has printed that had results of a search before it, of which the client may read as little (recorded:
    the block has no `abort_reason`)."""
    content: _Block = result.content
    if "stdout" not in content:
        return result
    text = content["stdout"].encode()[:OUTPUT_BYTES].decode(errors="ignore")
    kept = {name: content[name] for name in ("stderr", "return_code", "content")}
    hidden = sealed.seal(OUTPUT, organization_id, text)
    shown = {"type": _SEALED_RESULT, "encrypted_stdout": hidden, **kept}
    return replace(result, content=shown, read={"type": _SEALED_RESULT, "stdout": text, **kept})


def _opened_result(content: _Block, path: str, sealed: Sealed, organization_id: str) -> _Block:
    text = sealed.open(OUTPUT, organization_id, content["encrypted_stdout"])
    if text is None:
        raise InvalidRequestError(f"{path}.content.encrypted_stdout: Invalid encrypted stdout in code execution result")
    return {**{name: value for name, value in content.items() if name != "encrypted_stdout"}, "stdout": text}


def web_results(request: _Block, sealed: Sealed, organization_id: str) -> tuple[WebResult, ...]:
    """All results that stand open in a request, in the order of the prompt."""
    seal = partial(sealed.seal, INDEX, organization_id)
    return tuple(
        WebResult(result["url"], result["title"], result[TEXT], partial(_place, seal, result["url"]))
        for message in cast("list[_Block]", request["messages"])
        if message["role"] == "assistant" and isinstance(message.get("content"), list)
        for block in cast("list[_Block]", message["content"])
        if block["type"] == "web_search_tool_result" and isinstance(block["content"], list)
        for result in cast("list[_Block]", block["content"])
        if TEXT in result
    )


def _place(seal: Callable[[str], str], url: str, start: int, end: int) -> str:
    return seal(f"{hashlib.blake2b(url.encode(), digest_size=16).hexdigest()} {start} {end}")
