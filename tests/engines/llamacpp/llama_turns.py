"""Engines over real workers, turns for them, and what comes of both."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from engines.openai_compatible.turns import told
from tests.gguf.models import model_file, scripted_model
from understudy.engines.engine import EngineEvent, EngineModel, EngineTurn, InputDelta, PromptUsage, Stop
from understudy.engines.llamacpp.engine import LlamaEngine
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings
from understudy.engines.materials import NO_MATERIALS, Materials

__all__ = ["events_of", "llama", "prompt_usage", "scripted_model", "stop_of", "tiny", "told", "turn"]

CITY: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 8}, "days": {"type": "integer", "minimum": 0, "maximum": 9}},
    "required": ["city", "days"],
}
WEATHER: dict[str, Any] = {"name": "get_weather", "description": "Tells the weather.", "input_schema": CITY}
TIME: dict[str, Any] = {"name": "time", "input_schema": {"type": "object", "properties": {}}}


def tiny() -> Path:
    return model_file("tiny")


@asynccontextmanager
async def llama(model: Path, **settings: Any) -> AsyncGenerator[LlamaEngine]:
    """An engine over a worker of its own, which is stopped at the end."""
    settings = {"n_ctx": 8192, "n_threads": 1, "cache_ram_mib": 0, "warmup": False, **settings}
    worker = LlamaWorker(WorkerSettings(model=model, **settings))
    await worker.start()
    try:
        yield LlamaEngine("llama", worker)
    finally:
        await worker.stop()


def turn(
    *messages: Any, thinking: str | None = None, materials: Materials = NO_MATERIALS, max_tokens: int = 60, **more: Any
) -> EngineTurn:
    given = list(messages) or [{"role": "user", "content": "hi"}]
    request = {"model": "my-model", "max_tokens": max_tokens, "messages": given, **more}
    return EngineTurn(
        model=EngineModel("my-model", "llama", "tiny"),
        request=request,
        max_tokens=max_tokens,
        input_tokens=10,
        stop_sequences=more.get("stop_sequences") or [],
        thinking=thinking,
        materials=materials,
    )


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


async def events_of(engine: LlamaEngine, asked: EngineTurn) -> list[EngineEvent]:
    found: list[EngineEvent] = []
    async with aclosing(engine.run(asked)) as batches:
        async for batch in batches:
            found += batch
    return found


async def answer(engine: LlamaEngine, asked: EngineTurn) -> list[tuple[str, ...]]:
    """What a client would be left with, without the prompt's usage."""
    return told(await events_of(engine, asked))[1:]


def prompt_usage(events: list[EngineEvent]) -> PromptUsage:
    found = [event for event in events if isinstance(event, PromptUsage)]
    assert len(found) == 1
    assert events[0] is found[0]
    return found[0]


def stop_of(events: list[EngineEvent]) -> Stop:
    last = events[-1]
    assert isinstance(last, Stop)
    # What the events bear is what is paid for.
    borne = sum(getattr(event, "tokens", 0) for event in events)
    assert borne <= max(last.output_tokens, 1)
    return last


def input_of(events: list[EngineEvent]) -> str:
    return "".join([event.partial_json for event in events if isinstance(event, InputDelta)])
