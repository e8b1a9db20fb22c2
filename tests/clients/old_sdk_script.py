"""Runs under anthropic 0.125, in an environment of its own: makes calls and prints what came back as one JSON object.

Usage: python old_sdk_script.py URL KEY
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from typing import Any

import anthropic

MODEL = "claude-sonnet-4-5"
HELLO: Any = [{"role": "user", "content": "Hello, who are you?"}]
URL, KEY = sys.argv[1:]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def summary(message: Any) -> dict[str, Any]:
    return {
        "id": message.id,
        "model": message.model,
        "role": message.role,
        "text": text_of(message),
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "input_tokens": message.usage.input_tokens,
        "output_tokens": message.usage.output_tokens,
    }


def error_of(call: Any) -> dict[str, Any]:
    try:
        call()
    except anthropic.APIStatusError as error:
        return {
            "class": type(error).__name__,
            "status": error.status_code,
            "body": error.body,
            "request_id": error.request_id,
        }
    return {"class": None}


def sync_calls(client: anthropic.Anthropic) -> dict[str, Any]:
    def create(**changed: Any) -> Any:
        params: dict[str, Any] = {"model": MODEL, "max_tokens": 1024, "messages": HELLO, **changed}
        return client.messages.create(**params)

    plain = create()
    raw = client.messages.with_raw_response.create(model=MODEL, max_tokens=1024, messages=HELLO)
    with client.messages.stream(model=MODEL, max_tokens=1024, messages=HELLO) as stream:
        helper_text = "".join(stream.text_stream)
        helper = stream.get_final_message()
    half = create(stream=True)
    first = next(iter(half)).type
    half.close()
    wrong_key = client.with_options(api_key="not-a-key")
    legacy: Any = client  # today's SDK, whose types are at hand here, has no completions any more
    too_large = [{"role": "user", "content": "x" * (33 * 1024 * 1024)}]
    return {
        "plain": summary(plain),
        "plain_request_id": plain._request_id,
        "raw_headers": {name.lower(): value for name, value in raw.headers.items()},
        "raw_events": [event.type for event in create(stream=True)],
        "helper": summary(helper),
        "helper_text": helper_text,
        "max_tokens": summary(create(max_tokens=3)),
        "stop_sequence": summary(create(stop_sequences=["e"])),
        "sampling": summary(create(temperature=0.5, top_k=40)),
        "models": [model.model_dump(mode="json") for model in client.models.list(limit=5)],
        "model": client.models.retrieve("claude-haiku-4-5").id,
        "half_closed": {"first": first, "after": summary(create())},
        "errors": {
            "no_messages": error_of(lambda: create(messages=[])),
            "unknown_field": error_of(lambda: create(extra_body={"not_a_field": 1})),
            "wrong_key": error_of(lambda: wrong_key.messages.create(model=MODEL, max_tokens=16, messages=HELLO)),
            "unknown_model": error_of(lambda: create(model="no-such-model")),
            "too_large": error_of(lambda: create(messages=too_large)),
            "no_such_model": error_of(lambda: client.models.retrieve("no-such-model")),
            "completion": error_of(
                lambda: legacy.completions.create(model=MODEL, prompt="Hello", max_tokens_to_sample=16)
            ),
        },
    }


async def async_calls() -> dict[str, Any]:
    async with anthropic.AsyncAnthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60) as client:
        plain = await client.messages.create(model=MODEL, max_tokens=1024, messages=HELLO)
        async with client.messages.stream(model=MODEL, max_tokens=1024, messages=HELLO) as stream:
            text = "".join([piece async for piece in stream.text_stream])
            final = await stream.get_final_message()
    return {"plain": summary(plain), "helper": summary(final), "helper_text": text}


def main() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)
    with anthropic.Anthropic(base_url=URL, api_key=KEY, max_retries=0, timeout=60) as client:
        result = {"version": anthropic.__version__, "sync": sync_calls(client)}
    result["async"] = asyncio.run(async_calls())
    print(json.dumps(result))


main()
