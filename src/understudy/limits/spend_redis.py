"""Counters of money in Redis, for several server processes."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from understudy.limits.spend_counters import Begin, Held, SpendAwayError, UnseededError
from understudy.storage.redis import AWAY, Script

_SCRIPT: Final = Script(Path(__file__).with_name("spend.lua").read_bytes())
_PREFIX: Final = "understudy:spend:"

HOLD: Final = 3_600_000
"""Milliseconds after which a hold is given up for lost: its server has died. A request that takes longer is still
charged when it ends."""

_LIFE: Final = 40 * 86_400_000  # longer than a month; one that is gone is seeded from the database
_AT_ONCE: Final = 500
_PAUSE: Final = 1.0  # seconds
_MOST_ENDED: Final = 100_000  # holds beyond these are given up for lost like a dead server's


class RedisCounters:
    """`redis` is a client that never waits long and repeats nothing by itself (storage.redis.connect).

    One that did not answer is left alone for a second, in which nobody waits for it. What a request has spent that
    began or ended meanwhile is not told later: whether Redis has heard it all the same is not known, and the database
    will have it. Only what the request held is let go, by `catch_up`.
    """

    is_local = False

    def __init__(self, redis: Redis, hold: int = HOLD) -> None:
        self._redis = redis
        self._hold = hold
        self._away_until = 0.0
        self._is_behind = False
        # Of requests that have ended, and may still be held in Redis.
        self._ended: dict[str, Held] = {}

    @property
    def is_behind(self) -> bool:
        return self._is_behind

    async def begin(self, wanted: Begin, *, force: bool = False) -> Held:
        if self._is_away():
            self._is_behind = True
            raise SpendAwayError
        names = [_PREFIX + key for key in wanted.keys]
        member = "|".join((secrets.token_hex(12), str(wanted.estimate), *names))
        bounds = ["" if bound is None else str(bound) for bound in wanted.bounds]
        arguments = ("begin", member, wanted.estimate, self._hold, "1" if force else "0", _LIFE, *bounds)
        try:
            admitted, *levels = await self._run([_holds(wanted.keys[0]), *names], arguments)
        except (SpendAwayError, asyncio.CancelledError):
            self._remember(Held(member, wanted.keys, wanted.estimate, (), False))
            raise
        if admitted < 0:
            raise UnseededError
        return Held(member, wanted.keys, wanted.estimate, tuple(map(int, levels)), bool(admitted))

    async def settle(self, held: Held, spent: int) -> None:
        keys = [_holds(held.keys[0]), *(_PREFIX + key for key in held.keys)]
        try:
            await self._run(keys, ("settle", held.id, held.estimate, spent))
        except SpendAwayError:
            self._remember(held)
            raise

    async def seed(self, spent: Mapping[str, int]) -> None:
        for keys in _parts(list(spent)):
            names = [_PREFIX + key for key in keys]
            await self._run([_holds(keys[0]), *names], ("seed", _LIFE, *(spent[key] for key in keys)))

    async def spent(self, keys: Sequence[str]) -> list[int]:
        found: dict[str, int] = {}
        for part in _parts(keys):
            answer = await self._run([_holds(part[0]), *(_PREFIX + key for key in part)], ("spent",))
            found.update(zip(part, map(int, answer), strict=True))
        return [found[key] for key in keys]

    async def catch_up(self) -> None:
        self._is_behind = False
        while self._ended:
            _, held = self._ended.popitem()
            # What fails is remembered once more.
            await self.settle(held, 0)

    async def close(self) -> None:
        await self._redis.aclose()

    def _is_away(self) -> bool:
        return time.monotonic() < self._away_until

    def _remember(self, held: Held) -> None:
        self._is_behind = True
        if len(self._ended) < _MOST_ENDED:
            self._ended[held.id] = held

    async def _run(self, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        if self._is_away():
            raise SpendAwayError
        try:
            return await _SCRIPT.run(self._redis, keys, arguments)
        except AWAY as error:
            self._away_until = time.monotonic() + _PAUSE
            raise SpendAwayError(type(error).__name__) from error


def _holds(key: str) -> str:
    return f"{_PREFIX}{key[: key.index('}') + 1]}:holds"


def _parts(keys: Sequence[str]) -> list[list[str]]:
    """Keys of one organization each, and not too many."""
    by_organization: dict[str, list[str]] = defaultdict(list)
    for key in keys:
        by_organization[key[: key.index("}")]].append(key)
    return [
        of_one[start : start + _AT_ONCE]
        for of_one in by_organization.values()
        for start in range(0, len(of_one), _AT_ONCE)
    ]
