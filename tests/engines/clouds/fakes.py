"""Clouds that say what a test wants them to, and a gateway in front of them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from engines.claude.gateway import Gateway
from fake_claude import EVENTS, MESSAGE, FakeClaude, Talk, fake_claude, frame
from understudy.engines.bedrock import BedrockSettings, BedrockUpstream
from understudy.engines.claude import Upstream
from understudy.engines.vertex import VertexSettings, VertexUpstream
from understudy.wire.event_stream import encode_chunk

BEDROCK_KEY = "a-bedrock-key-of-the-operator"
PATIENCE = {"first_byte_timeout": 5.0, "idle_timeout": 5.0}
VERTEX_TOKEN = "ya29.token-of-the-operator"
MODEL = "claude-haiku-4-5"

REQUEST: dict[str, Any] = {"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**REQUEST, "stream": True}

METRICS = {"inputTokenCount": 11, "outputTokenCount": 42, "invocationLatency": 9, "firstByteLatency": 3}
# As Bedrock has them: no pings, and its own figures at the end.
BEDROCK_EVENTS = [
    {**event, "amazon-bedrock-invocationMetrics": METRICS} if event["type"] == "message_stop" else event
    for event in EVENTS
    if event["type"] != "ping"
]
FRAMES = [encode_chunk(json.dumps(event).encode()) for event in BEDROCK_EVENTS]


def begin_frames(talk: Talk) -> None:
    head = ["HTTP/1.1 200 OK", "transfer-encoding: chunked", "x-amzn-requestid: of-aws"]
    talk.send("\r\n".join([*head, "content-type: application/vnd.amazon.eventstream", "", ""]).encode())


def say_frames(*frames: bytes, size: int = 1 << 20, end: bool = True) -> Callable[[Talk], None]:
    """A stream of Bedrock's, in pieces of `size` bytes."""
    whole = b"".join(frames or FRAMES)

    def say(talk: Talk) -> None:
        begin_frames(talk)
        for start in range(0, len(whole), size):
            talk.chunk(whole[start : start + size])
        if end:
            talk.end()

    return say


def say_json(value: Any, status: int = 200, *lines: str) -> Callable[[Talk], None]:
    return lambda talk: talk.whole(status, json.dumps(value).encode(), "x-amzn-requestid: of-aws", *lines)


def say_whole(talk: Talk) -> None:
    say_json(MESSAGE)(talk)


def say_events(talk: Talk) -> None:
    talk.begin()
    for event in EVENTS:
        talk.chunk(frame(event))
    talk.end()


def bedrock(url: str, **more: Any) -> BedrockUpstream:
    settings: dict[str, Any] = {"region": "us-east-1", "api_key": BEDROCK_KEY, **PATIENCE, **more}
    return BedrockUpstream("aws", BedrockSettings(base_url=url, **settings))


def vertex(url: str, **more: Any) -> VertexUpstream:
    settings: dict[str, Any] = {"token": VERTEX_TOKEN, "project": "a-project", **PATIENCE, **more}
    return VertexUpstream("google", VertexSettings("us-east5", base_url=url, **settings))


@asynccontextmanager
async def in_front_of(
    *clouds: Upstream, simulator: bool = False, names: Sequence[str] = (MODEL,), **more: Any
) -> AsyncGenerator[Gateway]:
    """The models `names` go to `clouds` one after the other, and at last to the simulator."""
    targets = [(cloud.name, "*", 0 if place else 1) for place, cloud in enumerate(clouds)]
    if simulator:
        targets.append(("simulator", "*", 0))
    gateway = Gateway({}, targets, names, clouds=clouds, **more)
    try:
        yield gateway
    finally:
        await gateway.close()


@asynccontextmanager
async def through(
    cloud: Callable[..., Upstream], say: Callable[[Talk], None], **more: Any
) -> AsyncGenerator[tuple[Gateway, FakeClaude]]:
    with fake_claude(say) as fake:
        async with in_front_of(cloud(fake.url, **more)) as gateway:
            yield gateway, fake
