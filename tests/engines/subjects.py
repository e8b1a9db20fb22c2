"""What engines are tried with and how they are held: the requests, the API around an engine, a client that goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from asgi import Answer, InProcess
from engines.routing.engines import Scripted
from engines.wire import Wire
from streams import check_stream, parse_sse, without_ids, without_signatures
from understudy.engines.engine import Engine, EngineEvent, EngineTurn, counts
from understudy.http.envelope import Envelope
from understudy.messages.fold import Fold
from whole_requests import BY_NAME

Json: TypeAlias = dict[str, Any]

NEW, OLD = "claude-opus-5-5", "claude-sonnet-4-5"
WEATHER, REMINDER, EMAIL = (BY_NAME[name] for name in ("get_weather", "create_reminder", "send_email"))
SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "mood": {"enum": ["good", "bad"]}, "many": {"type": "integer"}},
    "required": ["city", "mood", "many"],
    "additionalProperties": False,
}
ASK = "What's the weather in Paris and in Rome?"
WHY = "Why is the sky blue? Think step by step."
PARTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def asking(text: str = "Tell me of harbours. 😀", model: str = NEW, **more: Any) -> Json:
    return {"model": model, "max_tokens": 400, "messages": [{"role": "user", "content": text}], **more}


SITUATIONS: dict[str, Json] = {
    "text": asking(),
    "a system prompt": asking(system="Speak like a sailor."),
    "one token": asking(max_tokens=1),
    "a few tokens": asking(max_tokens=4),
    "a stop sequence": asking(stop_sequences=["e", "o"]),
    "a conversation": asking(
        messages=[
            {"role": "user", "content": "My name is Ada."},
            {"role": "assistant", "content": "Hello, Ada."},
            {"role": "user", "content": "What is my name?"},
        ]
    ),
    "a document": asking(
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "document",
                        "source": {"type": "text", "media_type": "text/plain", "data": "Harbours are old. " * 9},
                    },
                    {"type": "text", "text": "What does it say about harbours?"},
                ],
            }
        ]
    ),
    "tools": asking(ASK, tools=[WEATHER, REMINDER]),
    "tools that may not be called": asking(ASK, tools=[WEATHER], tool_choice={"type": "none"}),
    "one call": asking(ASK, tools=[WEATHER, REMINDER], tool_choice={"type": "auto", "disable_parallel_tool_use": True}),
    "thinking": asking(WHY, thinking={"type": "adaptive", "display": "summarized"}),
    "thinking that is not shown": asking(WHY, thinking={"type": "adaptive", "display": "omitted"}),
    "thinking and tools": asking(
        ASK, OLD, tools=[WEATHER], max_tokens=2_000, thinking={"type": "enabled", "budget_tokens": 1_024}
    ),
    "some tool": asking(ASK, OLD, tools=[WEATHER, EMAIL], tool_choice={"type": "any"}),
    "one tool": asking(ASK, OLD, tools=[WEATHER, EMAIL], tool_choice={"type": "tool", "name": "send_email"}),
    "a form": asking(model=OLD, output_config={"format": {"type": "json_schema", "schema": SCHEMA}}),
}


@dataclass(frozen=True)
class Can:
    """What an engine says it can do. `same`: the same request gets the same answer. `calls`: without being forced, the
    model calls a tool that fits. `forced`, `formatted`: a call, and a form of the answer, can be forced.
    `told_thinking`: how many tokens were thinking is known, and not estimated by the pieces in which it came."""

    counting: Literal["exact", "estimate"] = "exact"
    same: bool = True
    calls: bool = True
    forced: bool = True
    formatted: bool = True
    thinks: bool = True
    told_thinking: bool = True


@dataclass
class Subject:
    """A running engine with the API in front of it. `given` is all that it, or its upstream, was asked, as text.

    `wire` is the connection to its upstream, where it has one.
    """

    engine: Engine
    wire: Wire | None = None
    watched: Watched = field(init=False)
    api: InProcess = field(init=False)

    def __post_init__(self) -> None:
        engine = self.engine
        self.watched = WatchedCounting(engine) if counts(self.engine) else Watched(engine)
        self.api = InProcess(self.watched)

    @property
    def given(self) -> str:
        if self.wire is not None:
            return self.wire.sent.decode("utf-8", "replace")
        return json.dumps([turn.request for turn in self.watched.turns])

    def forget(self) -> None:
        """Forget what was given."""
        self.watched.turns.clear()
        if self.wire is not None:
            self.wire.sent.clear()

    async def post(self, request: Json) -> Answer:
        return await self.api.post(request)

    async def streamed(self, request: Json) -> tuple[list[Json], Json]:
        """The checked events of a stream, and the Message they fold to."""
        answer = await self.api.post({**request, "stream": True})
        assert answer.status == 200, answer.body
        events = parse_sse(answer.body)
        check_stream(events)
        assert events[-1]["type"] == "message_stop", events[-1]
        folded = Fold()
        folded.add_all(events)
        return events, folded.message


class Watched:
    """Remembers what an engine was asked, and how many of its answers are under way."""

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self.engine = engine
        self.turns: list[EngineTurn] = []
        self.under_way = 0

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        self.turns.append(turn)
        self.under_way += 1
        try:
            async with aclosing(self.engine.run(turn)) as batches:
                async for batch in batches:
                    yield batch
        finally:
            self.under_way -= 1


class WatchedCounting(Watched):
    """The same of an engine that counts."""

    async def count(self, turn: EngineTurn) -> int | None:
        assert counts(self.engine)
        return await self.engine.count(turn)


class Leaving:
    """The client goes as soon as `pieces` of its answer's body have come. `left_at` is when (the loop's clock)."""

    def __init__(self, app: Envelope, pieces: int) -> None:
        self.app = app
        self.pieces = pieces
        self.left_at = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        gone = asyncio.Event()
        asked = False

        async def receive_or_leave() -> Any:
            nonlocal asked
            if not asked:
                message = await receive()
                asked = not message["more_body"]
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send_and_count(message: Any) -> None:
            await send(message)
            self.pieces -= message["type"] == "http.response.body"
            if self.pieces == 0 and not gone.is_set():
                self.left_at = asyncio.get_running_loop().time()
                gone.set()

        await self.app(scope, receive_or_leave, send_and_count)


def comparable(message: Json) -> Json:
    """A Message without what differs from one answer to the next."""
    return without_signatures(without_ids(message))


def uncached(value: Any) -> Any:
    """Without cache_control: whether a prompt is in a cache depends on what was asked before."""
    if isinstance(value, dict):
        return {name: uncached(part) for name, part in value.items() if name != "cache_control"}
    return [uncached(part) for part in value] if isinstance(value, list) else value


def answered_back(request: Json, message: Json) -> Json:
    """The next request of the conversation: with the answer, results for its calls, and one more question."""
    results: list[Json] = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "18 degrees, sunny"}
        for block in message["content"]
        if block["type"] == "tool_use"
    ]
    said = [{"role": "assistant", "content": message["content"]}] if message["content"] else []
    follow = results or [{"type": "text", "text": "And then?"}]
    return {**request, "messages": [*request["messages"], *said, {"role": "user", "content": follow}]}


async def turn_of(request: Json) -> EngineTurn:
    """What an engine is asked for `request`."""
    watched = Watched(Scripted("asked"))
    await InProcess(watched).post(request)
    return watched.turns[0]
