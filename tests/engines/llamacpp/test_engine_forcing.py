"""Calls and structured answers, by real workers: of random weights, which obey nothing but a grammar."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from engines.llamacpp.llama_turns import (
    CITY,
    TIME,
    WEATHER,
    answer,
    events_of,
    input_of,
    llama,
    scripted_model,
    stop_of,
    tiny,
    told,
    turn,
    user,
)
from understudy.engines.engine import PromptUsage, ToolUse
from understudy.engines.llamacpp.plain_tools import with_plain_tools
from understudy.wire.errors import InvalidRequestError

CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}\n</tool_call>'
XML_CALL = (
    "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n"
    "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
)
XML_TEMPLATE = """
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\\n' + (message.content or '') }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\\n<function=' + call.function.name + '>\\n' }}
{%- for name, value in call.function.arguments | items %}
{{- '<parameter=' + name + '>\\n' + (value | string) + '\\n</parameter>\\n' }}
{%- endfor %}
{{- '</function>\\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""
FORMAT = {"format": {"type": "json_schema", "schema": CITY}}
VALID = jsonschema_rs.validator_for(CITY)


@pytest.mark.slow
async def test_a_named_tool_is_called_validly_every_time() -> None:
    async with llama(tiny()) as engine:
        choice = {"type": "tool", "name": "get_weather"}
        for _ in range(50):
            events = await events_of(engine, turn(tools=[WEATHER, TIME], tool_choice=choice))
            assert [event.name for event in events if isinstance(event, ToolUse)] == ["get_weather"]
            assert VALID.is_valid(json.loads(input_of(events)))
            assert stop_of(events).reason == "tool_use"


@pytest.mark.slow
async def test_any_tool_is_called_validly_every_time() -> None:
    async with llama(tiny()) as engine:
        called: set[str] = set()
        for _ in range(50):
            events = await events_of(engine, turn(tools=[WEATHER, TIME], tool_choice={"type": "any"}))
            (name,) = [event.name for event in events if isinstance(event, ToolUse)]
            called.add(name)
            given = json.loads(input_of(events))
            assert VALID.is_valid(given) if name == "get_weather" else given == {}
        assert called == {"get_weather", "time"}


async def test_a_call_that_is_cut_says_so() -> None:
    async with llama(tiny()) as engine:
        choice = {"type": "tool", "name": "get_weather"}
        for most in range(1, 24):
            events = await events_of(engine, turn(tools=[WEATHER], tool_choice=choice, max_tokens=most))
            stop = stop_of(events)
            assert stop.output_tokens <= most
            if stop.reason == "tool_use":
                assert VALID.is_valid(json.loads(input_of(events)))
            else:
                assert stop.reason == "max_tokens"


@pytest.mark.slow
async def test_a_structured_answer_is_valid_every_time() -> None:
    async with llama(tiny()) as engine:
        for _ in range(50):
            parts = await answer(engine, turn(output_config=FORMAT))
            assert [part[0] for part in parts] == ["text", "stop"]
            assert VALID.is_valid(json.loads(parts[0][1]))
            assert parts[1] == ("stop", "end_turn")


async def test_a_structured_answer_comes_behind_the_thinking() -> None:
    async with llama(scripted_model("<think>\nNow I think.\n</think>\n\nNo JSON.")) as engine:
        parts = await answer(engine, turn(output_config=FORMAT, thinking="enabled"))
        assert [part[0] for part in parts] == ["thinking", "text", "stop"]
        assert VALID.is_valid(json.loads(parts[1][1]))


async def test_a_structured_answer_may_be_a_call_instead() -> None:
    async with llama(scripted_model(CALL)) as engine:
        parts = await answer(engine, turn(output_config=FORMAT, tools=[WEATHER]))
        assert [part[0] for part in parts] == ["call", "input", "stop"]
    async with llama(scripted_model("Not JSON at all.")) as engine:
        parts = await answer(engine, turn(output_config=FORMAT, tools=[WEATHER]))
        assert VALID.is_valid(json.loads(parts[0][1]))


async def test_a_schema_that_is_no_grammar_is_refused_and_for_a_tool_passed_over() -> None:
    pattern = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(?=x)y"}}, "required": ["a"]}
    async with llama(tiny()) as engine:
        with pytest.raises(InvalidRequestError, match=r"output_config\.format\.schema"):
            await events_of(engine, turn(output_config={"format": {"type": "json_schema", "schema": pattern}}))
        tool = {"name": "odd", "input_schema": pattern}
        events = await events_of(engine, turn(tools=[tool], tool_choice={"type": "any"}, max_tokens=200))
        assert input_of(events).startswith("{")


async def test_a_model_that_calls_by_itself_is_held_to_the_schema() -> None:
    async with llama(scripted_model("I will look.\n" + CALL)) as engine:
        events = await events_of(engine, turn(tools=[WEATHER]))
        parts = told(events)[1:]
        assert [part[0] for part in parts] == ["text", "call", "input", "stop"]
        assert parts[0] == ("text", "I will look.\n")
        assert parts[1] == ("call", "get_weather")
        assert VALID.is_valid(json.loads(input_of(events)))
        assert parts[3] == ("stop", "tool_use")


async def test_a_call_that_goes_wrong_is_still_a_call() -> None:
    async with llama(scripted_model('<tool_call>\n{"name": get_weather, "arguments"\n</tool_call>')) as engine:
        parts = await answer(engine, turn(tools=[WEATHER]))
        assert [part[0] for part in parts] == ["call", "input", "stop"]
        assert VALID.is_valid(json.loads(parts[1][1]))


async def test_without_tools_a_call_is_text() -> None:
    async with llama(scripted_model(CALL)) as engine:
        assert await answer(engine, turn()) == [("text", CALL), ("stop", "end_turn")]
        none = turn(tools=[WEATHER], tool_choice={"type": "none"})
        assert await answer(engine, none) == [("text", CALL), ("stop", "end_turn")]


async def test_a_call_in_thoughts_is_no_call() -> None:
    sentence = "<think>\nMaybe <tool_call> or not.\n</think>\n\nDone."
    async with llama(scripted_model(sentence)) as engine:
        assert await answer(engine, turn(tools=[WEATHER], thinking="enabled")) == [
            ("thinking", "Maybe <tool_call> or not."),
            ("text", "Done."),
            ("stop", "end_turn"),
        ]


async def test_a_forced_call_comes_without_thinking() -> None:
    async with llama(scripted_model("<think>\nNow I think.\n</think>\n\nNo call.")) as engine:
        asked = turn(tools=[WEATHER], tool_choice={"type": "any"}, thinking="adaptive")
        events = await events_of(engine, asked)
        assert [part[0] for part in told(events)[1:]] == ["call", "input", "stop"]
        assert events[0] == PromptUsage(await engine.count(asked), reused=0)


async def test_thinking_leaves_room_for_a_structured_answer() -> None:
    async with llama(tiny()) as engine:
        for _ in range(5):
            parts = await answer(engine, turn(output_config=FORMAT, thinking="adaptive", max_tokens=120))
            assert [part[0] for part in parts] == ["thinking", "text", "stop"]
            assert VALID.is_valid(json.loads(parts[1][1]))


async def test_a_call_that_is_not_json_is_read() -> None:
    async with llama(scripted_model("Looking.\n" + XML_CALL), chat_template=XML_TEMPLATE) as engine:
        assert await answer(engine, turn(tools=[WEATHER])) == [
            ("text", "Looking.\n"),
            ("call", "get_weather"),
            ("input", '{"city":"Oslo","days":3}'),
            ("stop", "tool_use"),
        ]


@pytest.mark.parametrize(
    "said",
    [
        "<tool_call>\n<function=unknown>\n</function>\n</tool_call>",
        "<tool_call>\nnothing of a call\n</tool_call>",
        "Before <tool_call>",
    ],
)
async def test_what_cannot_be_read_as_a_call_is_text(said: str) -> None:
    async with llama(scripted_model(said), chat_template=XML_TEMPLATE) as engine:
        assert await answer(engine, turn(tools=[WEATHER])) == [("text", said), ("stop", "end_turn")]


async def test_a_template_without_json_calls_can_be_forced() -> None:
    async with llama(tiny(), chat_template=XML_TEMPLATE) as engine:
        for _ in range(5):
            events = await events_of(engine, turn(tools=[WEATHER], tool_choice={"type": "any"}))
            assert VALID.is_valid(json.loads(input_of(events)))


BARE = (
    "{%- for m in messages %}{%- if m.role == 'tool' or m.tool_calls %}{{ raise_exception('tools?') }}{%- endif %}"
    "{{- m.role + ': ' + m.content + '\\n' }}{%- endfor %}{{- 'assistant:\\n' }}"
)


async def test_a_template_without_tools_is_told_of_them_as_text() -> None:
    called = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo", "days": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"}
    said = {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, called]}
    conversation = [user("Weather?"), said, user([result, {"type": "text", "text": "So?"}])]
    async with llama(scripted_model(CALL), chat_template=BARE) as engine:
        asked = turn(*conversation, tools=[WEATHER], system="Be brief.")
        assert [part[0] for part in await answer(engine, asked)] == ["call", "input", "stop"]
        without = turn(*conversation)
        assert await answer(engine, without) == [("text", CALL), ("stop", "end_turn")]
        assert await engine.count(asked) > await engine.count(without) + 40
    async with llama(tiny(), chat_template=BARE) as engine:
        events = await events_of(engine, turn(tools=[WEATHER], tool_choice={"type": "any"}))
        assert VALID.is_valid(json.loads(input_of(events)))


