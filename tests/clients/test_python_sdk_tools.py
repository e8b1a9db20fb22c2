"""The official Python SDK's helpers for tools, JSON schemas, thinking and streams, over a real socket."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool
from anthropic.types import Message, MessageParam, ToolParam
from anthropic.types.beta import BetaMessage
from pydantic import BaseModel

pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")

MODELS = ["claude-sonnet-4-5", "claude-opus-5-5"]
MODEL = MODELS[0]

WEATHER_TOOL: ToolParam = {
    "name": "get_weather",
    "description": "Look up the current weather of a city.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "description": "The city's name."}},
        "required": ["city"],
    },
}
PARIS: list[MessageParam] = [{"role": "user", "content": "What is the weather in Paris?"}]


class Person(BaseModel):
    name: str
    age: int
    email: str


def weather_of(city: str) -> str:
    return json.dumps({"city": city, "temperature": 18, "condition": "light rain"})


def beta_text(message: BetaMessage) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@pytest.mark.parametrize("model", MODELS)
def test_the_tool_runner_calls_the_function_and_ends_with_its_result(client: Anthropic, model: str) -> None:
    called: list[str] = []

    @beta_tool
    def get_weather(city: str) -> str:
        """Look up the current weather of a city.

        Args:
            city: The city's name.
        """
        called.append(city)
        return weather_of(city)

    runner = client.beta.messages.tool_runner(
        model=model,
        max_tokens=1024,
        tools=[get_weather],
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    )
    messages = list(runner)
    assert [message.stop_reason for message in messages] == ["tool_use", "end_turn"]
    assert called == ["Paris"]
    assert "light rain" in beta_text(messages[-1])


def test_the_tool_runner_streams_each_turn(client: Anthropic) -> None:
    called: list[tuple[float, float]] = []

    @beta_tool
    def multiply(a: float, b: float) -> str:
        """Multiply two numbers.

        Args:
            a: The first number.
            b: The second number.
        """
        called.append((a, b))
        return str(a * b)

    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=1024,
        tools=[multiply],
        messages=[{"role": "user", "content": "Use the multiply tool to multiply 12.5 and 4."}],
        stream=True,
    )
    stops: list[str | None] = []
    text = ""
    for stream in runner:
        for event in stream:
            if event.type == "text":
                text += event.text
        stops.append(stream.get_final_message().stop_reason)
    assert stops == ["tool_use", "end_turn"]
    assert called == [(12.5, 4)]
    assert "50" in text


async def test_the_async_tool_runner_calls_tools_beside_one_another(async_client: AsyncAnthropic) -> None:
    called: list[str] = []

    @beta_async_tool
    async def get_weather(city: str) -> str:
        """Look up the current weather of a city.

        Args:
            city: The city's name.
        """
        called.append(city)
        return weather_of(city)

    runner = async_client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=1024,
        tools=[get_weather],
        messages=[{"role": "user", "content": "Compare the weather in Oslo and in Rome."}],
    )
    last = await runner.until_done()
    assert Counter(called) == Counter(["Oslo", "Rome"])
    assert last.stop_reason == "end_turn"


def test_a_tool_that_fails_gives_its_error_to_the_model(client: Anthropic) -> None:
    @beta_tool
    def get_weather(city: str) -> str:
        """Look up the current weather of a city.

        Args:
            city: The city's name.
        """
        raise RuntimeError(f"the station of {city} is silent")

    runner = client.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=1024,
        tools=[get_weather],
        max_iterations=5,
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    )
    last = runner.until_done()
    assert last.stop_reason == "end_turn"
    assert beta_text(last).strip()


@pytest.mark.parametrize("model", MODELS)
def test_parse_fills_a_pydantic_model(client: Anthropic, model: str) -> None:
    message = client.messages.parse(
        model=model,
        max_tokens=1024,
        messages=[{"role": "user", "content": "Extract: Ada Lovelace is 36 years old, mail ada@example.com"}],
        output_format=Person,
    )
    assert message.stop_reason == "end_turn"
    assert message.parsed_output == Person(name="Ada Lovelace", age=36, email="ada@example.com")


async def test_async_parse_fills_a_pydantic_model(async_client: AsyncAnthropic) -> None:
    message = await async_client.messages.parse(
        model=MODEL,
        max_tokens=1024,
        messages=[{"role": "user", "content": "Extract: Ada Lovelace is 36 years old, mail ada@example.com"}],
        output_format=Person,
    )
    assert isinstance(message.parsed_output, Person)


def test_a_stream_fills_a_pydantic_model(client: Anthropic) -> None:
    with client.messages.stream(
        model=MODEL,
        max_tokens=1024,
        messages=[{"role": "user", "content": "Extract: Ada Lovelace is 36 years old, mail ada@example.com"}],
        output_format=Person,
    ) as stream:
        partial = [event.parsed_snapshot() for event in stream if event.type == "text"]
        message = stream.get_final_message()
    assert isinstance(message.parsed_output, Person)
    assert partial[-1] == message.parsed_output.model_dump()


@pytest.mark.parametrize("model", MODELS)
def test_the_stream_helper_gives_thinking_then_the_call(client: Anthropic, model: str) -> None:
    with client.messages.stream(**thinking_params(model), messages=PARIS) as stream:
        events = list(stream)
        message = stream.get_final_message()
    check_thinking_and_call(message)
    thinking, call = message.content[0], message.content[-1]
    assert thinking.type == "thinking"
    assert "".join(event.thinking for event in events if event.type == "thinking") == thinking.thinking
    assert [event.signature for event in events if event.type == "signature"] == [thinking.signature]
    inputs = [event for event in events if event.type == "input_json"]
    assert call.type == "tool_use"
    assert json.loads("".join(event.partial_json for event in inputs)) == inputs[-1].snapshot == call.input


async def test_the_async_stream_helper_gives_thinking_then_the_call(async_client: AsyncAnthropic) -> None:
    async with async_client.messages.stream(**thinking_params(MODEL), messages=PARIS) as stream:
        check_thinking_and_call(await stream.get_final_message())


@pytest.mark.parametrize("model", MODELS)
def test_signed_thinking_goes_back_beside_the_result(client: Anthropic, model: str) -> None:
    params = thinking_params(model)
    first = client.messages.create(**params, messages=PARIS)
    check_thinking_and_call(first)
    call = first.content[-1]
    assert call.type == "tool_use"
    answer: list[MessageParam] = [
        *PARIS,
        {"role": "assistant", "content": first.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": call.id, "content": weather_of("Paris")}],
        },
    ]
    with client.messages.stream(**params, messages=answer) as stream:
        text = "".join(stream.text_stream)
        last = stream.get_final_message()
    assert last.stop_reason == "end_turn"
    assert "light rain" in text


@pytest.mark.parametrize("stream", [False, True])
def test_a_forced_tool_is_called_once(client: Anthropic, stream: bool) -> None:
    params: dict[str, Any] = {
        "model": MODEL,
        "max_tokens": 1024,
        "tools": [WEATHER_TOOL],
        "tool_choice": {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True},
        "messages": [{"role": "user", "content": "Good morning"}],
    }
    if stream:
        with client.messages.stream(**params) as events:
            message = events.get_final_message()
    else:
        message = client.messages.create(**params)
    assert message.stop_reason == "tool_use"
    assert [block.name for block in message.content if block.type == "tool_use"] == ["get_weather"]


def thinking_params(model: str) -> dict[str, Any]:
    thinking: dict[str, Any] = (
        {"type": "adaptive", "display": "summarized"}
        if model == "claude-opus-5-5"
        else {"type": "enabled", "budget_tokens": 2000}
    )
    return {"model": model, "max_tokens": 4000, "thinking": thinking, "tools": [WEATHER_TOOL]}


def check_thinking_and_call(message: Message) -> None:
    assert message.stop_reason == "tool_use"
    thinking, call = message.content[0], message.content[-1]
    assert thinking.type == "thinking"
    assert thinking.thinking.strip()
    assert thinking.signature
    assert call.type == "tool_use"
    assert (call.name, call.input) == ("get_weather", {"city": "Paris"})
