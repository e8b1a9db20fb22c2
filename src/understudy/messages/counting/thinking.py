"""Which thinking of a conversation a model still sees, and so pays for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from understudy.engines.catalog import Model


def kept_thinking_from(messages: Sequence[dict[str, Any]], model: Model) -> int:
    """The index of the message from which on thinking is in the prompt of the model."""
    if model.keeps_thinking:
        return 0
    for index in range(len(messages) - 1, -1, -1):
        message = messages[index]
        if message["role"] == "user" and message["content"] and begins_turn(message["content"]):
            return index
    return 0


def begins_turn(content: str | list[dict[str, Any]]) -> bool:
    """Whether there is anything but results of tools, which go on with the assistant's turn."""
    return isinstance(content, str) or any(block["type"] != "tool_result" for block in content)
