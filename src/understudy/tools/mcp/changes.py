"""Tools of MCP servers that come and go in the middle of a conversation, by the names that the model knows them by.

Source: mid-conversation-system-messages.md (2026-08).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, cast

from understudy.wire.errors import InvalidRequestError
from understudy.wire.server_tools import ServerFunction

_Block: TypeAlias = dict[str, Any]


def named_changes(request: _Block, by_server: Mapping[str, Sequence[ServerFunction]]) -> _Block:
    """The request with references to single tools in the place of those to tools of servers, and to whole toolsets; the
    very object where there are none. Raises InvalidRequestError for what no server has."""
    messages: list[_Block] = []
    changed = False
    for number, message in enumerate(cast("list[_Block]", request["messages"])):
        content = message.get("content")
        if message["role"] == "system" and isinstance(content, list):
            blocks: list[_Block] = []
            for place, block in enumerate(cast("list[_Block]", content)):
                named = _named(block, f"messages.{number}.content.{place}", by_server)
                changed = changed or named is not None
                blocks += [block] if named is None else named
            if not blocks:
                # The toolset of a server without tools: nothing has changed, and no engine takes a message of nothing.
                continue
            message = {**message, "content": blocks}
        messages.append(message)
    return {**request, "messages": messages} if changed else request


def _named(block: _Block, path: str, by_server: Mapping[str, Sequence[ServerFunction]]) -> list[_Block] | None:
    tool: _Block = block.get("tool") or {}
    kind = tool.get("type")
    if kind not in {"mcp_tool_reference", "mcp_toolset_reference"}:
        return None
    functions = by_server.get(tool["server_name"])
    if functions is not None and kind == "mcp_tool_reference":
        functions = [function for function in functions if function.title == tool["name"]] or None
    if functions is None:
        # That it is a 400 is documented, and its code; the text is a guess.
        raise InvalidRequestError(
            f"{path}.{block['type']}.tool.{kind}: the tool is not defined at this position in the conversation",
            details={"error_code": "tool_reference_unresolved"},
        )
    kept = {name: value for name, value in block.items() if name != "cache_control"}
    named = [{**kept, "tool": {"type": "tool_reference", "name": function.name}} for function in functions]
    if named and block.get("cache_control"):
        named[-1]["cache_control"] = block["cache_control"]
    return named
