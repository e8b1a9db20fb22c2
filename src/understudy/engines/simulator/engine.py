"""The simulator as an engine: plans an answer, cuts it into tokens, and delivers it at the configured speed."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator
from importlib import import_module
from itertools import islice
from typing import Final

from understudy.engines.engine import EngineEvent, EngineTurn, Stop
from understudy.engines.simulator.delivery import deliver, text_events
from understudy.engines.simulator.parts import Text
from understudy.engines.simulator.plan import chooses, plan
from understudy.engines.simulator.seeded import Seeded, seed_of
from understudy.settings import SimulatorSettings

# Events handed over together when nothing slows the simulator down.
_BATCH: Final = 64


class SimulatorEngine:
    name = "simulator"

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._loaded = False

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        settings = self._settings
        seeded = functools.partial(_seeded, turn, settings.seed)
        paced = settings.tokens_per_second > 0
        pace = seeded() if paced or settings.time_to_first_token > 0 else None
        if pace is not None and settings.time_to_first_token > 0:
            await asyncio.sleep(self._varied(settings.time_to_first_token, pace))
        if not turn.max_tokens:
            # The prompt was read, and the cache written: that is all that was asked.
            yield [Stop("max_tokens", 0)]
            return
        if not self._loaded and chooses(turn.request):
            # A tenth of a second's work, once: others go on meanwhile.
            await asyncio.to_thread(import_module, "understudy.engines.simulator.calling")
            self._loaded = True
        parts = plan(turn, seeded)
        whole = turn.whole and not paced
        if whole and len(parts) == 1 and isinstance(parts[0], Text) and parts[0].citation is None:
            yield text_events(parts[0].text, turn.max_tokens)
            return
        thinking = turn.request.get("thinking")
        budget = None if thinking is None else thinking.get("budget_tokens")
        events = deliver(parts, turn.max_tokens, budget, whole=whole)
        if whole:
            yield list(events)
            return
        yield []
        if not paced or pace is None:
            while batch := list(islice(events, _BATCH)):
                yield batch
                if len(batch) == _BATCH:
                    await asyncio.sleep(0)
            return
        for event in events:
            tokens: int = getattr(event, "tokens", 0)
            if tokens:
                await asyncio.sleep(self._varied(tokens / settings.tokens_per_second, pace))
            yield [event]

    def _varied(self, seconds: float, pace: Seeded) -> float:
        return seconds * (1 + self._settings.jitter * (2 * pace.share() - 1))


def _seeded(turn: EngineTurn, seed: int) -> Seeded:
    return Seeded(seed_of(turn.request, seed, turn.tenant))
