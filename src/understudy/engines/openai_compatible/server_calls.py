"""Calls of functions that this server runs, as calls that any model knows: one message calls, the next brings results.

In the API's own conversation both stand in one message of the assistant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.wire.server_tools import CALLS, RESULTS, SERVER, ServerFunction

from .content import Path

_Block: TypeAlias = dict[str, Any]

_COMMANDS: Final = frozenset({"bash_code_execution_tool_result", "code_execution_tool_result"})


@dataclass(slots=True)
class Turn:
    """Neighbours of one role, which are one message to the upstream: each block with its path."""

    role: str
    blocks: list[tuple[Path, _Block]]


def as_calls(turns: Sequence[Turn], served: Sequence[ServerFunction]) -> list[Turn]:
    """The turns with such calls and results as those of client tools. What is not `served` stays as it is."""
    functions = {(function.server_name, function.title or function.name): function for function in served}
    called: set[str] = set()
    found: list[Turn] = []
    for turn in turns:
        for path, block in turn.blocks:
            role, said = turn.role, block
            kind = block["type"]
            function = functions.get((block.get("server_name"), block["name"])) if kind in CALLS else None
            if function is not None:
                called.add(block["id"])
                said = {**block, "type": "tool_use", "name": function.name}
                if function.server_name is None:
                    said["toolset_name"] = SERVER
            elif (kind in RESULTS or kind == "mcp_tool_result") and block["tool_use_id"] in called:
                role, said = "user", _result(block)
            if not found or found[-1].role != role:
                found.append(Turn(role, []))
            found[-1].blocks.append((path, said))
    return found


def _result(block: _Block) -> _Block:
    content = block.get("content")
    text = _text_of(block["type"], cast("_Block", content)) if isinstance(content, dict) else None
    # What has no words of its own is said as it is in any other place.
    said = [{**block, "type": block["type"]}] if text is None else text
    result: _Block = {"type": "tool_result", "tool_use_id": block["tool_use_id"], "content": said}
    if block["type"] == "mcp_tool_result":
        result["content"], result["is_error"] = content, bool(block.get("is_error"))
    return result


def _text_of(kind: str, content: _Block) -> str | None:
    if content["type"].endswith("_error"):
        told = content.get("error_message")
        return f"Error: {content['error_code']}" + (f". {told}" if told else "")
    if kind in _COMMANDS:
        parts = [content.get("stdout", "")]
        if content["stderr"]:
            parts.append(f"Errors:\n{content['stderr']}")
        if content["return_code"]:
            parts.append(f"It ended with status {content['return_code']}.")
        if content["content"]:
            count = len(content["content"])
            parts.append(f"{count} file{'s were' if count > 1 else ' was'} given to the user.")
        return "\n".join(part.rstrip("\n") for part in parts if part) or "It printed nothing."
    match content["type"]:
        case "text_editor_code_execution_view_result" if content["file_type"] == "text":
            return cast("str", content["content"])
        case "advisor_result":
            return cast("str", content["text"])
        case "text_editor_code_execution_create_result":
            return "The file was written."
        case "text_editor_code_execution_str_replace_result":
            return "\n".join(["The file was changed:", *(content.get("lines") or ())])
        case _:
            return None
