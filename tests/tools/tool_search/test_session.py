"""The tool search tools, as a turn uses them."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.tools.protocol import Asked, ToolCall, ToolSession
from understudy.tools.tool_search.session import ToolSearch

TOOLS: list[dict[str, Any]] = [
    {"type": "tool_search_tool_regex_20251119", "name": "tool_search_tool_regex"},
    {"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25"},
    {"name": "get_time", "description": "The weather? No.", "input_schema": {}},
    *(
        {"name": f"{verb}_weather", "description": "Weather of a place", "input_schema": {}, "defer_loading": True}
        for verb in ("get", "set", "show", "hide", "like", "share")
    ),
    {"type": "computer_toolset_20260801", "configs": {}},
]


async def session() -> ToolSession:
    return await ToolSearch().session(Asked("org", "wrkspc", {"messages": [], "tools": TOOLS}))


def found(content: dict[str, Any]) -> list[str]:
    assert content["type"] == "tool_search_tool_search_result"
    assert all(reference["type"] == "tool_reference" for reference in content["tool_references"])
    return [reference["tool_name"] for reference in content["tool_references"]]


async def test_both_find_hidden_tools_only_five_unless_more_are_wanted() -> None:
    turn = await session()
    assert [function.name for function in turn.functions] == ["tool_search_tool_regex", "tool_search_tool_bm25"]
    by_words = await turn.run(ToolCall("s1", "tool_search_tool_bm25", {"query": "the weather"}))
    assert by_words.type == "tool_search_tool_result"
    assert len(found(by_words.content)) == 5
    assert "get_time" not in found(by_words.content)
    by_pattern = await turn.run(ToolCall("s2", "tool_search_tool_regex", {"pattern": "^S", "limit": 9}))
    assert found(by_pattern.content) == ["set_weather", "show_weather", "share_weather"]
    assert found((await turn.run(ToolCall("s3", "tool_search_tool_regex", {"pattern": "nothing"}))).content) == []


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("tool_search_tool_regex", {}),
        ("tool_search_tool_regex", {"query": "x"}),
        ("tool_search_tool_regex", {"pattern": "("}),
        ("tool_search_tool_regex", {"pattern": "x" * 201}),
        ("tool_search_tool_regex", {"pattern": "x", "limit": 0}),
        ("tool_search_tool_bm25", {"query": 7}),
        ("tool_search_tool_bm25", {"query": ""}),
        ("tool_search_tool_bm25", {"query": "x" * 501}),
        ("tool_search_tool_bm25", {"query": "x", "limit": 10_001}),
        ("tool_search_tool_bm25", {"query": "x", "limit": True}),
    ],
)
async def test_what_cannot_be_searched_for_is_an_error_of_the_tool(name: str, given: dict[str, Any]) -> None:
    result = await (await session()).run(ToolCall("s1", name, given))
    assert result.content["type"] == "tool_search_tool_result_error"
    assert result.content["error_code"] == "invalid_tool_input"
