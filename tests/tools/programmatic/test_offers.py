"""Which tools code may call, and what they are called there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tools.programmatic.asking import CODE, RUNNER, WEATHER, Block
from understudy.tools.programmatic.offers import code_functions, described, offers_of, prompted
from understudy.wire.callers import called_by_code, called_directly
from understudy.wire.server_tools import ServerFunction

FETCH = ServerFunction("web_fetch_20260209", "web_fetch", "Fetches.", {"type": "object"})


@pytest.mark.parametrize(
    ("tool", "by_code", "directly"),
    [
        ({"name": "t"}, False, True),
        ({"name": "t", "allowed_callers": ["direct"]}, False, True),
        ({"name": "t", "allowed_callers": []}, False, True),
        ({"name": "t", "allowed_callers": ["code_execution_20250825"]}, True, False),
        ({"name": "t", "allowed_callers": ["direct", "code_execution_20260521"]}, True, True),
        ({"type": "bash_20250124", "name": "bash", "allowed_callers": [CODE]}, True, False),
        ({"type": "web_search_20250305", "name": "web_search"}, False, True),
        ({"type": "web_search_20250305", "name": "web_search", "allowed_callers": [CODE]}, True, False),
        ({"type": "web_search_20260318", "name": "web_search"}, True, False),
        ({"type": "web_fetch_20260309", "name": "web_fetch", "allowed_callers": ["direct"]}, False, True),
        ({"type": "mcp_toolset", "mcp_server_name": "m"}, False, True),
        ({"type": "computer_toolset_20260801"}, False, True),
        ({"type": "tool_search_tool_bm25", "name": "tool_search_tool_bm25", "allowed_callers": [CODE]}, False, True),
    ],
)
def test_who_may_call(tool: Block, *, by_code: bool, directly: bool) -> None:
    assert (called_by_code(tool), called_directly(tool)) == (by_code, directly)


def request(*tools: Block, **more: Any) -> Block:
    return {"tools": list(tools), "messages": [{"role": "user", "content": "hi"}], **more}


def test_names_are_made_into_names_of_python() -> None:
    names = ["get-weather", "get_weather", "class", "2fast", "get.weather"[:3]]
    offers = offers_of(request(*({**WEATHER, "name": name} for name in names)), [])
    assert [(one.shown, one.name) for one in code_functions(offers)] == [
        ("get_weather", "get-weather"),
        ("get_weather_2", "get_weather"),
        ("class_", "class"),
        ("_2fast", "2fast"),
        ("get", "get"),
    ]


def test_a_tool_that_waits_for_a_search_is_told_of_once_it_was_found() -> None:
    deferred = {**WEATHER, "defer_loading": True}
    found = {"type": "tool_search_tool_search_result"}
    found["tool_references"] = [{"type": "tool_reference", "tool_name": "get_weather"}]  # pyright: ignore[reportArgumentType]
    result = {"type": "tool_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found}
    for messages, told in (([], False), ([{"role": "assistant", "content": [result]}], True)):
        offers = offers_of(request(deferred, messages=messages), [])
        assert len(code_functions(offers)) == 1
        assert ("get_weather" in described(offers, code_functions(offers))) == told


def test_what_only_code_may_call_is_no_tool_that_engines_do_not_know() -> None:
    fetch: Block = {"type": "web_fetch_20260209", "name": "web_fetch", "max_uses": 3, "cache_control": {"type": "e"}}
    asked = request(fetch, WEATHER)
    offers = offers_of(asked, [FETCH])
    tools = prompted(asked, offers, CODE)["tools"]
    assert [(tool.get("type"), tool["name"]) for tool in tools] == [
        (None, "web_fetch"), (None, "get_weather"), (CODE, "code_execution"),
    ]  # fmt: skip
    assert tools[0]["cache_control"] == {"type": "e"} and not called_directly(tools[0])
    assert asked["tools"][0] is fetch
    assert prompted(request(RUNNER, WEATHER), offers_of(request(RUNNER, WEATHER), []), None)["tools"] == [
        RUNNER,
        WEATHER,
    ]
