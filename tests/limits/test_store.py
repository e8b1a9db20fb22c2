from __future__ import annotations

import subprocess
import sys

from limits.limiters import MODEL, Bench, caller
from understudy.limits.away import SharedBuckets
from understudy.limits.memory import MemoryBuckets
from understudy.limits.store import open_buckets
from understudy.storage.redis import connect


def test_without_redis_buckets_are_in_memory() -> None:
    assert isinstance(open_buckets(None, "open", 1), MemoryBuckets)


async def test_with_redis_they_are_there(redis_url: str) -> None:
    redis = connect(redis_url, 2.0)
    store = open_buckets(redis, "closed", 1)
    who = caller(organization="by-url")
    assert len((await Bench(store=store).limiter.begin(who, model=MODEL)).headers) == 12
    assert isinstance(store, SharedBuckets)
    assert not store.away
    assert await redis.keys("understudy:limits:{by-url}:*")
    await redis.aclose()


def test_who_limits_in_memory_does_not_import_redis() -> None:
    program = "import sys, understudy.limits.limiter, understudy.limits.store; print('redis' in sys.modules)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "False"
