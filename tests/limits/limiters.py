"""Limiters on a clock that only tests move."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from understudy.http.principal import Principal
from understudy.limits.buckets import Buckets
from understudy.limits.config import LimitsConfig
from understudy.limits.groups import Groups
from understudy.limits.limiter import Limiter
from understudy.limits.memory import MemoryBuckets
from understudy.limits.redis import RedisBuckets
from understudy.limits.snapshot import NO_OVERRIDES, Snapshot
from understudy.storage.redis import connect

# 2026-03-18T17:50:11Z
EPOCH = 1_773_856_211.0

MODEL = "claude-sonnet-4-5-20250929"


class Clock:
    """Milliseconds that stand still; `wall` is the time of day that goes with them."""

    def __init__(self) -> None:
        self.now = 1_000_000
        self.began = self.now

    def __call__(self) -> int:
        return self.now

    def wall(self) -> float:
        return EPOCH + (self.now - self.began) / 1000

    def wait(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class OpenBuckets(RedisBuckets):
    """Buckets in the Redis at `url`, with a client of their own."""

    def __init__(self, url: str, clock: Callable[[], int] | None = None, timeout: float = 5.0) -> None:
        self.client = connect(url, timeout)
        super().__init__(self.client, clock)

    async def close(self) -> None:
        await self.client.aclose()


class Overrides:
    def __init__(self, snapshot: Snapshot = NO_OVERRIDES) -> None:
        self.snapshot = snapshot


def caller(workspace: str | None = "wrkspc_a", key: str | None = "apikey_a", organization: str = "") -> Principal:
    return Principal(organization or str(uuid.UUID(int=7)), workspace, key)


class Bench:
    """A limiter, its clock and its store. `mode` is enforce unless a test says otherwise."""

    def __init__(
        self,
        snapshot: Snapshot = NO_OVERRIDES,
        *,
        store: Buckets | None = None,
        configured: tuple[str, ...] = (),
        **config: Any,
    ) -> None:
        self.clock = Clock()
        self.overrides = Overrides(snapshot)
        self.store: Buckets = MemoryBuckets(self.clock) if store is None else store
        values: dict[str, Any] = {"mode": "enforce", "table": "2026-01", "tier": "tier_1", **config}
        self.limiter = Limiter(
            LimitsConfig(**values),
            Groups(configured),
            self.overrides,
            self.store,
            clock=self.clock.wall,
            steady=self.clock,
        )


def headers_of(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    """By name, without `anthropic-ratelimit-`."""
    found = {name.decode(): value.decode() for name, value in pairs}
    assert len(found) == len(pairs)
    return {name.removeprefix("anthropic-ratelimit-"): value for name, value in found.items()}
