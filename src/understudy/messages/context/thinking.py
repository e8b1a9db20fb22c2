"""Clearing the thinking of earlier turns.

A turn of the assistant goes on through its tool calls: it ends where the user says anything but results of tools.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.messages.counting.thinking import begins_turn

_Block: TypeAlias = dict[str, Any]

_THINKING: Final = frozenset({"thinking", "redacted_thinking"})


def clear_thinking(
    request: dict[str, Any], model: Model, keep: str | dict[str, Any] | None
) -> tuple[dict[str, Any], int]:
    """The request without the thinking of older turns, and how many turns lost theirs."""
    turns = _kept_turns(model, keep)
    if turns is None:
        return request, 0
    messages = cast("list[_Block]", request["messages"])
    thinking = _turns_with_thinking(messages)
    cleared = thinking[: max(len(thinking) - turns, 0)]
    if not cleared:
        return request, 0
    places = {index for turn in cleared for index in turn}
    edited: list[_Block] = []
    for index, message in enumerate(messages):
        if index not in places:
            edited.append(message)
            continue
        content = [block for block in cast("list[_Block]", message["content"]) if block["type"] not in _THINKING]
        if content:
            edited.append({**message, "content": content})
    return {**request, "messages": edited}, len(cleared)


def _kept_turns(model: Model, keep: str | dict[str, Any] | None) -> int | None:
    """How many turns keep their thinking; None for all."""
    if keep is None:
        return None if model.keeps_thinking else 1
    if isinstance(keep, str) or keep["type"] == "all":
        return None
    return keep["value"]


def _turns_with_thinking(messages: list[_Block]) -> list[list[int]]:
    """Of each turn that holds thinking, the messages that do."""
    turns: list[list[int]] = []
    new = True
    for index, message in enumerate(messages):
        content = message.get("content")
        if message["role"] == "user":
            if content and begins_turn(content):
                new = True
        elif isinstance(content, list) and any(block["type"] in _THINKING for block in cast("list[_Block]", content)):
            if new:
                turns.append([])
                new = False
            turns[-1].append(index)
    return turns
