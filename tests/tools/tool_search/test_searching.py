"""Searching tool definitions."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.tools.tool_search.searching import PatternError, Searchable, words


def tool(name: str, description: str = "", **arguments: str) -> dict[str, Any]:
    properties = {argument: {"type": "string", "description": said} for argument, said in arguments.items()}
    return {"name": name, "description": description, "input_schema": {"type": "object", "properties": properties}}


TOOLS = [
    tool("get_weather", "Current conditions at a place", location="City and country"),
    tool("getExchangeRate", "Convert between currencies", base="ISO code", quote="ISO code"),
    tool("mortgage_calculator", "Monthly payments of a loan", rate="Interest rate in percent"),
    tool("create_ticket", "File a bug in the tracker", title="A short summary", assignee="Who works on it"),
    tool("search_files", "Look through the workspace", query="What to look for"),
]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("weather Tokyo current conditions forecast", ["get_weather"]),
        ("exchange rate currency conversion", ["getExchangeRate", "mortgage_calculator"]),
        ("tickets", ["create_ticket"]),
        ("file", ["search_files", "create_ticket"]),
        ("assignees", ["create_ticket"]),
        ("telephone", []),
        ("", []),
    ],
)
def test_words_find_names_descriptions_and_arguments_best_first(query: str, found: list[str]) -> None:
    assert Searchable(TOOLS).by_words(query, 5) == found


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("WEATHER", ["get_weather"]),
        ("^get", ["get_weather", "getExchangeRate"]),
        ("file|bug", ["search_files", "create_ticket"]),
        (r"percent\Z", ["mortgage_calculator"]),
        (r"\\Z", []),
        ("get_.*|search_.*", ["get_weather", "search_files"]),
        ("(?-i:Iso)", []),
    ],
)
def test_patterns_are_searched_in_any_case_and_names_come_first(pattern: str, found: list[str]) -> None:
    assert Searchable(TOOLS).by_pattern(pattern, 5) == found


@pytest.mark.parametrize("pattern", ["(", "[a", "a{2,1}", r"(?=a)b", r"(a)\1", "*", "((((a{99}){99}){99}){99})"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        Searchable(TOOLS).by_pattern(pattern, 5)


def test_no_more_than_the_limit_is_found() -> None:
    many = Searchable([tool(f"tool_{number}", "does things") for number in range(30)])
    assert many.by_words("tool things", 7) == [f"tool_{number}" for number in range(7)]
    assert many.by_pattern("tool", 3) == ["tool_0", "tool_1", "tool_2"]
    assert many.by_pattern("does", 2) == ["tool_0", "tool_1"]


def test_a_pattern_that_explodes_elsewhere_takes_no_time() -> None:
    searchable = Searchable([tool("a", "a" * 20_000)])
    began = time.perf_counter()
    assert searchable.by_pattern("(a+)+$x", 5) == []
    assert searchable.by_pattern("(a|aa)+$", 5) == ["a"]
    assert time.perf_counter() - began < 1


def test_schemas_of_any_shape_are_searched() -> None:
    odd: list[Any] = [
        {"name": "a", "input_schema": {"properties": {"x": True, "deep": {"properties": {"needle": {}}}}}},
        {"name": "b", "input_schema": {"items": {"properties": {"needle": {"description": 7}}}}},
        {"name": "c", "input_schema": None, "description": None},
        {"name": "d", "input_schema": {"properties": ["needle"]}},
    ]
    assert Searchable(odd).by_words("needles", 5) == ["b", "a"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserIDs", ["get", "user", "ids"]),
        ("get_user_ids2", ["get", "user", "ids", "2"]),
        ("Fetching queries", ["fetch", "quer"]),
        ("été 東京", ["été", "東京"]),
    ],
)
def test_words_of_names(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@settings(max_examples=50)
@given(st.text(max_size=30), st.integers(1, 5))
def test_any_text_can_be_searched_by(text: str, limit: int) -> None:
    searchable = Searchable(TOOLS)
    assert len(searchable.by_words(text, limit)) <= limit
    try:
        assert len(searchable.by_pattern(text, limit)) <= limit
    except PatternError:
        pass
