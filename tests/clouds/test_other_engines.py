"""Engines of another nature behind this route, and requests that are large."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from clouds.chat import HELLO, Chat, accumulate, check_completion, check_error, chunks_of, said
from clouds.chat_requests import TOOLS
from engines.openai_compatible.turns import engine
from fake_openai import call, calls, chunk, fake_openai, refused, stream, texts, usage

ASKED: dict[str, Any] = {**HELLO, "model": "public", "tools": TOOLS}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


async def test_openai_s_dialect_comes_out_as_it_went_in() -> None:
    """Calls that the upstream interleaves come one after the other; cached tokens are told."""
    reply = stream(
        *texts("Let me ", "look."),
        calls(call(0, "call_a", "get_weather", '{"city":'), call(1, "call_b", "ping", "")),
        calls(call(1, arguments="{}"), call(0, arguments=' "Rome"}')),
        chunk(finish_reason="tool_calls"),
        chunk(usage=usage(30, 9, cached=20)),
    )
    async with fake_openai(reply) as fake:
        asked = engine(fake.url)
        api = Chat(asked)
        whole = check_completion(await api.chat({**ASKED, "temperature": 0.5}))
        streamed = accumulate(chunks_of((await api.chat({**STREAMED, "temperature": 0.5})).body))
        await asked.close()
    assert said(streamed) == said(whole)
    message = said(whole)
    assert message["content"] == "Let me look."
    assert message["calls"] == [("get_weather", {"city": "Rome"}), ("ping", {})]
    assert message["finish_reason"] == "tool_calls"
    assert message["usage"]["prompt_tokens_details"] == {"cached_tokens": 20}
    assert (message["usage"]["prompt_tokens"], message["usage"]["completion_tokens"]) == (30, 9)
    body = fake.bodies[0]
    assert body["messages"] == HELLO["messages"]
    assert [tool["function"]["name"] for tool in body["tools"]] == ["get_weather", "ping", "add-note"]
    assert body["temperature"] == 0.5


async def test_an_upstream_s_refusal_is_told_in_the_same_form() -> None:
    reply = refused(429, {"error": {"message": "slow", "type": "requests", "code": "x"}}, retry_after="3")
    async with fake_openai(reply) as fake:
        asked = engine(fake.url)
        answer = await Chat(asked).chat(STREAMED)
        await asked.close()
    assert check_error(answer, 429)["code"] == "rate_limit_error"
    assert answer.headers["retry-after"] == "3"


async def test_a_large_request_leaves_others_their_turns() -> None:
    api = Chat()
    message = {"role": "user", "content": [{"type": "text", "text": "a"}] * 20_000}
    body = json.dumps({**HELLO, "messages": [message] * 4}).encode()
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            longest = max(longest, time.perf_counter() - began)

    watching = asyncio.create_task(watch())
    check_completion(await api.chat(body))
    watching.cancel()
    # Its parsing alone takes some 30 ms, here as on the native route.
    assert longest < 0.5
