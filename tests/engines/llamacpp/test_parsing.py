"""Calls in the ways of many models, what cannot be read as one, and where thinking begins."""

from __future__ import annotations

import re
import time
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.llamacpp.forcing import constrained, one_of
from understudy.engines.llamacpp.parsing import Thoughts, read_calls
from understudy.engines.llamacpp.templates import Tags

SCHEMAS: dict[str, Any] = {
    "weather": {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}},
    "time": {"type": "object", "properties": {}},
}
OSLO = [("weather", {"city": "Oslo", "days": 3})]
TAGS = Tags("<think>", "</think>", used=True)


@pytest.mark.parametrize(
    "body",
    [
        '\n{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}\n',
        '{"name": "weather", "parameters": {"city": "Oslo", "days": 3}}',
        '[{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}]',
        '{"type": "function", "function": {"name": "weather", "arguments": "{\\"city\\": \\"Oslo\\", \\"days\\": 3}"}}',
        "<function=weather>\n<parameter=city>\nOslo\n</parameter>\n<parameter=days>\n3\n</parameter>\n</function>",
        "<function=weather><parameter=city>Oslo<parameter=days>3",
        '<invoke name="weather">\n<parameter name="city">Oslo</parameter>\n'
        '<parameter name="days">3</parameter>\n</invoke>',
        '<｜D｜invoke name="weather"><｜D｜parameter name="city" string="true">Oslo</｜D｜parameter>'
        '<｜D｜parameter name="days" string="false">3</｜D｜parameter></｜D｜invoke>',
        "weather\n<arg_key>city</arg_key>\n<arg_value>Oslo</arg_value>\n<arg_key>days</arg_key>\n<arg_value>3</arg_value>",
        'call:weather{city:<|"|>Oslo<|"|>,days:3}',
    ],
)
def test_a_call_is_read_in_the_ways_of_many_models(body: str) -> None:
    assert read_calls(body, SCHEMAS) == OSLO


def test_several_calls_are_read() -> None:
    two = '{"name": "weather", "arguments": {"city": "Oslo", "days": 3}}, {"name": "time"}'
    assert read_calls(two, SCHEMAS) == [*OSLO, ("time", {})]
    two = '<invoke name="time"></invoke><invoke name="time"></invoke>'
    assert read_calls(two, SCHEMAS) == [("time", {}), ("time", {})]


def test_the_schema_says_what_a_text_between_tags_is() -> None:
    body = "<function=weather><parameter=city>3</parameter><parameter=days>true</parameter></function>"
    assert read_calls(body, SCHEMAS) == [("weather", {"city": "3", "days": True})]
    odd = "<function=weather><parameter=days>three days</parameter></function>"
    assert read_calls(odd, SCHEMAS) == [("weather", {"days": "three days"})]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nothing",
        '{"name": "weather", "arguments": [1]}',
        '{"name": "weather", "arguments": "{"}',
        '{"name": "unknown", "arguments": {}}',
        '[{"name": "weather", "arguments": {}}, 1]',
        '{"name": get_weather, "arguments"',
        "<function=unknown></function>",
        '<invoke name="unknown"></invoke>',
        "call:weather{city:}",
    ],
)
def test_what_is_no_call_is_none(body: str) -> None:
    assert read_calls(body, SCHEMAS) == []


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*'<>/={}[]":,\n ', "weather", "<function=", "<parameter=", "</", "name", "call:", '<|"|>']),
        max_size=40,
    )
)
def test_reading_never_fails(body: list[str]) -> None:
    for name, given_ in read_calls("".join(body), SCHEMAS):
        assert name in SCHEMAS
        assert isinstance(given_, dict)


@pytest.mark.parametrize(
    "body",
    [
        '<invoke name="f">' * 15_000,
        '<invoke name="f">' + '<parameter name="a">' * 15_000 + "</invoke>",
        "<function=f" * 20_000,
        "<function=f>" + "<parameter=a" * 20_000,
        "f <arg_key>" + "<arg_key>" * 20_000,
        "f " + "<arg_key>a</arg_key><arg_value>" * 10_000,
    ],
    ids=lambda body: body[:40],
)
def test_tags_without_an_end_take_no_time(body: str) -> None:
    """A model writes what its user wants: such a text once took half a minute."""
    began = time.perf_counter()
    read_calls(body, {"f": {}})
    assert time.perf_counter() - began < 1


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12), st.booleans(), st.data())
def test_thinking_is_told_apart_wherever_it_is_cut(text: str, thinks: bool, data: st.DataObject) -> None:
    written = (" \n<think>\n" if thinks else "") + text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(written)), max_size=4)))
    thoughts = Thoughts(TAGS, "start")
    said = {"text": "", "thinking": ""}
    for start, end in zip([0, *cuts], [*cuts, len(written)], strict=True):
        kind, piece = thoughts.feed(written[start:end])
        said[kind] += piece
    kind, piece = thoughts.rest()
    said[kind] += piece
    if thinks:
        assert said == {"text": "", "thinking": text.strip()}
    elif not re.match(r"\s*<think>", text):
        assert said == {"text": text, "thinking": ""}


def test_text_behind_thinking_begins_without_white_space() -> None:
    thoughts = Thoughts(TAGS, "thinking")
    assert thoughts.feed("so\n") == ("thinking", "so")
    thoughts.close()
    assert thoughts.feed("\n\n") == ("text", "")
    assert thoughts.feed(" yes\n") == ("text", "yes\n")
    assert thoughts.feed(" <think>") == ("text", " <think>")


def test_a_schema_for_a_grammar_allows_no_more_than_the_schema() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": {"type": "array", "items": {"type": "object", "properties": {"b": {"type": "null"}}}},
            "open": {"type": "object", "properties": {}, "additionalProperties": True},
            "any": {"type": "object"},
        },
        "$defs": {"d": {"anyOf": [{"type": "object", "properties": {"e": {}}}]}},
    }
    before = repr(schema)
    found = constrained(schema)
    assert repr(schema) == before
    assert found["additionalProperties"] is False
    assert found["properties"]["a"]["items"]["additionalProperties"] is False
    assert found["properties"]["open"]["additionalProperties"] is True
    assert "additionalProperties" not in found["properties"]["any"]
    assert found["$defs"]["d"]["anyOf"][0]["additionalProperties"] is False
    wide, narrow = jsonschema_rs.validator_for(schema), jsonschema_rs.validator_for(found)
    for instance in ({"a": [{"b": None}]}, {"open": {"x": 1}}, {"any": {"x": 1}}, {}):
        assert wide.is_valid(instance)
        assert narrow.is_valid(instance)
    assert not narrow.is_valid({"x": 1})


def test_no_schema_is_any_object() -> None:
    assert constrained({})["type"] == "object"


def test_a_grammar_quotes_what_it_names() -> None:
    assert one_of(["a", 'b"\\'], "\n") == 'root ::= ("a" | "b\\"\\\\") "\\n"'
