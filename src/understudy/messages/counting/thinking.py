"""Which thinking of a conversation a model still sees, and so pays for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

# How ids of models begin that keep the thinking of the turn at hand alone; all others keep all of it (thinking.md,
# "Thinking block preservation by model", 2026-08). That Haiku 5.5 keeps it is a guess: only the Haikus "through Claude
# Haiku 4.5" are listed.
_LAST_TURN_ONLY: Final = (
    "claude-2",
    "claude-3-",
    "claude-haiku-4-",
    "claude-sonnet-4-2025",
    "claude-sonnet-4-5",
    "claude-opus-4-2025",
    "claude-opus-4-1",
)


def kept_thinking_from(messages: Sequence[dict[str, Any]], model: str) -> int:
    """The index of the message from which on thinking is in the prompt of the model with this id."""
    if not model.startswith(_LAST_TURN_ONLY):
        return 0
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message["role"] == "user" and message["content"] and _begins_turn(message["content"]):
            return index
    return 0


def _begins_turn(content: str | list[dict[str, Any]]) -> bool:
    """Whether there is anything but results of tools, which go on with the assistant's turn."""
    return isinstance(content, str) or any(block["type"] != "tool_result" for block in content)
