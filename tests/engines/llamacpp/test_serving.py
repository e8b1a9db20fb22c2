"""`understudy serve --model tiny.gguf`: the official SDK, a real socket, a real llama.cpp."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any, cast

import anthropic
import pytest
from jsonschema import Draft202012Validator

from servers import RunningServer, start_server
from tests.gguf.models import model_file

pytestmark = pytest.mark.slow

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"enum": ["Lima", "Oslo", "Tokyo"]},
        "days": {"type": "integer", "enum": [1, 3, 7]},
    },
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOL: anthropic.types.ToolParam = {"name": "get_weather", "description": "The weather.", "input_schema": SCHEMA}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    directory = tmp_path_factory.mktemp("llamacpp")
    model = directory / "tiny.gguf"
    model.symlink_to(model_file("tiny"))
    running = start_server(
        directory,
        "--model",
        str(model),
        env={"UNDERSTUDY_LLAMACPP_THREADS": "1", "UNDERSTUDY_LLAMACPP_SLOTS": "8"},
    )
    yield running
    assert running.stop() == 0, running.printed()


@pytest.fixture
async def client(tiny: RunningServer) -> AsyncGenerator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=tiny.url, api_key=tiny.api_key, max_retries=0, default_headers={"anthropic-version": "2023-06-01"}
    ) as made:
        yield made


def asks(text: str) -> list[anthropic.types.MessageParam]:
    return [{"role": "user", "content": text}]


async def test_the_models_name_is_the_files_and_every_claude_id_leads_to_it(client: anthropic.AsyncAnthropic) -> None:
    for name in ("tiny", "claude-sonnet-4-5", "claude-opus-5"):
        raw = await client.messages.with_raw_response.create(model=name, max_tokens=4, messages=asks("Hi"))
        assert raw.headers["understudy-engine"] == "llamacpp/tiny"
        message = await raw.parse()
        assert message.stop_reason == "max_tokens"
        assert message.usage.output_tokens == 4
    with pytest.raises(anthropic.NotFoundError):
        await client.messages.create(model="simulator", max_tokens=4, messages=asks("Hi"))
    assert {"tiny", "claude-opus-5"} <= {model.id async for model in client.models.list(limit=100)}


async def test_a_stream_says_what_a_whole_answer_says(client: anthropic.AsyncAnthropic) -> None:
    arguments: dict[str, Any] = {
        "model": "tiny",
        "max_tokens": 40,
        "messages": asks("A tale, please."),
        "extra_body": {"temperature": 0},
    }
    whole = await client.messages.create(**arguments)
    async with client.messages.stream(**arguments) as events:
        streamed = await events.get_final_message()
    assert [block.to_dict()["text"] for block in streamed.content] == [
        block.to_dict()["text"] for block in whole.content
    ]
    assert streamed.usage.output_tokens == whole.usage.output_tokens == 40


async def test_a_forced_tool_is_called_with_valid_input_every_time(client: anthropic.AsyncAnthropic) -> None:
    valid = Draft202012Validator(SCHEMA)
    places = asyncio.Semaphore(8)

    async def one(number: int) -> str | None:
        async with places:
            message = await client.messages.create(
                model="tiny",
                max_tokens=400,
                tools=[TOOL],
                tool_choice={"type": "tool", "name": "get_weather"},
                messages=asks(f"The weather of place {number}?"),
            )
        calls = [block for block in message.content if block.type == "tool_use"]
        if message.stop_reason != "tool_use" or len(calls) != 1 or calls[0].name != "get_weather":
            return message.to_json()
        return next((str(error) for error in valid.iter_errors(cast("Any", calls[0].input))), None)

    assert [fault for fault in await asyncio.gather(*map(one, range(50))) if fault] == []


async def test_a_structured_output_is_valid_every_time(client: anthropic.AsyncAnthropic) -> None:
    valid = Draft202012Validator(SCHEMA)
    places = asyncio.Semaphore(8)

    async def one(number: int) -> str | None:
        async with places:
            message = await client.messages.create(
                model="tiny",
                max_tokens=400,
                output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
                messages=asks(f"The weather of place {number}?"),
            )
        text = "".join(block.text for block in message.content if block.type == "text")
        if message.stop_reason != "end_turn":
            return message.to_json()
        return next((str(error) for error in valid.iter_errors(json.loads(text))), None)

    assert [fault for fault in await asyncio.gather(*map(one, range(50))) if fault] == []


async def test_counted_tokens_are_those_that_are_used(client: anthropic.AsyncAnthropic) -> None:
    arguments: dict[str, Any] = {
        "model": "tiny",
        "system": "You tell the weather.",
        "tools": [TOOL],
        "messages": [
            *asks("The weather in Lima?"),
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}]},
        ],
    }
    counted = await client.messages.count_tokens(**arguments)
    message = await client.messages.create(**arguments, max_tokens=3)
    assert message.usage.input_tokens == counted.input_tokens
    async with client.messages.stream(**arguments, max_tokens=3) as events:
        async for event in events:
            if event.type == "message_start":
                assert event.message.usage.input_tokens == counted.input_tokens


async def test_what_is_read_from_the_cache_was_reused_by_the_engine(client: anthropic.AsyncAnthropic) -> None:
    system: Any = [{"type": "text", "text": "A long text of rules. " * 400, "cache_control": {"type": "ephemeral"}}]

    async def ask(text: str) -> anthropic.types.Usage:
        message = await client.messages.create(model="tiny", max_tokens=2, system=system, messages=asks(text))
        return message.usage

    first = await ask("One?")
    second = await ask("Two, then?")
    assert first.cache_read_input_tokens == 0
    written = first.cache_creation_input_tokens
    assert written is not None
    assert written > 1_000
    assert second.cache_read_input_tokens == written
    assert second.cache_creation_input_tokens == 0
    plain = await client.messages.count_tokens(model="tiny", system=system, messages=asks("Two, then?"))
    assert plain.input_tokens == second.input_tokens + written


async def test_eight_requests_at_once_are_faster_than_one_after_the_other(client: anthropic.AsyncAnthropic) -> None:
    async def one(number: int) -> None:
        message = await client.messages.create(model="tiny", max_tokens=150, messages=asks(f"Tale {number}"))
        assert message.usage.output_tokens == 150

    took: dict[str, float] = {}
    for way in ("together", "in sequence"):
        began = time.perf_counter()
        if way == "together":
            await asyncio.gather(*map(one, range(8)))
        else:
            for number in range(8):
                await one(number)
        took[way] = time.perf_counter() - began
    assert took["together"] < took["in sequence"]


async def test_a_prompt_beyond_the_context_is_the_apis_own_error(client: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: [0-9]+ tokens > [0-9]+ maximum"):
        await client.messages.create(model="tiny", max_tokens=5, messages=asks("word " * 60_000))