def test_tools_as_text_stand_in_the_messages() -> None:
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Go."},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "done"},
        {"role": "user", "content": [{"type": "text", "text": "So?"}]},
    ]
    before = repr(messages)
    found = with_plain_tools(messages, [{"type": "function", "function": {"name": "f"}}])
    assert repr(messages) == before
    assert [message["role"] for message in found] == ["system", "user", "assistant", "user"]
    assert found[0]["content"].startswith("Be brief.\n\nYou may call tools.")
    assert found[2]["content"] == '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'
    assert found[3]["content"] == [
        {"type": "text", "text": "<tool_response>\ndone\n</tool_response>"},
        {"type": "text", "text": "So?"},
    ]


async def test_a_template_that_refuses_a_conversation_is_a_400() -> None:
    picky = (
        "{% if messages | length > 1 %}{{ raise_exception('one message only') }}{% endif %}{{ messages[0].content }}"
    )
    async with llama(tiny(), chat_template=picky) as engine:
        with pytest.raises(InvalidRequestError, match="one message only"):
            await events_of(engine, turn(user("a"), {"role": "assistant", "content": "b"}, user("c")))


async def test_names_of_tools_are_taken_literally() -> None:
    tools: list[dict[str, Any]] = [{"name": name, "input_schema": {"type": "object"}} for name in ("a", "a-b", "a_b_c")]
    async with llama(tiny()) as engine:
        for _ in range(10):
            events = await events_of(engine, turn(tools=tools, tool_choice={"type": "any"}, max_tokens=40))
            assert next(event.name for event in events if isinstance(event, ToolUse)) in {"a", "a-b", "a_b_c"}
