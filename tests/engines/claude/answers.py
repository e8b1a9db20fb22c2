"""ClaudeEngine in front of an upstream that says what a test wrote down."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from engines.claude.gateway import UPSTREAM_KEY
from fake_claude import START, FakeClaude, Talk, fake_claude, frame
from understudy.engines.claude import ClaudeEngine, ClaudeSettings, ClaudeUpstream
from understudy.engines.engine import EngineEvent, EngineTurn

Json = dict[str, Any]
Say = Callable[[Talk], None]


def block(index: int, content_block: Json, *deltas: Json) -> list[Json]:
    """A block's events."""
    return [
        {"type": "content_block_start", "index": index, "content_block": content_block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(*pieces: str, index: int = 0, **more: Any) -> list[Json]:
    deltas = [{"type": "text_delta", "text": piece} for piece in pieces]
    return block(index, {**more, "type": "text", "text": ""}, *deltas)


def call(name: str, *pieces: str, index: int = 0, **more: Any) -> list[Json]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, {"type": "tool_use", "id": "toolu_same", "name": name, "input": {}, **more}, *deltas)


def end(reason: str | None = "end_turn", output_tokens: Any = 7, **more: Any) -> list[Json]:
    delta = {"stop_reason": reason, "stop_sequence": None, **more}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": output_tokens}},
        {"type": "message_stop"},
    ]


def says(events: Iterable[Json | bytes]) -> Say:
    """A stream of these events, whole."""
    pieces = [event if isinstance(event, bytes) else frame(event) for event in events]

    def say(talk: Talk) -> None:
        talk.begin()
        for piece in pieces:
            talk.chunk(piece)
        talk.end()

    return say


def streams(*parts: list[Json]) -> Say:
    """The same behind a message_start."""
    return says([START, *(event for part in parts for event in part)])


@asynccontextmanager
async def engine_to(say: Say, **settings: Any) -> AsyncGenerator[tuple[ClaudeEngine, FakeClaude]]:
    with fake_claude(say) as fake:
        upstream = ClaudeUpstream("up", ClaudeSettings(fake.url, UPSTREAM_KEY, **settings))
        try:
            yield ClaudeEngine("up", upstream), fake
        finally:
            await upstream.close()


async def events_of(engine: ClaudeEngine, turn: EngineTurn) -> list[EngineEvent]:
    found: list[EngineEvent] = []
    async with aclosing(engine.run(turn)) as batches:
        async for batch in batches:
            found += batch
    return found


async def answer(say: Say, turn: EngineTurn, **settings: Any) -> list[EngineEvent]:
    async with engine_to(say, **settings) as (engine, _):
        return await events_of(engine, turn)


def body_of(fake: FakeClaude) -> Json:
    return json.loads(fake.asked[-1].body)
