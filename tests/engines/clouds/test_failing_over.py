"""One model's way from the API to Bedrock, to Vertex AI, to a model of our own."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Any

import pytest

from engines.claude.gateway import Gateway
from engines.clouds.fakes import (
    FRAMES,
    MODEL,
    REQUEST,
    STREAM,
    bedrock,
    begin_frames,
    say_events,
    say_frames,
    say_json,
    say_whole,
    vertex,
)
from fake_claude import FakeClaude, Talk, error, fake_claude, hang_up
from streams import parse_sse
from understudy.engines.claude import ClaudeSettings, ClaudeUpstream

Say = Callable[[Talk], None]


def die(talk: Talk) -> None:
    hang_up()


@asynccontextmanager
async def all_three(api: Say, aws: Say, google: Say, **more: Any) -> AsyncGenerator[tuple[Gateway, list[FakeClaude]]]:
    with ExitStack() as stack:
        fakes = [stack.enter_context(fake_claude(say)) for say in (api, aws, google)]
        clouds = [ClaudeUpstream("api", ClaudeSettings(fakes[0].url, "k")), bedrock(fakes[1].url), vertex(fakes[2].url)]
        targets = [("api", "*", 1), ("aws", "*", 0), ("google", "*", 0), ("simulator", "*", 0)]
        gateway = Gateway({}, targets, [MODEL], clouds=clouds, **more)
        try:
            yield gateway, fakes
        finally:
            await gateway.close()


@pytest.mark.parametrize("request_", [REQUEST, STREAM])
@pytest.mark.parametrize("dead", range(4))
async def test_whoever_dies_before_its_first_byte_the_next_answers(dead: int, request_: dict[str, Any]) -> None:
    streamed = "stream" in request_
    alive = (say_events, say_frames(), say_events) if streamed else (say_whole,) * 3
    says = [die if place < dead else alive[place] for place in range(3)]
    async with all_three(*says) as (gateway, fakes):
        answer = await gateway.post(request_)
    assert answer.status == 200, answer.body
    message = parse_sse(answer.body)[0]["message"] if streamed else answer.json()
    assert message["model"] == "claude-haiku-4-5-20251001"
    assert (message["id"] == "msg_up") == (dead < 3)
    assert gateway.records.kept[0].engine == ("api", "aws", "google", "simulator")[dead]
    assert [len(fake.asked) > 0 for fake in fakes] == [place <= dead for place in range(3)]


OVERLOADED = {
    "bedrock": (die, say_json({"message": "x"}, 503, "x-amzn-errortype: ServiceUnavailableException"), say_whole),
    "vertex": (
        die,
        say_json({"message": "x"}, 500, "x-amzn-errortype: InternalServerException"),
        say_json({"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}, 503),
    ),
    "the api": (say_json(error("overloaded_error"), 529), say_whole, say_whole),
}


@pytest.mark.parametrize("name", OVERLOADED)
async def test_a_cloud_that_is_busy_or_broken_sends_the_request_on(name: str) -> None:
    async with all_three(*OVERLOADED[name]) as (gateway, _):
        answer = await gateway.post(REQUEST)
    assert answer.status == 200
    assert gateway.records.kept[0].engine == {"bedrock": "google", "vertex": "simulator", "the api": "aws"}[name]


async def test_what_a_cloud_refuses_is_the_answer() -> None:
    throttled = say_json({"message": "Too many tokens."}, 429, "x-amzn-errortype: ThrottlingException")
    async with all_three(die, throttled, say_whole) as (gateway, fakes):
        answer = await gateway.post(REQUEST)
    assert (answer.status, answer.json()["error"]["type"]) == (429, "rate_limit_error")
    assert answer.headers["understudy-engine"].startswith("aws/") and not fakes[2].asked


async def test_after_the_first_event_nobody_else_is_asked() -> None:
    def half(talk: Talk) -> None:
        begin_frames(talk)
        talk.chunk(b"".join(FRAMES[:3]))
        hang_up()

    async with all_three(die, half, say_events) as (gateway, fakes):
        answer = await gateway.post(STREAM)
    events = parse_sse(answer.body)
    assert [events[0]["type"], events[-1]["type"]] == ["message_start", "error"]
    assert not fakes[2].asked
    assert gateway.records.kept[0].engine == "aws"


async def test_an_exception_before_the_first_event_sends_the_request_on() -> None:
    from understudy.wire.event_stream import encode_exception

    exception = say_frames(encode_exception("serviceUnavailableException", b'{"message":"x"}'))
    async with all_three(die, exception, say_events) as (gateway, _):
        answer = await gateway.post(STREAM)
    assert answer.status == 200 and gateway.records.kept[0].engine == "google"
