"""What the simulator makes of a task budget: it begins nothing more when little is left."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

from understudy.wire.budgets import left_by

_Block: TypeAlias = dict[str, Any]

_LEAST: Final = 1_000
"""Tokens that one more call and its result are taken to need."""


def left_of_budget(request: _Block) -> int | None:
    """The tokens that are left of the request's budget, by the last marker in it; None where it has none."""
    config = cast("_Block", request.get("output_config") or {})
    if not config.get("task_budget"):
        return None
    for message in reversed(cast("list[_Block]", request["messages"])):
        content = message.get("content")
        if message["role"] != "user" or not isinstance(content, list) or not content:
            continue
        last = cast("_Block", content[-1])
        if last["type"] == "tool_result" and isinstance(last.get("content"), list) and last["content"]:
            last = cast("_Block", last["content"][-1])
        left = left_by(last["text"]) if last["type"] == "text" else None
        if left is not None:
            return left
    return None


def stops_short(request: _Block) -> str | None:
    """What is said instead of another call; None where there is enough left for one."""
    left = left_of_budget(request)
    if left is None or left >= _LEAST:
        return None
    return f"I stop here, because the token budget is nearly used up: {left} tokens are left."
