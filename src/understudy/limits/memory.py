"""Buckets in this process's memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

from understudy.limits.bucket import Bucket, charged, refilled, wait
from understudy.limits.buckets import Charge, Decision, Want

# Buckets beyond which those that are full are forgotten.
_MANY: Final = 10_000


def monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class MemoryBuckets:
    """Buckets of one process, on a clock that never goes back (milliseconds).

    `initial` tells how many parts a bucket begins with; without it every bucket begins full.
    """

    produce_interval = 0.0

    def __init__(self, clock: Callable[[], int] = monotonic_ms, initial: Callable[[Bucket], int] | None = None) -> None:
        self._clock = clock
        self._initial = initial
        self._states: dict[str, tuple[int, int, Bucket]] = {}
        self._many = _MANY

    async def take(self, wants: Sequence[Want], *, force: bool = False) -> Decision:
        now = self._clock()
        states = self._states
        levels: list[int] = []
        times: list[int] = []
        refused: tuple[int, ...] = ()
        longest: int | None = 0
        for of, _, need in wants:
            state = states.get(of.key)
            if state is None:
                level, at = self._untouched(of), now
            else:
                level, at = refilled(state[0], state[1], now, of)
                if now < state[1]:
                    # Also when nothing is taken: else it would wait for the time that was before.
                    states[of.key] = (level, at, of)
            need *= of.unit
            if level < need:
                refused = (*refused, len(levels))
                if longest is not None:
                    this = wait(level, at, now, need, of)
                    longest = None if this is None else max(longest, this)
            levels.append(level)
            times.append(at)
        if force or not refused:
            for place, (of, cost, _) in enumerate(wants):
                if cost:
                    levels[place] = level = charged(levels[place], cost * of.unit, of)
                    states[of.key] = (level, times[place], of)
            if len(states) > self._many:
                self._sweep(now)
        return Decision(not refused, refused, longest, tuple(levels))

    async def settle(self, charges: Sequence[Charge], *, late: bool = False) -> tuple[int, ...]:
        now = self._clock()
        levels: list[int] = []
        for of, cost in charges:
            level, at = self._read(of, now)
            level = charged(level, cost * of.unit, of)
            self._states[of.key] = (level, at, of)
            levels.append(level)
        return tuple(levels)

    async def peek(self, buckets: Sequence[Bucket]) -> tuple[int, ...]:
        now = self._clock()
        return tuple(self._read(of, now)[0] for of in buckets)

    def drain(self) -> list[tuple[Bucket, int]]:
        """Each bucket and the whole units it lacks against one that nobody took from. All are forgotten."""
        now = self._clock()
        lacking = [
            (of, (self._untouched(of) - self._read(of, now)[0]) // of.unit) for _, _, of in self._states.values()
        ]
        self._states.clear()
        return [(of, units) for of, units in lacking if units > 0]

    def _read(self, of: Bucket, now: int) -> tuple[int, int]:
        state = self._states.get(of.key)
        if state is None:
            return self._untouched(of), now
        return refilled(state[0], state[1], now, of)

    def _untouched(self, of: Bucket) -> int:
        return of.full if self._initial is None else self._initial(of)

    def _sweep(self, now: int) -> None:
        """A full bucket is as good as none. What is left over sets when to look again."""
        self._states = {
            key: state for key, state in self._states.items() if self._read(state[2], now)[0] < state[2].full
        }
        self._many = max(_MANY, 2 * len(self._states))
