"""The simulator as an engine: composes an answer, cuts it into tokens, and delivers it at the configured speed."""

from __future__ import annotations

import asyncio
import functools
import hashlib
from array import array
from collections.abc import AsyncGenerator
from typing import Any, Final

from understudy.engines.engine import EngineEvent, EngineTurn, Stop, TextDelta
from understudy.engines.simulator.answers import compose
from understudy.engines.simulator.reading import read
from understudy.engines.simulator.seeded import Seeded, seed_of
from understudy.settings import SimulatorSettings
from understudy.tokens.tokenizer import decode, encode, split

# Tokens in one delta for each value of a random byte. Recorded streams of 2026 have deltas of 9 characters in the
# median, 30 at the ninth decile; o200k tokens of English are 4 to 5 characters long.
_DELTA_TOKENS: Final = bytes((1, 1, 2, 2, 2, 2, 3, 3, 4, 7)[byte * 10 >> 8] for byte in range(256))
# Deltas handed over together when nothing slows the simulator down.
_BATCH: Final = 64


class SimulatorEngine:
    name = "simulator"

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        settings = self._settings
        seeded = functools.partial(_seeded, turn.request, settings.seed)
        paced = settings.tokens_per_second > 0
        pace = seeded() if paced or settings.time_to_first_token > 0 else None
        if pace is not None and settings.time_to_first_token > 0:
            await asyncio.sleep(self._varied(settings.time_to_first_token, pace))
        text = compose(read(turn.request), seeded)
        tokens = encode(text)
        stop = Stop("end_turn", max(len(tokens), 1))
        if len(tokens) > turn.max_tokens:
            tokens = tokens[: turn.max_tokens]
            text = decode(tokens)
            stop = Stop("max_tokens", turn.max_tokens)
        if turn.whole and not paced:
            yield [TextDelta(text, len(tokens)), stop]
            return
        yield []
        batch: list[EngineEvent] = []
        for piece, count in split(tokens, _sizes(tokens)):
            if pace is not None and paced:
                await asyncio.sleep(self._varied(count / settings.tokens_per_second, pace))
            batch.append(TextDelta(piece, count))
            if paced or len(batch) >= _BATCH:
                yield batch
                batch = []
                if not paced:
                    await asyncio.sleep(0)
        batch.append(stop)
        yield batch

    def _varied(self, seconds: float, pace: Seeded) -> float:
        return seconds * (1 + self._settings.jitter * (2 * pace.share() - 1))


def _seeded(request: dict[str, Any], seed: int) -> Seeded:
    return Seeded(seed_of(request, seed))


def _sizes(tokens: array[int]) -> bytes:
    """Sizes of deltas, in tokens; the beginning of an answer is always cut alike, however long it is."""
    return hashlib.blake2b(tokens[:4].tobytes()).digest().translate(_DELTA_TOKENS)
