"""What is learned of a template, from templates written for this in the ways of well-known models."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

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
from understudy.engines.llamacpp.engine import LlamaEngine
from understudy.engines.llamacpp.templates import Template, learn

_CONVERSATION = """
{%- for message in messages %}
{%- if message.role == 'assistant' %}{{ '<|im_start|>assistant\\n' + (message.content or '') }}CALLS
{{- '<|im_end|>\\n' }}
{%- else %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{%- endif %}
{%- endfor %}
{%- if tools %}{{ tools | tojson }}{% endif %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}
"""


def template(calls: str) -> str:
    return _CONVERSATION.replace("CALLS", calls)


# Mistral writes them after a tag, in a list, and Llama with nothing around it.
MISTRAL = template(
    "{%- if message.tool_calls %}{{ '[TOOL_CALLS][' }}{%- for call in message.tool_calls %}"
    "{{ '{\"name\": \"' + call.function.name + '\", \"arguments\": ' + call.function.arguments | tojson + '}' }}"
    "{{ ']' if loop.last else ', ' }}{%- endfor %}{%- endif %}"
)
LLAMA = template(
    "{%- if message.tool_calls %}{%- if message.tool_calls | length > 1 %}{{ raise_exception('one call') }}{%- endif %}"
    '{{ \'{"name": "\' + message.tool_calls[0].function.name + \'", "parameters": \' }}'
    "{{ message.tool_calls[0].function.arguments | tojson + '}' }}{%- endif %}"
)
# DeepSeek has a tag around all calls and one around each, and no quotes around the name.
DEEPSEEK = template(
    "{%- if message.tool_calls %}{{ '<calls>' }}{%- for call in message.tool_calls %}"
    "{{ '<call>' + call.function.name + '<sep>' + call.function.arguments | tojson + '</call>\\n' }}"
    "{%- endfor %}{{ '</calls>' }}{%- endif %}"
)


@asynccontextmanager
async def learned(chat_template: str) -> AsyncGenerator[tuple[LlamaEngine, Template]]:
    async with llama(tiny(), chat_template=chat_template) as engine:
        yield engine, await learn(engine._server.connection)  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("chat_template", "begin", "again"),
    [
        (MISTRAL, ("[TOOL_CALLS]", '[{"name": "', '", "arguments": '), ("}", ', {"name": "', "")),
        (LLAMA, ('{"name": "', "", '", "parameters": '), ("", "", "")),
        (DEEPSEEK, ("<calls>", "<call>", "<sep>"), ("</call>\n", "<call>", "")),
    ],
)
async def test_how_calls_are_written_is_learned(
    chat_template: str, begin: tuple[str, str, str], again: tuple[str, str, str]
) -> None:
    async with learned(chat_template) as (engine, found):
        calls = found.calls
        assert calls is not None
        assert calls.json
        assert (calls.trigger, calls.lead, calls.middle) == begin
        assert (calls.close, calls.again, calls.again_lead) == again
        events = await events_of(
            engine, turn(tools=[WEATHER, TIME], tool_choice={"type": "tool", "name": "get_weather"})
        )
        assert set(json.loads(input_of(events))) == set(CITY["required"])


async def test_the_tests_own_template_is_learned() -> None:
    async with llama(tiny()) as engine:
        found = await learn(engine._server.connection)  # pyright: ignore[reportPrivateUsage]
    assert found.calls is not None
    assert (found.calls.trigger, found.calls.again) == ("<tool_call>", "<tool_call>")
    assert found.tags.used
    assert (found.n_ctx, found.slots, found.vision, found.harmony) == (8192, 4, False, False)


async def test_json_is_a_call_only_where_an_answer_begins_with_it() -> None:
    call = '{"name": "get_weather", "parameters": {"city": "Oslo"}}'
    async with llama(scripted_model(call), chat_template=LLAMA) as engine:
        assert [part[0] for part in await answer(engine, turn(tools=[WEATHER]))] == ["call", "input", "stop"]
    async with llama(scripted_model(f"Say {call}"), chat_template=LLAMA) as engine:
        assert await answer(engine, turn(tools=[WEATHER])) == [("text", f"Say {call}"), ("stop", "end_turn")]


async def test_several_calls_are_made_where_the_model_wants_them() -> None:
    # It says this whatever came before, so it calls again and again, until it is stopped.
    async with llama(scripted_model("<call>"), chat_template=DEEPSEEK) as engine:
        asked = turn(tools=[TIME], tool_choice={"type": "any"}, max_tokens=200)
        parts = await answer(engine, asked)
        called = [part for part in parts if part[0] == "call"]
        assert len(called) >= 2
        asked.request["tool_choice"]["disable_parallel_tool_use"] = True
        assert [part[0] for part in await answer(engine, asked)] == ["call", "input", "stop"]
