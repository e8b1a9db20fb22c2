"""Abuse cases of rate limits, each under its number (platform reference, §10.1)."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from generated import in_process
from installations import installation
from limits.limiters import MODEL, Bench, Clock, OpenBuckets, caller, headers_of
from services import RedisServer
from understudy.http.limiting import LimitedPart
from understudy.limits.away import SharedBuckets
from understudy.limits.buckets import Buckets
from understudy.limits.groups import LimiterType
from understudy.limits.memory import MemoryBuckets
from understudy.limits.overrides import set_workspace_limits
from understudy.limits.refusals import LimitExceededError
from understudy.limits.snapshot import Snapshot
from understudy.wire.errors import InvalidRequestError

GROUP = Bench().limiter.groups.of_model(MODEL)
_names = itertools.count()


def someone() -> str:
    """An organization that no other test uses."""
    return f"abuse-{next(_names)}"


async def burst(benches: list[Bench], organization: str, requests: int = 100) -> int:
    """How many of so many requests at once are let in, spread over the servers."""

    async def one(bench: Bench) -> bool:
        try:
            await bench.limiter.begin(caller(organization=organization), model=MODEL)
        except LimitExceededError:
            return False
        return True

    return sum(await asyncio.gather(*(one(benches[number % len(benches)]) for number in range(requests))))


@asynccontextmanager
async def servers(url: str, number: int) -> AsyncGenerator[list[Bench]]:
    stores = [OpenBuckets(url, timeout=2.0) for _ in range(number)]
    try:
        yield [Bench(store=SharedBuckets(store, "open", number, pause=0.05)) for store in stores]
    finally:
        for store in stores:
            await store.close()


async def test_abuse_23_a_hundred_requests_at_once_are_let_in_as_the_limit_says() -> None:
    assert await burst([Bench()], someone()) == 50


async def test_abuse_23_over_three_servers_too(redis_url: str) -> None:
    async with servers(redis_url, 3) as benches:
        began = time.monotonic()
        admitted = await burst(benches, someone())
        assert 50 <= admitted <= 50 + (time.monotonic() - began) * 50 / 60 + 1


async def test_abuse_23_a_restart_of_redis_gives_no_second_helping(own_redis: RedisServer) -> None:
    organization = someone()
    async with servers(own_redis.url, 3) as benches:
        began = time.monotonic()
        admitted = await burst(benches, organization, 40)
        # Each server has seen the organization. Now all that is stored is lost, and meanwhile each has its share.
        own_redis.stop()
        admitted += await burst(benches, organization)
        own_redis.start()
        # A share of the limit is one request in 3.6 seconds; until then each server knows that it would refuse.
        for bench in benches:
            bench.clock.wait(4)
        await asyncio.sleep(0.1)
        admitted += await burst(benches, organization)
        assert not any(bench.store.away for bench in benches if isinstance(bench.store, SharedBuckets))
        # A server may have seen the bucket when it held a few more than in the end.
        assert admitted <= 50 + (time.monotonic() - began) * 50 / 60 + len(benches)


async def test_abuse_24_what_was_reserved_comes_back_when_the_client_goes_or_the_stream_breaks() -> None:
    bench = Bench(otpm_accounting="reserve")

    async def request(produced: int) -> None:
        async with await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000, max_tokens=5_000) as admission:
            await admission.produce(produced)
            await asyncio.sleep(60)

    async def gone(produced: int) -> dict[str, str]:
        task = asyncio.create_task(request(produced))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        return headers_of((await bench.limiter.begin(caller(), model=MODEL)).headers)

    before_it_began = await gone(0)
    assert (before_it_began["input-tokens-remaining"], before_it_began["output-tokens-remaining"]) == ("30000", "8000")
    in_the_middle = await gone(1_000)
    assert (in_the_middle["input-tokens-remaining"], in_the_middle["output-tokens-remaining"]) == ("20000", "7000")


@pytest.mark.parametrize("accounting", ["actual", "reserve"])
async def test_abuse_24_what_a_crash_left_reserved_is_back_within_a_minute(accounting: str) -> None:
    bench = Bench(otpm_accounting=accounting)
    for _ in range(3):
        # Never settled: the process that held it is no more.
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=10_000, max_tokens=2_500)
    bench.clock.wait(60)
    full = await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_000, max_tokens=8_000)
    assert headers_of(full.headers)["requests-remaining"] == "49"


async def test_abuse_24_debt_is_bounded() -> None:
    bench = Bench()
    open_streams = [await bench.limiter.begin(caller(), model=MODEL) for _ in range(40)]
    for stream in open_streams:
        await stream.settle(input_tokens=500_000, output_tokens=64_000)
    bench.clock.wait(61)
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=1)


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.parametrize("shared", [False, True])
async def test_abuse_25_a_clock_that_jumps_neither_fills_nor_stops_the_buckets(
    redis_url: str, hours: int, shared: bool
) -> None:
    # Only the buckets' clock jumps, as that of Redis may, which is the time of day. The server's own is steady.
    clock = Clock()
    clock.now = 10**10
    redis = OpenBuckets(redis_url, clock)
    bench = Bench(store=redis if shared else MemoryBuckets(clock))

    def wait(seconds: float) -> None:
        clock.wait(seconds)
        bench.clock.wait(seconds)

    organization = someone()
    assert await burst([bench], organization) == 50
    clock.wait(hours * 3600)
    bench.clock.wait(1.2)
    assert await burst([bench], organization) == (50 if hours > 0 else 0)
    wait(6)
    assert await burst([bench], organization) == 5
    clock.wait(-hours * 3600)
    bench.clock.wait(1.2)
    assert await burst([bench], organization) == (0 if hours > 0 else 50)
    wait(12)
    assert await burst([bench], organization) == 10
    await redis.close()


async def test_abuse_25_the_limiter_s_own_clock_is_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(store=MemoryBuckets())
    organization = someone()
    assert await burst([bench], organization) == 50
    now = time.time()
    for jump in (3600, -3600):
        monkeypatch.setattr(time, "time", lambda jump=jump: now + jump)
        assert await burst([bench], organization) <= 1


async def test_abuse_26_cached_reads_do_not_count_except_for_old_models() -> None:
    bench = Bench()
    for _ in range(5):
        admission = await bench.limiter.begin(caller(), model=MODEL, cache_read_input_tokens=1_000_000)
        await admission.settle(input_tokens=10, cache_read_input_tokens=1_000_000, output_tokens=1)
    old = "claude-3-haiku-20240307"
    await bench.limiter.begin(caller(), model=old, cache_read_input_tokens=50_000)
    with pytest.raises(LimitExceededError, match="50,000 input tokens per minute"):
        await bench.limiter.begin(caller(), model=old, cache_read_input_tokens=1_000)


async def test_abuse_26_a_workspace_may_count_them_all() -> None:
    limits: dict[LimiterType, int] = {"input_tokens_per_minute": 10_000}
    bench = Bench(Snapshot(workspace_limits={"wrkspc_a": {GROUP.id: limits}}))
    with pytest.raises(LimitExceededError, match="your workspace's rate limit of 10,000 input tokens"):
        await bench.limiter.begin(caller(), model=MODEL, cache_read_input_tokens=10_001)


FORGED = [-(10**30), -1, 10**30]


@pytest.mark.parametrize("forged", FORGED)
async def test_abuse_26_forged_usage_neither_fills_a_bucket_nor_breaks_it(redis_url: str, forged: int) -> None:
    clock = Clock()
    redis = OpenBuckets(redis_url, clock)
    for store in (MemoryBuckets(clock), redis):
        bench = Bench(store=store)
        who = caller(organization=someone())
        await bench.limiter.begin(who, model=MODEL, input_tokens=20_000)
        admission = await bench.limiter.begin(who, model=MODEL, input_tokens=1_000)
        await admission.produce(forged)
        await admission.settle(
            input_tokens=forged,
            output_tokens=forged,
            cache_read_input_tokens=forged,
            cache_creation_5m_input_tokens=forged,
            cache_creation_1h_input_tokens=forged,
        )
        found = headers_of(admission.headers)
        # What another request took is not given back by this one.
        assert found["input-tokens-remaining"] == ("10000" if forged < 0 else "0")
        clock.wait(120)
        with pytest.raises(LimitExceededError):
            await bench.limiter.begin(who, model=MODEL, input_tokens=30_001)
        await bench.limiter.begin(who, model=MODEL, input_tokens=30_000)
    await redis.close()


async def retried(
    store: Buckets, clock: Clock, costs: list[tuple[int, int]], pauses: list[int], organization: str
) -> None:
    """Requests until one is refused; that one must pass at the time told, and fail a second before."""
    bench = Bench(store=store, otpm_accounting="reserve")
    who = caller(organization=organization)

    async def begin(cost: tuple[int, int]) -> None:
        await bench.limiter.begin(who, model=MODEL, input_tokens=cost[0], max_tokens=cost[1])

    for cost, pause in zip(costs, pauses, strict=True):
        clock.now += pause
        try:
            await begin(cost)
        except LimitExceededError as error:
            told = int(error.headers["retry-after"])
            start = clock.now
            if told > 1:
                clock.now = start + (told - 1) * 1000
                with pytest.raises(LimitExceededError):
                    await begin(cost)
            clock.now = start + told * 1000
            await begin(cost)


requests = st.lists(
    st.tuples(st.tuples(st.integers(0, 30_000), st.integers(0, 8_000)), st.integers(0, 20_000)), min_size=1, max_size=12
)


@given(requests)
@settings(in_process, max_examples=in_process.max_examples // 4)
def test_abuse_29_a_retry_at_the_time_told_passes_and_an_earlier_one_does_not(
    drawn: list[tuple[tuple[int, int], int]],
) -> None:
    clock = Clock()
    store = MemoryBuckets(clock)
    asyncio.run(retried(store, clock, [each[0] for each in drawn], [each[1] for each in drawn], someone()))


@given(requests)
@settings(in_process, max_examples=in_process.max_examples // 25)
def test_abuse_29_of_buckets_in_redis_too(redis_url: str, drawn: list[tuple[tuple[int, int], int]]) -> None:
    async def run() -> None:
        clock = Clock()
        store = OpenBuckets(redis_url, clock)
        await retried(store, clock, [each[0] for each in drawn], [each[1] for each in drawn], someone())
        await store.close()

    asyncio.run(run())


async def test_abuse_30_a_workspace_s_limit_above_the_organization_s_raises_nothing() -> None:
    limits: dict[LimiterType, int] = {"requests_per_minute": 9_000, "input_tokens_per_minute_cache_aware": 10**9}
    bench = Bench(Snapshot(workspace_limits={"wrkspc_a": {GROUP.id: limits}}))
    assert await burst([bench], "") == 50
    bench.clock.wait(60)
    with pytest.raises(LimitExceededError, match="your organization's rate limit of 30,000"):
        await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_001)
    # It costs nothing either.
    assert len(bench.limiter._plan(caller(), "messages", MODEL, fast=False).lines) == 3


async def test_abuse_30_workspaces_together_stay_below_their_organization() -> None:
    each: dict[LimiterType, int] = {"requests_per_minute": 40}
    bench = Bench(Snapshot(workspace_limits={f"wrkspc_{name}": {GROUP.id: each} for name in "ab"}))
    admitted = 0
    for workspace in ("wrkspc_a", "wrkspc_b"):
        for _ in range(60):
            try:
                await bench.limiter.begin(caller(workspace), model=MODEL)
                admitted += 1
            except LimitExceededError:
                break
    assert admitted == 50


async def test_abuse_30_the_default_workspace_takes_no_limits(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        with pytest.raises(InvalidRequestError, match="default workspace"):
            async with db.begin() as connection:
                await set_workspace_limits(
                    connection,
                    Bench().limiter.groups,
                    "org",
                    "wrkspc_default",
                    GROUP.id,
                    {"requests_per_minute": 1},
                    is_default=True,
                )


PARTS: list[tuple[LimitedPart, int]] = [
    ("messages", 50),
    ("token_count", 100),
    ("batch", 50),
    ("files", 100),
    ("skills", 100),
    ("models", 100),
    ("admin", 100),
    ("invites", 1_200),
]


@pytest.mark.parametrize(("part", "limit"), PARTS)
async def test_abuse_31_each_part_of_the_api_has_a_limit_of_its_own(part: LimitedPart, limit: int) -> None:
    bench = Bench()
    model = MODEL if part in {"messages", "token_count"} else None
    for _ in range(limit):
        await bench.limiter.begin(caller(), part, model=model)
    with pytest.raises(LimitExceededError):
        await bench.limiter.begin(caller(), part, model=model)
    for other, _ in PARTS:
        if other != part:
            await bench.limiter.begin(caller(), other, model=MODEL if other == "messages" else None)


async def test_abuse_31_counting_tokens_takes_no_input_tokens() -> None:
    bench = Bench()
    for _ in range(5):
        await bench.limiter.begin(caller(), "token_count", model=MODEL, input_tokens=30_000)
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=30_000)


def test_abuse_31_every_kind_of_group_has_an_entrance() -> None:
    kinds: set[str] = {group.type for group in Bench().limiter.groups.all()} - {"model_group", "web_search"}
    assert kinds == {part for part, _ in PARTS if part != "messages"}
