"""Where an installation keeps its buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from understudy.limits.away import SharedBuckets, WhenAway
from understudy.limits.buckets import Buckets
from understudy.limits.memory import MemoryBuckets

if TYPE_CHECKING:
    from redis.asyncio import Redis


def open_buckets(redis: Redis | None, when_away: WhenAway, replicas: int) -> Buckets:
    """Buckets in Redis, or in this process's memory where there is none. Who made the client closes it.

    `replicas`: server processes that share the limits.
    """
    if redis is None:
        return MemoryBuckets()
    from understudy.limits.redis import RedisBuckets

    return SharedBuckets(RedisBuckets(redis), when_away, replicas)
