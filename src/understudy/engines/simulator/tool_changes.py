"""Tools that came and went in the middle of the conversation (mid-conversation-system-messages.md, 2026-08)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias, cast

from understudy.engines.engine import EngineTurn

_Block: TypeAlias = dict[str, Any]


def with_changed_tools(turn: EngineTurn) -> EngineTurn:
    """The turn with the tools that are offered now; the very object where nothing has changed them."""
    offered: dict[str, bool] = {}
    defined: list[_Block] = []
    for change in _changes(turn.request):
        tool: _Block = change["tool"]
        if tool["type"] == "tool_definition":
            defined.append(tool["definition"])
            offered[str(tool["definition"].get("name"))] = True
        elif tool["type"] == "tool_reference":
            offered[tool["name"]] = change["type"] == "tool_addition"
    if not offered:
        return turn
    tools: list[_Block] = []
    gone: set[str] = set()
    for tool in [*cast("list[_Block]", turn.request.get("tools") or []), *defined]:
        name = tool.get("name")
        if name not in offered:
            tools.append(tool)
        elif offered[name]:
            tools.append({**tool, "defer_loading": False} if tool.get("defer_loading") else tool)
        else:
            gone.add(str(tool.get("type")))
    functions = [
        function
        for function in turn.server_functions
        if offered.get(function.name, True) and (function.server_name is not None or function.tool not in gone)
    ]
    return replace(turn, request={**turn.request, "tools": tools}, server_functions=functions)


def _changes(request: _Block) -> Iterator[_Block]:
    for message in cast("list[_Block]", request["messages"]):
        content = message.get("content")
        if not isinstance(content, list):
            continue
        for block in cast("list[_Block]", content):
            if block["type"] in {"tool_addition", "tool_removal"}:
                yield block
            elif block["type"] == "compaction":
                yield from cast("list[_Block]", block.get("tool_changes") or [])
