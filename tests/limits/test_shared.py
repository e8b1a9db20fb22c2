"""Servers that share buckets in Redis, and go on without it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from limits.limiters import MODEL, Bench, Clock, OpenBuckets, caller, headers_of
from services import RedisServer
from understudy.limits.away import SharedBuckets, WhenAway
from understudy.limits.bucket import Bucket, bucket
from understudy.limits.buckets import Buckets, BucketsAwayError, Charge, Decision, Want
from understudy.limits.config import Commitment, Mode
from understudy.limits.memory import MemoryBuckets
from understudy.limits.refusals import LimitExceededError
from understudy.wire.errors import OverloadedError


class Breakable:
    """Buckets that can be out of reach, and count how often they are asked."""

    def __init__(self, clock: Clock) -> None:
        self.produce_interval = 0.0
        self.inner = MemoryBuckets(clock)
        self.away = False
        self.asked = 0

    def _reach(self) -> MemoryBuckets:
        self.asked += 1
        if self.away:
            raise BucketsAwayError("ConnectionError")
        return self.inner

    async def take(self, wants: Sequence[Want], *, force: bool = False) -> Decision:
        return await self._reach().take(wants, force=force)

    async def settle(self, charges: Sequence[Charge], *, late: bool = False) -> tuple[int, ...]:
        return await self._reach().settle(charges, late=late)

    async def peek(self, buckets: Sequence[Bucket]) -> tuple[int, ...]:
        return await self._reach().peek(buckets)


def shared(clock: Clock, when_away: WhenAway = "open", replicas: int = 2) -> tuple[Breakable, SharedBuckets]:
    inner = Breakable(clock)
    return inner, SharedBuckets(inner, when_away, replicas, clock=clock, time_clock=lambda: clock.now / 1000)


async def taken(store: Buckets, of: Bucket, tries: int = 200) -> int:
    """How many single units the store lets through."""
    return sum([(await store.take([(of, 1, 1)])).admitted for _ in range(tries)])


async def test_while_away_each_server_has_its_share() -> None:
    clock = Clock()
    inner, store = shared(clock, replicas=3)
    inner.away = True
    assert await taken(store, bucket("{o}:b", 100)) == 33
    clock.wait(0.5)
    assert await taken(store, bucket("{o}:b", 100)) == 0
    clock.wait(1.5)
    assert await taken(store, bucket("{o}:b", 100)) == 1
    assert await taken(store, bucket("{o}:small", 2)) == 1


async def test_the_share_is_one_of_what_was_left() -> None:
    clock = Clock()
    inner, store = shared(clock)
    of = bucket("{o}:b", 100)
    assert await taken(store, of, 60) == 60
    inner.away = True
    assert await taken(store, of) == 20


async def test_answers_that_come_late_do_not_raise_what_was_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    inner, store = shared(clock)
    of = bucket("{o}:b", 100)
    for left in (80, 20, 60):
        clock.wait(0.6)
        answer = Decision(True, (), 0, (left * of.unit,))

        async def take(*_: object, answer: Decision = answer, **__: object) -> Decision:
            return answer

        monkeypatch.setattr(inner.inner, "take", take)
        await store.take([(of, 1, 1)])
    inner.away = True
    assert await taken(store, of) == 21 // 2


async def test_what_was_taken_meanwhile_is_charged_when_they_are_back() -> None:
    clock = Clock()
    inner, store = shared(clock)
    of, other = bucket("{o}:b", 600), bucket("{p}:b", 600)
    await taken(store, of, 100)
    inner.away = True
    assert (await taken(store, of, 50), await taken(store, other, 20)) == (50, 20)
    clock.wait(2)
    inner.away = False
    assert await taken(store, of, 1) == 1
    assert not store.away
    # 100 before, 50 meanwhile and 1 after; 20 came in two seconds.
    assert (await inner.peek([of]))[0] // of.unit == 600 - 151 + 20
    # Of these 20 this server's share of the refill has made up for 10.
    assert (await inner.peek([other]))[0] // of.unit == 590


async def test_what_does_not_answer_is_left_alone_and_tried_by_one_a_second() -> None:
    clock = Clock()
    inner, store = shared(clock)
    inner.away = True
    of = bucket("{o}:b", 100)
    await taken(store, of, 30)
    assert inner.asked == 1
    clock.wait(1.1)
    await taken(store, of, 30)
    assert inner.asked == 2
    inner.away = False
    clock.wait(0.5)
    await store.take([(of, 1, 1)])
    assert store.away
    clock.wait(0.6)
    await store.take([(of, 1, 1)])
    assert not store.away


async def test_closed_refuses_with_a_529_and_opens_again() -> None:
    clock = Clock()
    inner, store = shared(clock, "closed")
    bench = Bench(store=store)
    inner.away = True
    with pytest.raises(OverloadedError):
        await bench.limiter.begin(caller(), model=MODEL)
    inner.away = False
    clock.wait(1.1)
    assert (await bench.limiter.begin(caller(), model=MODEL)).headers


async def test_closed_refuses_nothing_where_limits_are_observed() -> None:
    inner, store = shared(Clock(), "closed")
    inner.away = True
    admission = await Bench(store=store, mode="observe").limiter.begin(caller(), model=MODEL)
    await admission.settle(input_tokens=1, output_tokens=1)
    assert admission.headers == []


async def test_what_began_unseen_is_charged_at_its_end_if_the_buckets_are_back() -> None:
    clock = Clock()
    inner, store = shared(clock, "closed")
    bench = Bench(store=store, mode="observe")
    inner.away = True
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=9_000)
    inner.away = False
    clock.wait(1.1)
    await admission.settle(input_tokens=3_000, output_tokens=1_000)
    found = headers_of((await bench.limiter.begin(caller(), model=MODEL)).headers)
    assert [found[f"{what}-remaining"] for what in ("requests", "input-tokens", "output-tokens")] == [
        "48",
        "27000",
        "7000",
    ]


async def test_shared_buckets_are_charged_with_output_a_few_times_a_second() -> None:
    clock = Clock()
    inner, store = shared(clock)
    store.produce_interval = 0.05
    admission = await Bench(store=store).limiter.begin(caller(), model=MODEL)
    for _ in range(100):
        await admission.produce(1)
    assert inner.asked == 1
    await asyncio.sleep(0.06)
    await admission.produce(1)
    assert inner.asked == 2
    await admission.settle(input_tokens=0, output_tokens=101)
    assert inner.asked == 2


async def test_a_request_that_began_before_the_outage_ends_quietly() -> None:
    inner, store = shared(Clock(), "closed")
    admission = await Bench(store=store).limiter.begin(caller(), model=MODEL, input_tokens=10)
    inner.away = True
    await admission.produce(5)
    await admission.settle(input_tokens=1, output_tokens=1)


@pytest.mark.parametrize("when_away", ["open", "closed"])
async def test_a_redis_that_is_killed_and_comes_back(own_redis: RedisServer, when_away: WhenAway) -> None:
    redis = OpenBuckets(own_redis.url, timeout=0.5)
    store = SharedBuckets(redis, when_away, 2, pause=0.05)
    bench = Bench(store=store)
    for _ in range(10):
        await bench.limiter.begin(caller(), model=MODEL)
    own_redis.stop()
    admitted = 0
    for _ in range(100):
        try:
            await bench.limiter.begin(caller(), model=MODEL)
            admitted += 1
        except (LimitExceededError, OverloadedError) as error:
            assert isinstance(error, LimitExceededError) == (when_away == "open")
    assert admitted in ({20, 21} if when_away == "open" else {0})
    own_redis.start()
    await asyncio.sleep(0.1)
    bench.clock.wait(3)
    with pytest.raises(LimitExceededError) as refused:
        await bench.limiter.begin(caller(), model=MODEL)
    assert not store.away
    # It has forgotten what was taken, so its buckets begin empty.
    assert refused.value.headers["retry-after"] in {"1", "2"}
    await asyncio.sleep(int(refused.value.headers["retry-after"]))
    bench.clock.wait(2)
    await bench.limiter.begin(caller(), model=MODEL)
    await redis.close()


async def test_a_cancelled_request_is_still_settled(redis_url: str) -> None:
    store = OpenBuckets(redis_url)
    bench = Bench(store=store)
    who = caller(organization="cancelled")
    inside = asyncio.Event()

    async def request() -> None:
        async with await bench.limiter.begin(who, model=MODEL, input_tokens=20_000):
            inside.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(request())
    await inside.wait()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.05)
    await bench.limiter.begin(who, model=MODEL, input_tokens=30_000)
    await store.close()


@pytest.mark.parametrize("turns", range(6))
async def test_a_request_that_is_cancelled_while_it_asks_redis_gives_its_tokens_back(
    redis_url: str, turns: int
) -> None:
    store = OpenBuckets(redis_url)
    bench = Bench(store=store, priority=(Commitment(MODEL, 100_000, 50_000),))
    who = caller(organization=f"cancelled-{turns}")
    asking = asyncio.create_task(bench.limiter.begin(who, model=MODEL, input_tokens=30_000))
    for _ in range(turns):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await asyncio.sleep(0.05)
    admission = await bench.limiter.begin(who, model=MODEL, input_tokens=30_000)
    found = headers_of(admission.headers)
    assert found["input-tokens-remaining"] == "0"
    assert found["anthropic-priority-input-tokens-remaining"] == "70000"
    # A request that was made is counted, whatever becomes of it.
    assert found["requests-remaining"] == ("48" if turns else "49")
    await store.close()


@pytest.mark.parametrize("mode", ["enforce", "observe"])
async def test_buckets_that_are_away_only_for_the_commitment_make_it_a_standard_request(
    mode: Mode, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, store = shared(Clock(), "closed")
    bench = Bench(store=store, mode=mode, priority=(Commitment(MODEL, 100_000, 50_000),))
    take = inner.take

    async def once(wants: Sequence[Want], *, force: bool = False) -> Decision:
        decision = await take(wants, force=force)
        inner.away = True
        return decision

    monkeypatch.setattr(inner, "take", once)
    admission = await bench.limiter.begin(caller(), model=MODEL, input_tokens=20_000)
    assert admission.service_tier == "standard"
    inner.away = False
    bench.clock.wait(0)
    store._away_until = None  # pyright: ignore[reportPrivateUsage]
    await admission.settle(input_tokens=10_000, output_tokens=1)
    # Charged once, and corrected at the end.
    assert headers_of(admission.headers)["input-tokens-remaining"] == "20000"
