"""References to tools of MCP servers, in the middle of a conversation."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.tools.mcp.changes import named_changes
from understudy.wire.errors import InvalidRequestError
from understudy.wire.server_tools import ServerFunction

Block = dict[str, Any]


def function(title: str) -> ServerFunction:
    return ServerFunction(
        "mcp_toolset", f"mcp__box__{title}", "", {}, "mcp_tool_use", "mcptoolu_", server_name="box", title=title
    )


SERVERS = {"box": [function("open"), function("shut")]}


def request(tool: Block, **more: Any) -> Block:
    change = {"type": "tool_removal", "tool": tool, **more}
    system = {"role": "system", "content": [{"type": "text", "text": "x"}, change]}
    return {"messages": [{"role": "user", "content": "hi"}, system]}


def named(found: Block) -> list[str]:
    return [block["tool"]["name"] for block in found["messages"][1]["content"] if block["type"] == "tool_removal"]


def test_a_tool_is_named_as_the_model_knows_it() -> None:
    tool = {"type": "mcp_tool_reference", "server_name": "box", "name": "shut"}
    assert named(named_changes(request(tool), SERVERS)) == ["mcp__box__shut"]


def test_a_toolset_is_all_its_tools() -> None:
    tool = {"type": "mcp_toolset_reference", "server_name": "box"}
    found = named_changes(request(tool, cache_control={"type": "ephemeral"}), SERVERS)
    assert named(found) == ["mcp__box__open", "mcp__box__shut"]
    assert ["cache_control" in block for block in found["messages"][1]["content"]] == [False, False, True]


def test_a_toolset_without_tools_leaves_no_empty_message() -> None:
    change = {"type": "tool_removal", "tool": {"type": "mcp_toolset_reference", "server_name": "bare"}}
    talk: Block = {"role": "user", "content": "hi"}
    found = named_changes({"messages": [talk, {"role": "system", "content": [change]}]}, {"bare": []})
    assert found["messages"] == [talk]


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "mcp_tool_reference", "server_name": "box", "name": "burn"},
        {"type": "mcp_tool_reference", "server_name": "bag", "name": "open"},
        {"type": "mcp_toolset_reference", "server_name": "bag"},
    ],
)
def test_what_no_server_has_is_refused(tool: Block) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        named_changes(request(tool), SERVERS)
    assert refused.value.message.startswith("messages.1.content.1.tool_removal.tool.")
    assert refused.value.details == {"error_code": "tool_reference_unresolved"}


def test_a_request_without_them_stays_as_it_is() -> None:
    one = request({"type": "tool_reference", "name": "x"})
    assert named_changes(one, SERVERS) is one
