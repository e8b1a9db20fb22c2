"""A Claude upstream among other targets: bytes pass where they can, and events come where they cannot."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asgi import InProcess
from engines.claude.answers import Say, engine_to
from engines.claude.gateway import Gateway
from engines.claude.test_forwarding import say_error, say_stream
from engines.routing.engines import Scripted
from fake_claude import FakeClaude, fake_claude
from streams import check_stream, parse_sse
from understudy.engines.claude import ClaudeEngine
from understudy.engines.engine import EngineModel
from understudy.engines.routing import Backend, Chain, Mapped, MappedTarget, RoutedEngine, Routing, Target
from understudy.wire.errors import OverloadedError

STREAM: dict[str, Any] = {
    "model": "public",
    "max_tokens": 60,
    "messages": [{"role": "user", "content": "Hello"}],
    "stream": True,
}


@asynccontextmanager
async def gateway_to(say: Say, *before: Scripted) -> AsyncGenerator[tuple[Gateway, FakeClaude]]:
    """A gateway whose last target is an upstream that takes both, bytes and turns."""
    with fake_claude(say) as fake:
        gateway = Gateway({"up": fake.url}, [("up", "up-model", 1)])
        upstream = gateway.upstreams["up"]
        backends = {"up": Backend(ClaudeEngine("up", upstream), upstream)}
        backends |= {engine.name: Backend(engine) for engine in before}
        targets = [MappedTarget(engine.name, "m") for engine in before] + [MappedTarget("up", "up-model", 0)]
        gateway.routing = Routing(None, mapped=[Mapped("public", tuple(targets))], backends=backends)
        try:
            yield gateway, fake
        finally:
            await gateway.close()


async def test_a_way_that_nobody_has_begun_goes_by_events() -> None:
    async with engine_to(say_stream) as (engine, _):
        chain = Chain("public", [Target(EngineModel("public", "up", "up-model"), engine, engine.upstream)])
        api = InProcess(RoutedEngine(chain), names=["public"])
        answer = await api.post(STREAM)
    events = parse_sse(answer.body)
    check_stream(events)
    # An answer of this server's own.
    assert events[0]["message"]["id"] != "msg_up"
    assert api.records.kept[0].engine == "up"
    assert (events[-2]["usage"]["output_tokens"], events[-1]["type"]) == (42, "message_stop")


async def test_messages_pass_byte_by_byte_all_the_same() -> None:
    async with gateway_to(say_stream) as (gateway, _):
        events = parse_sse((await gateway.post(STREAM)).body)
    assert events[0]["message"]["id"] == "msg_up"


async def test_bytes_pass_also_where_an_engine_has_failed_before() -> None:
    async with gateway_to(say_stream, Scripted("broken", OverloadedError())) as (gateway, fake):
        events = parse_sse((await gateway.post(STREAM)).body)
    assert events[0]["message"]["id"] == "msg_up"
    assert len(fake.asked) == 1


@pytest.mark.parametrize("status", [429, 529])
async def test_what_the_upstream_refuses_sends_the_request_on_or_back(status: int) -> None:
    kind = "rate_limit_error" if status == 429 else "overloaded_error"
    async with engine_to(say_error(status, kind, "retry-after: 7")) as (engine, _):
        first = Target(EngineModel("public", "up", "up-model"), engine, engine.upstream)
        spare = Target(EngineModel("public", "spare", "m"), Scripted("spare"), weight=0)
        answer = await InProcess(RoutedEngine(Chain("public", [first, spare])), names=["public"]).post(STREAM)
    if status == 429:
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
    else:
        assert parse_sse(answer.body)[-1]["type"] == "message_stop"
