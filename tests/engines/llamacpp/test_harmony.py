"""Answers in channels, as gpt-oss writes them."""

from __future__ import annotations

import json

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
    tiny,
    turn,
)

# A newline ends the prompt, for scripted models begin there. They cannot write the same tag twice, so the prompt has
# opened the channel already.
TEMPLATE = """
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- for message in messages %}
{{- '<|start|>' + message.role + '<|channel|>final<|message|>' + message.content + '<|end|>' }}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start|>assistant<|channel|>\\n' }}{% endif %}
"""
FINAL = "final<|message|>It rains."
ANALYSIS = "analysis<|message|>Rain or sun?"
CALL = "commentary to=functions.get_weather <|constrain|>json<|message|>anything"


async def test_a_final_part_is_the_answer() -> None:
    async with llama(scripted_model(FINAL), chat_template=TEMPLATE) as engine:
        assert await answer(engine, turn()) == [("text", "It rains."), ("stop", "end_turn")]


@pytest.mark.parametrize("thinking", ["adaptive", None])
async def test_an_analysis_is_thinking(thinking: str | None) -> None:
    async with llama(scripted_model(ANALYSIS), chat_template=TEMPLATE) as engine:
        found = await answer(engine, turn(thinking=thinking, max_tokens=30))
        # It says this over and over.
        assert [part[0] for part in found] == (["thinking", "stop"] if thinking else ["stop"])
        assert thinking is None or found[0][1].startswith("Rain or sun?")


async def test_a_part_for_a_function_is_a_call_held_to_its_schema() -> None:
    async with llama(scripted_model(CALL), chat_template=TEMPLATE) as engine:
        events = await events_of(engine, turn(tools=[WEATHER, TIME]))
        assert jsonschema_rs.validator_for(CITY).is_valid(json.loads(input_of(events)))
        found = await answer(engine, turn(tools=[WEATHER, TIME]))
        assert [part[0] for part in found] == ["call", "input", "stop"]
        assert found[0] == ("call", "get_weather")


async def test_what_has_no_channel_is_text() -> None:
    async with llama(scripted_model("Plain."), chat_template=TEMPLATE) as engine:
        assert await answer(engine, turn()) == [("text", "Plain."), ("stop", "end_turn")]


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_weather"}])
async def test_a_call_can_be_forced(choice: dict[str, str]) -> None:
    async with llama(tiny(), chat_template=TEMPLATE) as engine:
        for _ in range(5):
            events = await events_of(engine, turn(tools=[WEATHER, TIME], tool_choice=choice))
            assert isinstance(json.loads(input_of(events)), dict)


async def test_an_answer_can_be_held_to_a_schema() -> None:
    async with llama(tiny(), chat_template=TEMPLATE) as engine:
        asked = turn(output_config={"format": {"type": "json_schema", "schema": CITY}})
        parts = await answer(engine, asked)
        assert [part[0] for part in parts] == ["text", "stop"]
        assert jsonschema_rs.validator_for(CITY).is_valid(json.loads(parts[0][1]))
