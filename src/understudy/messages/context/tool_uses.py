"""Clearing what tools answered, and what they were called with.

Blocks stay where they are, so that every call keeps its result; only what they hold is replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

_Block: TypeAlias = dict[str, Any]
_Where: TypeAlias = tuple[int, int]

# The documentation says that there is a text, not which; this one stands in published examples [guess].
PLACEHOLDER: Final = "[cleared to save context]"

_KEEP: Final = 3

# What stands in a cleared result, for each kind that has a shape of its own. Tool searches are not cleared: the tools
# that they found would be gone [guess].
_CLEARED: Final[dict[str, Any]] = {
    "tool_result": PLACEHOLDER,
    "mcp_tool_result": PLACEHOLDER,
    "web_search_tool_result": [
        {"type": "web_search_result", "title": PLACEHOLDER, "url": "", "encrypted_content": "", "page_age": None}
    ],
    "web_fetch_tool_result": {
        "type": "web_fetch_result",
        "url": "",
        "content": {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": PLACEHOLDER}},
        "retrieved_at": None,
    },
    "code_execution_tool_result": {
        "type": "code_execution_result",
        "stdout": PLACEHOLDER,
        "stderr": "",
        "return_code": 0,
        "content": [],
    },
    "bash_code_execution_tool_result": {
        "type": "bash_code_execution_result",
        "stdout": PLACEHOLDER,
        "stderr": "",
        "return_code": 0,
        "content": [],
    },
    "text_editor_code_execution_tool_result": {
        "type": "text_editor_code_execution_view_result",
        "file_type": "text",
        "content": PLACEHOLDER,
    },
    "advisor_tool_result": {"type": "advisor_result", "text": PLACEHOLDER},
}
_USES: Final = frozenset({"tool_use", "server_tool_use", "mcp_tool_use"})


@dataclass(slots=True)
class _Use:
    """A call, and its result where it has one."""

    name: str
    call: _Where
    result: _Where | None = None


def count_tool_uses(messages: list[_Block]) -> int:
    """Calls of tools in a conversation, of whatever kind."""
    return sum(block["type"] in _USES for _, block in _blocks(messages))


def clear_tool_uses(request: dict[str, Any], edit: dict[str, Any]) -> tuple[dict[str, Any], int]:
    """The request with all but the newest uses cleared, and how many were. What is cleared already is not again."""
    messages = cast("list[_Block]", request["messages"])
    keep: int = max((edit.get("keep") or {"value": _KEEP})["value"], 0)
    excluded: Collection[str] = edit.get("exclude_tools") or ()
    inputs: bool | list[str] = edit.get("clear_tool_inputs") or False
    uses = _uses(messages)
    changes: dict[_Where, _Block] = {}
    cleared = 0
    for use in uses[: max(len(uses) - keep, 0)]:
        if use.name in excluded or use.result is None:
            continue
        before = len(changes)
        result = _cleared_result(_at(messages, use.result))
        if result is not None:
            changes[use.result] = result
        call = _at(messages, use.call)
        if call["input"] and (inputs is True or (inputs and use.name in inputs)) and _clearable(messages, use):
            changes[use.call] = {**call, "input": {}}
        cleared += len(changes) > before
    if not changes:
        return request, 0
    return {**request, "messages": _changed(messages, changes)}, cleared


def _blocks(messages: list[_Block]) -> Iterator[tuple[_Where, _Block]]:
    for index, message in enumerate(messages):
        content = message.get("content")
        if isinstance(content, list):
            for place, block in enumerate(cast("list[_Block]", content)):
                yield (index, place), block


def _uses(messages: list[_Block]) -> list[_Use]:
    """All uses, oldest first. Ids may come again in a later turn, so a result belongs to the last call with its id."""
    uses: list[_Use] = []
    open_uses: dict[str, _Use] = {}
    for where, block in _blocks(messages):
        if block["type"] in _USES:
            use = open_uses[block["id"]] = _Use(block["name"], where)
            uses.append(use)
        elif "tool_use_id" in block:
            found = open_uses.pop(block["tool_use_id"], None)
            if found is not None:
                found.result = where
    return uses


def _at(messages: list[_Block], where: _Where) -> _Block:
    return messages[where[0]]["content"][where[1]]


def _clearable(messages: list[_Block], use: _Use) -> bool:
    return use.result is not None and not _brings_tools(_at(messages, use.result))


def _brings_tools(result: _Block) -> bool:
    """Whether deferred tools are in the prompt because of this result."""
    content = result.get("content")
    return result["type"] not in _CLEARED or (
        isinstance(content, list)
        and any(part.get("type") == "tool_reference" for part in cast("list[_Block]", content))
    )


def _cleared_result(result: _Block) -> _Block | None:
    """None for a result that stays as it is."""
    if _brings_tools(result):
        return None
    content = _CLEARED[result["type"]]
    if result.get("content") == content or (result["type"] == "tool_result" and not result.get("content")):
        return None
    return {**result, "content": content}


def _changed(messages: list[_Block], changes: dict[_Where, _Block]) -> list[_Block]:
    touched = {index for index, _ in changes}
    return [
        {
            **message,
            "content": [
                changes.get((index, place), block)
                for place, block in enumerate(cast("list[_Block]", message["content"]))
            ],
        }
        if index in touched
        else message
        for index, message in enumerate(messages)
    ]
