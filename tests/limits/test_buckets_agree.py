"""Memory and Redis are one bucket: whatever is asked of both, in whatever order and at whatever times."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from generated import over_socket
from limits.limiters import Clock, OpenBuckets
from understudy.limits.bucket import DAY, MINUTE, bucket
from understudy.limits.memory import MemoryBuckets

_names = itertools.count()

limits = st.one_of(st.integers(0, 60), st.integers(1, 20_000_000))
places = st.integers(0, 3)
units = st.one_of(st.integers(0, 70), st.integers(0, 1 << 31))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.one_of(st.integers(0, 3_000), st.integers(-4_000_000, 90_000_000))),
        st.tuples(st.sampled_from(["take", "force"]), st.dictionaries(places, st.tuples(units, units), min_size=1)),
        st.tuples(
            st.just("settle"),
            st.dictionaries(places, st.integers(-(1 << 31), 1 << 31) | st.integers(-70, 70), min_size=1),
        ),
        st.tuples(st.just("peek"), st.none()),
        # A limit is raised or lowered.
        st.tuples(st.just("limit"), limits),
    ),
    max_size=25,
)


@given(
    given_limits=st.lists(limits, min_size=4, max_size=4),
    burst=st.sampled_from([1.0, 1 / 60]),
    steps=steps,
)
@settings(over_socket, max_examples=over_socket.max_examples * 3)
def test_memory_and_redis_give_the_same_answers(
    redis_url: str, given_limits: list[int], burst: float, steps: list[tuple[str, Any]]
) -> None:
    async def both() -> None:
        clock = Clock()
        name = f"{{agree-{next(_names)}}}"
        buckets = [
            bucket(f"{name}:{place}", limit, (MINUTE, MINUTE, DAY, 1)[place], burst)
            for place, limit in enumerate(given_limits)
        ]
        memory, redis = MemoryBuckets(clock), OpenBuckets(redis_url, clock)
        try:
            for step, what in steps:
                if step == "wait":
                    clock.now = max(0, clock.now + what)
                elif step == "limit":
                    buckets[0] = bucket(buckets[0].key, what, MINUTE, burst)
                elif step == "settle":
                    charges = [(buckets[place], cost) for place, cost in what.items()]
                    assert await memory.settle(charges) == await redis.settle(charges)
                elif step == "peek":
                    assert await memory.peek(buckets) == await redis.peek(buckets)
                else:
                    wants = [(buckets[place], cost, need) for place, (cost, need) in what.items()]
                    force = step == "force"
                    assert await memory.take(wants, force=force) == await redis.take(wants, force=force)
        finally:
            await redis.close()

    asyncio.run(both())


async def test_redis_goes_by_its_own_clock(redis_url: str) -> None:
    redis = OpenBuckets(redis_url)
    of = bucket("{own-clock}:b", 60_000)
    await redis.settle([(of, 60_000)])
    before = (await redis.peek([of]))[0]
    await asyncio.sleep(0.05)
    gained = ((await redis.peek([of]))[0] - before) / of.unit
    await redis.close()
    assert 45 <= gained <= 1000


async def test_a_script_that_redis_has_forgotten_is_sent_again(redis_url: str) -> None:
    redis = OpenBuckets(redis_url)
    of = bucket("{script}:b", 10)
    await redis.take([(of, 1, 1)])
    await redis.client.script_flush()
    assert (await redis.take([(of, 1, 1)])).admitted
    await redis.close()
    assert of.key.startswith("{script}")


async def test_many_buckets_are_looked_at_in_parts(redis_url: str) -> None:
    redis = OpenBuckets(redis_url)
    buckets = [bucket(f"{{many}}:{place}", 10) for place in range(450)]
    await redis.take([(buckets[449], 3, 3)])
    levels = await redis.peek(buckets)
    await redis.close()
    assert [level // buckets[0].unit for level in levels[:449]] == [10] * 449
    assert levels[449] < levels[0]


async def test_full_buckets_are_forgotten_in_memory() -> None:
    clock = Clock()
    memory = MemoryBuckets(clock)
    for number in range(25_000):
        await memory.take([(bucket(f"{{o}}:{number}", 60), 1, 1)])
        clock.now += 10
    assert len(memory._states) <= 11_000
