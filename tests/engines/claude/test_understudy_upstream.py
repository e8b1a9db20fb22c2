"""The official SDK through a gateway to a second Understudy, compared with the SDK at that second one's own port."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Generator
from typing import Any

import pytest
from anthropic import Anthropic, APIStatusError, beta_tool

from asgi import KEY
from engines.claude.gateway import Gateway
from servers import RunningServer
from streams import check_stream, parse_sse
from understudy.http.record import RequestRecord

MODEL = "claude-opus-5-5"


class Both:
    """`through` goes by the gateway, `direct` does not."""

    def __init__(self, gateway: Gateway, url: str, server: RunningServer) -> None:
        self.gateway = gateway
        self.through = Anthropic(base_url=url, api_key=KEY, max_retries=0, timeout=30)
        self.direct = Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=30)

    def record(self, request_id: str | None) -> RequestRecord:
        """What was recorded of a request, which is a moment after it was answered."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            for record in reversed(self.gateway.records.kept):
                if record.request_id == request_id:
                    return record
            time.sleep(0.005)
        raise AssertionError(f"no record of {request_id}")


@pytest.fixture(scope="module")
def both(server: RunningServer) -> Generator[Both]:
    gateway = Gateway({"second": server.url}, [("second", "*", 1)], ["*"], api_key=server.api_key, auth="bearer")
    with gateway.listening() as url:
        clients = Both(gateway, url, server)
        with clients.through, clients.direct:
            yield clients


def same(value: Any) -> Any:
    """Without what differs from one answer to the next: ids, and signatures, which are bound to them."""
    text = value if isinstance(value, str) else json.dumps(value.to_dict(), sort_keys=True)
    text = re.sub(r"\b(msg|toolu|req)_[0-9A-Za-z]+", r"\1_", text)
    return re.sub(r'"signature": ?"[^"]*"', '"signature":""', text)


REQUESTS: dict[str, dict[str, Any]] = {
    "text": {"messages": [{"role": "user", "content": "Tell me of the sea."}]},
    "tool": {
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [
            {
                "name": "get_weather",
                "input_schema": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}, "model": {"type": "string"}},
                    "required": ["city", "model"],
                },
            }
        ],
        "tool_choice": {"type": "auto"},
    },
    "cached": {
        "system": [{"type": "text", "text": "Be kind. " * 900, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": "Hello"}],
    },
}


@pytest.mark.parametrize("name", REQUESTS)
def test_whole_answers_are_the_same_and_so_is_their_usage(both: Both, name: str) -> None:
    request: Any = {"model": MODEL, "max_tokens": 300, **REQUESTS[name]}
    both.direct.messages.create(**request)
    direct, through = both.direct.messages.create(**request), both.through.messages.create(**request)
    assert same(through) == same(direct)
    record, usage = both.record(through._request_id), through.usage
    assert record.input_tokens == usage.input_tokens and record.output_tokens == usage.output_tokens
    assert record.cache_read_input_tokens == usage.cache_read_input_tokens
    assert (record.message_id, record.stop_reason) == (through.id, through.stop_reason)
    assert record.engine == "second" and record.upstream_model == MODEL


@pytest.mark.parametrize("name", REQUESTS)
def test_streams_are_the_same(both: Both, name: str) -> None:
    request: Any = {"model": MODEL, "max_tokens": 300, "stream": True, **REQUESTS[name]}
    both.direct.messages.with_raw_response.create(**request).http_response.read()
    bodies: list[str] = []
    for client in (both.direct, both.through):
        with client.messages.with_streaming_response.create(**request) as response:
            bodies.append(response.read().decode())
            assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert same(bodies[1]) == same(bodies[0])
    check_stream(parse_sse(bodies[1].encode()))


def test_the_streaming_helper_and_the_final_message_agree(both: Both) -> None:
    with both.through.messages.stream(
        model=MODEL, max_tokens=200, messages=[{"role": "user", "content": "Tell me of the sea."}]
    ) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
        record = both.record(stream.response.headers["request-id"])
    assert text == "".join(block.text for block in final.content if block.type == "text") != ""
    assert record.output_tokens == final.usage.output_tokens


def test_the_tool_runner_ends_with_the_tools_result(both: Both) -> None:
    called: list[str] = []

    @beta_tool
    def get_weather(city: str) -> str:
        """Look up the weather of a city.

        Args:
            city: The city's name.
        """
        called.append(city)
        return json.dumps({"city": city, "temperature": 18})

    runner = both.through.beta.messages.tool_runner(
        model=MODEL,
        max_tokens=500,
        tools=[get_weather],
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
    )
    final = runner.until_done()
    assert called and final.stop_reason == "end_turn"


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_that_the_upstream_signed_goes_back_to_it(both: Both, stream: bool) -> None:
    request: Any = {
        "model": MODEL,
        "max_tokens": 2_000,
        "thinking": {"type": "adaptive", "display": "summarized"},
        **{name: REQUESTS["tool"][name] for name in ("messages", "tools")},
    }
    if stream:
        with both.through.messages.stream(**request) as events:
            first = events.get_final_message()
    else:
        first = both.through.messages.create(**request)
    thinking = [block for block in first.content if block.type == "thinking"]
    assert thinking and thinking[0].signature
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "18 degrees"}
        for block in first.content
        if block.type == "tool_use"
    ]
    turns: Any = [
        *request["messages"],
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results or "And then?"},
    ]
    request["messages"] = turns
    assert both.through.messages.create(**request).stop_reason is not None
    tampered = [block.to_dict() for block in first.content]
    for block in tampered:
        if block["type"] == "thinking":
            block["thinking"] = "something else"
    turns[1] = {"role": "assistant", "content": tampered}
    with pytest.raises(APIStatusError, match="Invalid `signature` in `thinking` block"):
        both.through.messages.create(**request)


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": [{"role": "nobody", "content": "x"}]},
        {"messages": [], "max_tokens": 0},
        {"messages": [{"role": "user", "content": "x"}], "extra_body": {"not_a_field": 1}},
        {"messages": [{"role": "user", "content": "x"}], "model": "no-such-model"},
    ],
)
def test_errors_are_the_upstreams_under_our_request_id(both: Both, wrong: dict[str, Any]) -> None:
    request: Any = {"model": MODEL, "max_tokens": 10, **wrong}
    caught: list[APIStatusError] = []
    for client in (both.direct, both.through):
        with pytest.raises(APIStatusError) as error:
            client.messages.create(**request)
        caught.append(error.value)
    direct, through = caught
    assert type(through) is type(direct) and through.status_code == direct.status_code
    bodies: list[Any] = [direct.body, through.body]
    assert bodies[1]["error"] == bodies[0]["error"]
    assert bodies[1]["request_id"] == through.request_id != direct.request_id
    assert both.record(through.request_id).error_type == bodies[1]["error"]["type"]


def test_counts_are_the_same(both: Both) -> None:
    request: Any = {"model": MODEL, **{name: REQUESTS["tool"][name] for name in ("messages", "tools")}}
    assert both.through.messages.count_tokens(**request) == both.direct.messages.count_tokens(**request)


def test_betas_that_open_fields_pass(both: Both) -> None:
    message = both.through.beta.messages.create(
        model=MODEL,
        max_tokens=50,
        messages=[{"role": "user", "content": "Hello"}],
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert message.context_management is not None
