"""Engines that do as they are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from understudy.engines.engine import EngineEvent, EngineModel, EngineTurn, Stop, TextDelta


@dataclass
class Scripted:
    """Waits, then raises `error`, or says its name; with `breaks` it raises that after the first batch."""

    name: str
    error: Exception | None = None
    breaks: Exception | None = None
    seconds: float = 0.0
    asked: int = 0
    running: int = 0
    most: int = 0
    models: list[str] = field(default_factory=list[str])

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        self.asked += 1
        self.running += 1
        self.most = max(self.most, self.running)
        self.models.append(turn.model.upstream)
        try:
            await asyncio.sleep(self.seconds)
            if self.error is not None:
                raise self.error
            yield [TextDelta(self.name, 1)]
            if self.breaks is not None:
                raise self.breaks
            yield [Stop("end_turn", 1)]
        finally:
            self.running -= 1


def a_turn() -> EngineTurn:
    return EngineTurn(EngineModel("public", "nobody", "nobody"), {"messages": []}, max_tokens=10, input_tokens=1)
