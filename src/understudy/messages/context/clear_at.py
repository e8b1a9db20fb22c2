"""System messages in a conversation that are shown for one user turn only (`clear_at: next_user_message`)."""

from __future__ import annotations

from typing import Any, cast


def without_cleared(request: dict[str, Any]) -> dict[str, Any]:
    """The request as the model sees it: without the texts of such messages that a later user message has ended.

    What else they carry, settings and changes of the tools, stays in force [guess: the SDK speaks of their text].
    """
    messages = cast("list[dict[str, Any]]", request["messages"])
    later_user = False
    kept: list[dict[str, Any]] = []
    changed = False
    for message in reversed(messages):
        if message["role"] == "user":
            later_user = True
        elif later_user and message.get("clear_at") == "next_user_message":
            changed = True
            content = message.get("content")
            rest = (
                [block for block in cast("list[dict[str, Any]]", content) if block["type"] != "text"]
                if isinstance(content, list)
                else []
            )
            if not rest and not message.get("output_config"):
                continue
            message = {**message, "content": rest}
        kept.append(message)
    return {**request, "messages": kept[::-1]} if changed else request
