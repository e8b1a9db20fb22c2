"""A request to an upstream whose conversation lacks thinking that was signed elsewhere."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

_Fields: TypeAlias = dict[str, Any]

KINDS: Final = frozenset({"thinking", "redacted_thinking"})


def going_on_without(request: _Fields) -> _Fields:
    """`request` as the upstream takes it after thinking was left out; the very object where it does.

    A model that is told to think must find its thoughts at the beginning of the tool loop that goes on (recorded 400:
    "Expected `thinking` or `redacted_thinking`, but found `tool_use`"). The service leaves thinking off where a
    conversation does not allow it (thinking.md), and so do we. Adaptive thinking has no such rule.
    """
    thinking = request.get("thinking")
    if not isinstance(thinking, dict) or cast("_Fields", thinking).get("type") != "enabled":
        return request
    return {**request, "thinking": {"type": "disabled"}} if _loop_lacks_thinking(request["messages"]) else request


def _loop_lacks_thinking(messages: list[Any]) -> bool:
    """Whether the conversation ends in a tool loop whose first answer does not begin with thinking."""
    first: object = None
    for message in reversed(messages):
        role, blocks = _message(message)
        if role == "assistant":
            first = blocks[0].get("type") if blocks else "text"
        elif role == "user" and (not blocks or any(block.get("type") != "tool_result" for block in blocks)):
            break
    return first is not None and first not in KINDS


def _message(message: object) -> tuple[object, list[_Fields]]:
    """Role and blocks of a message that nobody may have checked; of a text there are no blocks."""
    if not isinstance(message, dict):
        return None, []
    fields = cast("_Fields", message)
    content = fields.get("content")
    blocks = cast("list[Any]", content) if isinstance(content, list) else []
    return fields.get("role"), [block for block in blocks if isinstance(block, dict)]
