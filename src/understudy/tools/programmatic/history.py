"""What code has called, as the conversation tells it. None of it is in the model's context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from understudy.wire.callers import calling_cell
from understudy.wire.json_text import canonical_json, to_json
from understudy.wire.server_tools import CALLS, RESULTS

_Block: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Recorded:
    """A call that a cell's code has made. `text` is what it is given for it, None where there is no result."""

    id: str
    name: str
    input: _Block
    text: str | None = None

    @property
    def key(self) -> bytes:
        """Alike for calls that ask the same."""
        return canonical_json([self.name, self.input])


def calls_of(messages: list[_Block], cell_id: str) -> list[Recorded]:
    """In order."""
    found: dict[str, Recorded] = {}
    for message in messages:
        content = message.get("content")
        for block in cast("list[_Block]", content) if isinstance(content, list) else []:
            kind = block["type"]
            if kind == "tool_use" or kind in CALLS:
                if calling_cell(block) == cell_id:
                    found[block["id"]] = Recorded(block["id"], block["name"], block["input"])
            elif (kind == "tool_result" or kind in RESULTS) and block["tool_use_id"] in found:
                content_of = block.get("content")
                text = text_of(content_of) if kind == "tool_result" else text_of_server(content_of)
                found[block["tool_use_id"]].text = text
    return list(found.values())


def nested_blocks(messages: list[_Block]) -> list[_Block]:
    """The calls of server tools that code has made, and their results."""
    return [
        block
        for message in messages
        if isinstance(message.get("content"), list)
        for block in cast("list[_Block]", message["content"])
        if (block["type"] in CALLS or block["type"] in RESULTS) and calling_cell(block) is not None
    ]


def text_of(content: str | list[_Block] | None) -> str:
    """The text of a `tool_result`, which holds nothing else."""
    if isinstance(content, list):
        return "".join(block["text"] for block in content)
    return content or ""


def text_of_server(content: Any) -> str:
    """The result of a server tool: its content as JSON (recorded of web fetch). What a search found comes as `content`
    [guess]."""
    if isinstance(content, list):
        content = [
            {"content" if name == "text" else name: value for name, value in result.items()}
            for result in cast("list[_Block]", content)
        ]
    return to_json(content)


def without_code_calls(request: _Block) -> _Block:
    """The request as the model knows it: "tool results from programmatic calls are not added to Claude's context"."""
    called: set[str] = set()
    messages: list[_Block] = []
    for message in cast("list[_Block]", request["messages"]):
        content = message.get("content")
        if isinstance(content, list):
            blocks = cast("list[_Block]", content)
            kept = [block for block in blocks if not _of_code(block, called)]
            if not kept and blocks:
                continue
            if len(kept) < len(blocks):
                message = {**message, "content": kept}
        messages.append(message)
    return {**request, "messages": messages}


def _of_code(block: _Block, called: set[str]) -> bool:
    kind = block["type"]
    if kind == "tool_result":
        return block["tool_use_id"] in called
    if kind == "tool_use" or kind in CALLS or kind in RESULTS:
        if calling_cell(block) is None:
            return False
        if "id" in block:
            called.add(block["id"])
        return True
    return False
