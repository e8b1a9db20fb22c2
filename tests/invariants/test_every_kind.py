"""Invariants 1, 2, 4, 6, 9 and 16 over conversations that use everything a Message can hold.

Each example is a conversation that is really led: what was answered goes back, with results for its calls. Two servers
with the same keys answer each request, one as a stream and one whole, so that both have the same cache behind them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from asgi import InProcess
from generated import in_process
from streams import check_stream, parse_sse, without_ids
from understudy.messages.fold import Fold
from understudy.wire.client_tools import client_tools
from understudy.wire.known_bodies import KnownBodies
from whole_requests import ASKS, BY_NAME, rich_requests

ROUNDS = 3


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@given(request_=rich_requests(), asks=st.lists(st.sampled_from(ASKS), min_size=ROUNDS, max_size=ROUNDS))
@in_process
def test_conversations_keep_the_invariants(runner: asyncio.Runner, request_: dict[str, Any], asks: list[str]) -> None:
    runner.run(_converse(request_, asks))


async def _converse(request: dict[str, Any], asks: list[str]) -> None:
    # Both say the same although only one remembers what each conversation began with.
    streaming, whole = InProcess(bodies=KnownBodies(shortest=0)), InProcess()
    for ask in asks:
        message = await _answered(request, streaming, whole)
        if message["stop_reason"] == "refusal":
            return
        content = message["content"]
        messages = request["messages"]
        if content:
            messages = [*messages, {"role": "assistant", "content": content}]
        calls = [block for block in content if block["type"] == "tool_use"]
        said: list[dict[str, Any]] = [
            {"type": "tool_result", "tool_use_id": call["id"], "content": f"{place}: sunny"}
            for place, call in enumerate(calls)
        ]
        if message["stop_reason"] != "tool_use":
            said.append({"type": "text", "text": ask})
        request = {**request, "messages": [*messages, {"role": "user", "content": said}]}


async def _answered(request: dict[str, Any], streaming: InProcess, whole: InProcess) -> dict[str, Any]:
    counted = await whole.post(
        {name: value for name, value in request.items() if name not in {"max_tokens", "stop_sequences"}},
        "/v1/messages/count_tokens",
    )
    streamed = await streaming.post({**request, "stream": True})
    answered = await whole.post(request)
    # 4: what was answered is accepted when it comes back.
    assert (counted.status, streamed.status, answered.status) == (200, 200, 200), (
        counted.body,
        streamed.body[:2_000],
        answered.body,
    )
    events = parse_sse(streamed.body)
    check_stream(events)
    folded = Fold()
    folded.add_all(events)
    message = answered.json()
    # 2 and 16: the stream is the whole answer, signatures and usage included.
    assert without_ids(folded.message) == without_ids(message)
    assert list(folded.message) == list(message), "the keys' order differs"
    usage = message["usage"]
    parts = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    assert counted.json()["input_tokens"] == sum(usage[part] for part in parts) > 0
    assert sum(usage["cache_creation"].values()) == usage["cache_creation_input_tokens"]
    assert usage["output_tokens"] <= max(request["max_tokens"], 1)
    check_content(request, message)
    return message


def check_content(request: dict[str, Any], message: dict[str, Any]) -> None:
    calls = [block for block in message["content"] if block["type"] == "tool_use"]
    cut = message["stop_reason"] in {"max_tokens", "model_context_window_exceeded", "refusal"}
    choice: dict[str, Any] = request.get("tool_choice") or {"type": "auto" if request.get("tools") else "none"}
    if choice["type"] == "none":
        assert not calls
    if choice["type"] in {"any", "tool"} and not cut:
        assert calls
    if choice["type"] == "tool":
        assert all(call["name"] == choice["name"] for call in calls)
    if choice.get("disable_parallel_tool_use"):
        assert len(calls) <= 1
    tools = {tool.name: tool for tool in client_tools(request.get("tools") or [])}
    for call in calls:
        assert call["name"] in BY_NAME
        if not cut:
            Draft202012Validator(tools[call["name"]].input_schema).validate(call["input"])
    schema = (request.get("output_config") or {}).get("format")
    if schema and not cut and not calls and message["stop_reason"] == "end_turn":
        (text,) = [block["text"] for block in message["content"] if block["type"] == "text"]
        Draft202012Validator(schema["schema"]).validate(json.loads(text))
