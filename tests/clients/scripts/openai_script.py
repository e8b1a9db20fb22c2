"""The official OpenAI SDK on the same models: completions, streams, tools, parsed answers, and its error classes."""
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

import openai
from cases import ADA, KEY, MODEL, PARIS, URL, WEATHER, case, run_cases
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from pydantic import BaseModel, Field

PICTURE = (
    "data:image/png;base64,"
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Person(BaseModel):
    """A person."""

    name: str = Field(description="The whole name.")
    age: int = Field(ge=0)
    email: str


class GetWeather(BaseModel):
    """Look up the current weather of a city."""

    city: str


def sdk(**more: Any) -> OpenAI:
    return OpenAI(base_url=f"{URL}/v1", max_retries=0, timeout=60, **{"api_key": KEY, **more})


def user(content: Any) -> list[Any]:
    return [{"role": "user", "content": content}]


@case
def completion() -> Any:
    answer = sdk().chat.completions.create(
        model=MODEL,
        messages=[{"role": "developer", "content": "Be kind."}, *user("Say exactly: 'noon'")],
        temperature=1.5,
        seed=3,
        n=1,
    )
    (choice,) = answer.choices
    assert answer._request_id is not None
    assert answer.usage is not None
    return {
        "text": choice.message.content,
        "refusal": choice.message.refusal,
        "finish_reason": choice.finish_reason,
        "id": answer.id,
        "request_id": answer._request_id,
        "usage": answer.usage.model_dump(exclude_none=True),
    }


@case
def stream() -> Any:
    chunks = list(
        sdk().chat.completions.create(
            model=MODEL,
            messages=user("Count from 1 to 20."),
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    *rest, last = chunks
    return {
        "text": "".join(chunk.choices[0].delta.content or "" for chunk in rest),
        "pieces": len(rest),
        "finish_reason": rest[-1].choices[0].finish_reason,
        "ids": len({chunk.id for chunk in chunks}),
        "tokens": last.usage.total_tokens,
    }


@case
async def stream_of_events() -> Any:
    """The SDK's own accumulator, with a client that is asynchronous."""
    client = AsyncOpenAI(base_url=f"{URL}/v1", api_key=KEY, max_retries=0, timeout=60)
    async with client.chat.completions.stream(
        model=MODEL, messages=user(PARIS), tools=[pydantic_function_tool(GetWeather)]
    ) as events:
        kinds = [event.type async for event in events]
        final = await events.get_final_completion()
    (call,) = final.choices[0].message.tool_calls
    return {"kinds": sorted(set(kinds)), "city": call.function.parsed_arguments.city}


def _loop(**more: Any) -> Any:
    """The loop that every user of tools writes."""
    tools: Any = [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "description": "Look up the current weather of a city.",
                "parameters": GetWeather.model_json_schema(),
            },
        }
    ]
    messages = user("What is the weather in Paris and in Rome?")
    calls: list[Any] = []
    for _ in range(5):
        answer = sdk().chat.completions.create(model=MODEL, messages=messages, tools=tools, **more)
        message = answer.choices[0].message
        messages.append(message)
        if not message.tool_calls:
            return {"calls": calls, "text": message.content}
        for call in message.tool_calls:
            calls.append([call.function.name, json.loads(call.function.arguments)])
            messages.append({"role": "tool", "tool_call_id": call.id, "content": json.dumps(WEATHER)})
    return None


@case
def tool_loop() -> Any:
    return _loop()


@case
def tool_loop_one_at_a_time() -> Any:
    return _loop(parallel_tool_calls=False)


@case
def forced_tool() -> Any:
    answer = sdk().chat.completions.parse(
        model=MODEL,
        messages=user("Hello there"),
        tools=[pydantic_function_tool(GetWeather)],
        tool_choice={"type": "function", "function": {"name": "GetWeather"}},
    )
    (call,) = answer.choices[0].message.tool_calls
    return {"parsed": type(call.function.parsed_arguments).__name__, "reason": answer.choices[0].finish_reason}


@case
def parsed() -> Any:
    answer = sdk().chat.completions.parse(model=MODEL, messages=user(ADA), response_format=Person)
    return answer.choices[0].message.parsed.model_dump()


@case
def parsed_stream() -> Any:
    with sdk().chat.completions.stream(model=MODEL, messages=user(ADA), response_format=Person) as events:
        for _ in events:
            pass
        return events.get_final_completion().choices[0].message.parsed.model_dump()


@case
def picture() -> Any:
    parts = [
        {"type": "text", "text": "What is in the picture?"},
        {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}},
    ]
    answer = sdk().chat.completions.create(model=MODEL, messages=user(parts))
    return {"text": answer.choices[0].message.content, "tokens": answer.usage.prompt_tokens}


@case
def thinking() -> Any:
    answer = sdk().chat.completions.create(
        model=MODEL,
        messages=user("What is 17 * 23? Think first."),
        max_tokens=4000,
        extra_body={"thinking": {"type": "enabled", "budget_tokens": 2000}},
    )
    return answer.choices[0].message.content


@case
def cut() -> Any:
    answer = sdk().chat.completions.create(model=MODEL, messages=user("Write 90 words."), max_completion_tokens=5)
    return [answer.choices[0].finish_reason, answer.usage.completion_tokens]


@case
def stopped() -> Any:
    answer = sdk().chat.completions.create(model=MODEL, messages=user("Count from 1 to 20."), stop=["7", "\n"])
    return [answer.choices[0].finish_reason, answer.choices[0].message.content]


@case
def errors() -> Any:
    """Each class, with its status, and what an application sees of it."""
    hello: Any = {"model": MODEL, "messages": user("Hello")}
    asked: list[tuple[OpenAI, Any]] = [
        (sdk(api_key="sk-wrong"), hello),
        (sdk(), {**hello, "model": "gpt-9"}),
        (sdk(), {**hello, "n": 2}),
        (sdk(), {**hello, "messages": []}),
        (sdk(), {**hello, "stream": True, "max_tokens": 10_000_000}),
    ]
    seen: list[Any] = []
    for client, request in asked:
        try:
            client.chat.completions.create(**request)
            seen.append(None)
        except openai.APIStatusError as error:
            assert error.request_id
            seen.append([type(error).__name__, error.status_code, error.code, error.type, error.param])
    return seen


run_cases()
