"""Buckets in Redis, for several server processes: one script decides over all buckets of a request at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from redis.asyncio import Redis

from understudy.limits.bucket import MINUTE, Bucket
from understudy.limits.buckets import BucketsAwayError, Charge, Decision, Want
from understudy.storage.redis import AWAY, Script

_SCRIPT: Final = Script(Path(__file__).with_name("buckets.lua").read_bytes())
_PREFIX: Final = "understudy:limits:"
_LOST: Final = ":lost"

# Buckets of one call when they are only looked at.
_AT_ONCE: Final = 200

# Organizations that are remembered as known; more than any installation has.
_MOST_KNOWN: Final = 10_000


class RedisBuckets:
    """Buckets in one Redis, by a client that repeats nothing by itself (storage/redis.py). `clock` replaces the
    server's own clock, in milliseconds, for tests.

    Keys of buckets begin with their organization in braces, which keeps a request's keys on one node of a cluster.
    A Redis that was emptied while it was in use does not give everybody a full bucket: buckets of up to a minute then
    begin empty, longer ones full.
    """

    produce_interval = 0.25

    def __init__(self, redis: Redis, clock: Callable[[], int] | None = None) -> None:
        self._redis = redis
        self._clock = clock
        self._known: set[str] = set()

    async def take(self, wants: Sequence[Want], *, force: bool = False) -> Decision:
        if not wants:
            return Decision(True, (), 0, ())
        enough, longest, levels, refused = await self._run("force" if force else "take", wants)
        return Decision(bool(enough), tuple(refused), None if longest < 0 else longest, tuple(levels))

    async def settle(self, charges: Sequence[Charge], *, late: bool = False) -> tuple[int, ...]:
        if not charges:
            return ()
        _, _, levels, _ = await self._run("late" if late else "force", [(of, cost, 0) for of, cost in charges])
        return tuple(levels)

    async def peek(self, buckets: Sequence[Bucket]) -> tuple[int, ...]:
        found: list[int] = []
        for start in range(0, len(buckets), _AT_ONCE):
            _, _, levels, _ = await self._run("peek", [(of, 0, 0) for of in buckets[start : start + _AT_ONCE]])
            found += levels
        return tuple(found)

    async def _run(self, op: str, wants: Sequence[Want]) -> tuple[int, int, list[int], list[int]]:
        first = wants[0][0].key
        lost = first[: first.index("}") + 1] + _LOST
        keys: list[str] = []
        arguments: list[str | int] = [
            -1 if self._clock is None else self._clock(),
            op,
            "1" if lost in self._known else "0",
        ]
        for of, cost, need in wants:
            keys.append(_PREFIX + of.key)
            unit = of.unit
            short = 1 if of.period <= MINUTE else 0
            arguments += (of.limit, of.tick, of.full, of.floor, cost * unit, need * unit, short)
        keys.append(_PREFIX + lost)
        try:
            answer: tuple[int, int, list[int], list[int]] = await _SCRIPT.run(self._redis, keys, arguments)
        except AWAY as error:
            raise BucketsAwayError(type(error).__name__) from error
        if len(self._known) < _MOST_KNOWN:
            self._known.add(lost)
        return answer
