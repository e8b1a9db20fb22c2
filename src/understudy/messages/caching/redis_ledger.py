"""The ledger in Redis, for several server processes. It takes the extra `redis`."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from redis.asyncio import Redis

from understudy.messages.caching.hashes import WORKSPACE_BYTES
from understudy.messages.caching.ledger import MOST_ENTRIES, MOST_VALUES, Entry, Ledger
from understudy.storage.redis import AWAY, Script

_SCRIPT: Final = Script(Path(__file__).with_name("ledger.lua").read_bytes())
_PREFIX: Final = "understudy:cache:"

_log = logging.getLogger(__name__)


class RedisLedger(Ledger):
    """In one Redis, the same as in memory for everyone who shares it, and bounded for each workspace.

    Every call is one step of Redis, and touches two keys that begin with the workspace in braces: a cluster has both
    on one node. How long something lives is measured by Redis's own clock, so the clocks of the servers need not agree;
    `clock`, in seconds, only tells how long ago a request began. `redis_clock`, in milliseconds, replaces that of Redis
    for tests.

    While Redis does not answer nothing is found and nothing is written, and requests go on. It is left alone for
    `pause` seconds; then one request tries it again. The log says once that it is away, and once that it is back.
    """

    def __init__(
        self,
        redis: Redis,
        clock: Callable[[], float],
        *,
        most_entries: int = MOST_ENTRIES,
        most_values: int = MOST_VALUES,
        pause: float = 1.0,
        redis_clock: Callable[[], int] | None = None,
    ) -> None:
        self._redis = redis
        self._clock = clock
        self._most_entries = most_entries
        self._most_values = most_values
        self._pause = pause
        self._redis_clock = redis_clock
        self._away_until: float | None = None

    async def look(self, keys: Sequence[bytes], *, renew: bool = True) -> Entry | None:
        if not keys:
            return None
        answer = await self._ask(
            "entries", keys[0], "look" if renew else "find", [key[WORKSPACE_BYTES:] for key in keys]
        )
        if answer is None:
            return None
        place, value = answer
        tokens, ttl = value.split()
        return Entry(keys[place], int(tokens), int(ttl))

    async def write(self, entries: Sequence[Entry], since: float) -> None:
        if not entries:
            return
        age = max(0, round((self._clock() - since) * 1000))
        arguments: list[bytes | int] = [self._most_entries, age]
        for key, tokens, ttl in entries:
            arguments += (key[WORKSPACE_BYTES:], tokens, ttl)
        await self._ask("entries", entries[0].key, "write", arguments)

    async def keep(self, key: bytes, value: bytes, ttl: int) -> None:
        await self._ask("values", key, "keep", [self._most_values, key[WORKSPACE_BYTES:], value, ttl])

    async def kept(self, key: bytes) -> bytes | None:
        return await self._ask("values", key, "kept", [key[WORKSPACE_BYTES:]])

    async def _ask(self, what: str, key: bytes, op: str, arguments: Sequence[bytes | int]) -> Any:
        if self._away_until is not None:
            if time.monotonic() < self._away_until:
                return None
            # Others go on without until this one knows.
            self._away_until = time.monotonic() + self._pause
        front = f"{_PREFIX}{{{key[:WORKSPACE_BYTES].hex()}}}:{what}"
        now = -1 if self._redis_clock is None else self._redis_clock()
        try:
            answer = await _SCRIPT.run(self._redis, [f"{front}:ends", front], [now, op, *arguments])
        except AWAY as error:
            if self._away_until is None:
                _log.warning("the shared prompt cache does not answer (%s): nothing is cached", type(error).__name__)
            self._away_until = time.monotonic() + self._pause
            return None
        if self._away_until is not None:
            self._away_until = None
            _log.warning("the shared prompt cache is back")
        return answer
