"""What the rules say of a request that has the right shape."""

from __future__ import annotations

from typing import Any

from understudy.engines.catalog import Catalog
from understudy.messages.rules import check_count_request, check_request
from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import validator

_CATALOG = Catalog(["my-own-model"])

# One model of each generation that the rules tell apart.
OLD = "claude-haiku-4-5"
MIDDLE = "claude-opus-4-6"
NEW = "claude-sonnet-5"
OWN = "my-own-model"

TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
CACHED: dict[str, Any] = {"type": "ephemeral"}


def fault(
    messages: object = "hi",
    *,
    model: str = NEW,
    version: str = "2023-06-01",
    betas: tuple[str, ...] = (),
    counting: bool = False,
    **fields: Any,
) -> str | None:
    """The text of the refusal; None for what is accepted. `messages` may be the text of the user's only one."""
    if isinstance(messages, str):
        messages = [user(messages)]
    request: dict[str, Any] = {"model": model, "messages": messages, **fields}
    found = _CATALOG.find(model)
    assert found is not None
    try:
        if counting:
            validator("count_tokens", version, betas).check(request, lambda _: found.mid_conversation_system)
            check_count_request(request, found, version)
        else:
            request.setdefault("max_tokens", 16)
            validator("messages", version, betas).check(request, lambda _: found.mid_conversation_system)
            check_request(request, found, version, betas)
    except InvalidRequestError as error:
        return error.message
    return None


def message(role: str, *content: Any) -> dict[str, Any]:
    """A message of one string, or of blocks."""
    if len(content) == 1 and isinstance(content[0], str):
        return {"role": role, "content": content[0]}
    return {"role": role, "content": list(content)}


def user(*content: Any) -> dict[str, Any]:
    return message("user", *content)


def assistant(*content: Any) -> dict[str, Any]:
    return message("assistant", *content)


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def use(tool_id: str = "toolu_1", name: str = "f") -> dict[str, Any]:
    return {"type": "tool_use", "id": tool_id, "name": name, "input": {}}


def result(tool_id: str = "toolu_1", content: object = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": tool_id, "content": content, **more}


def server_use(tool_id: str = "srvtoolu_1", name: str = "web_search") -> dict[str, Any]:
    return {"type": "server_tool_use", "id": tool_id, "name": name, "input": {"query": "q"}}


def server_result(tool_id: str = "srvtoolu_1") -> dict[str, Any]:
    return {"type": "web_search_tool_result", "tool_use_id": tool_id, "content": []}
