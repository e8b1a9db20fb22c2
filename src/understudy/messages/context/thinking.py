"""Clearing the thinking of earlier turns.

A turn of the assistant goes on through its tool calls: it ends where the user says anything but results of tools.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model

_Block: TypeAlias = dict[str, Any]

_THINKING: Final = frozenset({"thinking", "redacted_thinking"})

# The day from which models of a line keep the thinking of all turns (context-editing.md): Opus 4.5, Sonnet 4.6; of the
# Haiku models "all through Claude Haiku 4.5" keep the last turn's only.
_KEEP_SINCE: Final = {"opus": "2025-11-24", "sonnet": "2026-02-17", "haiku": "2025-10-16"}


def keeps_thinking(model: Model) -> bool:
    """Whether the thinking of all turns stays in the prompt when nothing is asked; else the last turn's alone does."""
    since = _KEEP_SINCE.get(model.line or "")
    return since is None or model.created_at[:10] >= since


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
        return None if keeps_thinking(model) else 1
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
            if content and (isinstance(content, str) or any(block["type"] != "tool_result" for block in content)):
                new = True
        elif isinstance(content, list) and any(block["type"] in _THINKING for block in cast("list[_Block]", content)):
            if new:
                turns.append([])
                new = False
            turns[-1].append(index)
    return turns
