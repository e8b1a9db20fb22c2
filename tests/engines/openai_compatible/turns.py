"""Turns for engines, and what comes of them, as tests of this engine write them."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

from understudy.engines.engine import (
    EngineEvent,
    EngineModel,
    EngineTurn,
    InputDelta,
    PromptUsage,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.engines.materials import NO_MATERIALS, Materials
from understudy.engines.openai_compatible.dialects import DIALECTS, Dialect
from understudy.engines.openai_compatible.engine import OpenAICompatibleEngine
from understudy.engines.openai_compatible.http import Timeouts

WEATHER: dict[str, Any] = {
    "name": "weather",
    "description": "Tells the weather.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
TIME: dict[str, Any] = {"name": "time", "input_schema": {"type": "object", "properties": {}}}


def request(*messages: Any, **more: Any) -> dict[str, Any]:
    given = list(messages) or [{"role": "user", "content": "hi"}]
    return {"model": "my-model", "max_tokens": 100, "messages": given, **more}


def turn(
    request_: dict[str, Any] | None = None,
    *,
    materials: Materials = NO_MATERIALS,
    max_tokens: int | None = None,
    thinking: str | None = None,
) -> EngineTurn:
    asked = request() if request_ is None else request_
    return EngineTurn(
        model=EngineModel(asked["model"], "up", "upstream-model"),
        request=asked,
        max_tokens=asked["max_tokens"] if max_tokens is None else max_tokens,
        input_tokens=10,
        thinking=thinking,
        materials=materials,
    )


def engine(url: str, dialect: Dialect = DIALECTS["generic"], **more: Any) -> OpenAICompatibleEngine:
    more.setdefault("timeouts", Timeouts(connect=1, first_byte=2, idle=2))
    return OpenAICompatibleEngine("up", url, dialect=dialect, **more)


async def events_of(engine_: OpenAICompatibleEngine, turn_: EngineTurn) -> list[EngineEvent]:
    """All events of one answer; the engine is closed behind it."""
    found: list[EngineEvent] = []
    try:
        async with aclosing(engine_.run(turn_)) as batches:
            async for batch in batches:
                found += batch
    finally:
        await engine_.close()
    return found


def told(events: list[EngineEvent]) -> list[tuple[str, ...]]:
    """Neighbours of one kind joined, without token counts: what a client would be left with."""
    found: list[tuple[str, ...]] = []
    for event in events:
        match event:
            case TextDelta(text):
                kind = "text"
            case ThinkingDelta(text):
                kind = "thinking"
            case InputDelta(text):
                kind = "input"
            case ToolUse(name, toolset):
                found.append(("call", name) if toolset is None else ("call", name, toolset))
                continue
            case Stop(reason):
                found.append(("stop", reason))
                continue
            case PromptUsage(prompt, cached):
                found.append(("prompt", str(prompt), str(cached)))
                continue
            case _:
                raise AssertionError(event)
        if found and found[-1][0] == kind:
            found[-1] = (kind, found[-1][1] + text)
        else:
            found.append((kind, text))
    return found
