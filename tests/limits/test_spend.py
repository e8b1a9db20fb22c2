from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any

import anthropic
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limits.spenders import CALLER, KEY, ORGANIZATION, USER, WORKSPACE, Money, at, usd
from services import RedisServer
from understudy.http.principal import Principal
from understudy.limits.snapshot import Snapshot
from understudy.limits.spend_bounds import SpendBounds
from understudy.limits.spend_counters import Begin, Held, MemoryCounters, SpendAwayError
from understudy.limits.spend_redis import RedisCounters
from understudy.limits.spend_refusals import SpendLimitReachedError, TierCapReachedError
from understudy.storage.redis import connect
from understudy.usage.rows import costs_of
from understudy.usage.sums import month_of
from understudy.wire.errors import ApiError, InvalidRequestError, OverloadedError, error_body
from usage_records import record

KINDS = ["memory", "redis"]


def sdk_error(error: ApiError) -> Exception:
    """What the official SDK makes of the refusal."""
    body = error_body(error.type, error.message, "req_1", error.details)
    headers = {**error.headers, "x-should-retry": "true" if error.retry else "false"}

    def answer(_: httpx2.Request) -> httpx2.Response:
        calls.append(1)
        return httpx2.Response(error.status, json=body, headers=headers)

    calls: list[int] = []
    client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(answer)))
    with pytest.raises(anthropic.APIStatusError) as raised:
        client.messages.create(model="m", max_tokens=1, messages=[{"role": "user", "content": "Hi"}])
    assert len(calls) == 1, "it was repeated"
    return raised.value


async def test_abuse_28_the_tiers_cap_is_a_429_without_retry_after_that_clients_do_not_repeat() -> None:
    it = Money()
    await it.use("499.999999999")
    await it.use("0.000000001")
    with pytest.raises(TierCapReachedError) as raised:
        await it.spend.begin(CALLER)
    error = raised.value
    assert (error.status, error.type, error.exceeded) == (429, "rate_limit_error", "spend/tier")
    assert error.message == (
        "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, set "
        "based on your organization's API tier. You will regain access on 2026-12-01 at 00:00 UTC."
    )
    assert (error.details, error.headers, error.retry) == ({"error_code": "enforced_spend_limit_reached"}, {}, False)
    assert isinstance(sdk_error(error), anthropic.EnforcedSpendLimitReachedError)


@pytest.mark.parametrize(
    ("scope", "id_", "text"),
    [
        ("organization", ORGANIZATION, "You have reached your specified API usage limits."),
        ("workspace", WORKSPACE, "You have reached your specified workspace API usage limits."),
        ("user", USER, "You have reached your specified user API usage limits."),
        ("api_key", KEY, "This API key has reached its monthly budget."),
    ],
)
async def test_abuse_28_a_limit_that_was_set_is_a_400(scope: str, id_: str, text: str) -> None:
    it = Money()
    it.source.limit(scope, id_, "5")
    await it.use("4.99")
    await it.use("0.02")
    with pytest.raises(SpendLimitReachedError) as raised:
        await it.spend.begin(CALLER)
    assert (raised.value.status, raised.value.exceeded) == (400, f"spend/{scope}")
    assert raised.value.message == f"{text} You will regain access on 2026-12-01 at 00:00 UTC."
    assert isinstance(sdk_error(raised.value), anthropic.BadRequestError)
    elsewhere = Principal(ORGANIZATION, "wrkspc_2", "apikey_2", actor_id="user_2")
    if scope != "organization":
        await (await it.spend.begin(elsewhere)).abort()


async def test_used_up_credit_is_a_400_and_new_credit_lets_requests_in_again() -> None:
    it = Money()
    it.source.bounds = SpendBounds({}, {ORGANIZATION: usd("10")})
    await it.use("10.01")
    with pytest.raises(InvalidRequestError, match="Your credit balance is too low to access the Anthropic API"):
        await it.spend.begin(CALLER)
    it.source.bounds = SpendBounds({}, {ORGANIZATION: usd("20")})
    await it.use("1")


async def test_a_limit_of_nothing_lets_nothing_in() -> None:
    it = Money()
    it.source.limit("workspace", WORKSPACE, "0")
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(CALLER)


async def test_an_unlimited_tier_has_no_cap() -> None:
    it = Money(tier="custom")
    await it.use("900000")
    await it.use("1")


async def test_observing_refuses_nothing_and_names_what_would_have() -> None:
    it = Money(mode="observe")
    it.source.limit("workspace", WORKSPACE, "1")
    await it.use("2")
    hold = await it.spend.begin(CALLER)
    assert hold.exceeded == "spend/workspace"
    await hold.settle(usd("1"))
    it.source.snapshot = Snapshot(modes={WORKSPACE: "enforce"})
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(CALLER)


@pytest.mark.parametrize("kind", KINDS)
async def test_abuse_27_a_new_month_begins_at_midnight_utc_exactly(kind: str, request: pytest.FixtureRequest) -> None:
    it = _money(kind, request)
    caller = replace(CALLER, organization_id="rollover", workspace_id="wrkspc_rollover")
    it.source.limit("workspace", "wrkspc_rollover", "5")
    it.now = at("2026-11-30T23:59:59.999")
    await it.use("6", caller)
    with pytest.raises(InvalidRequestError, match="2026-12-01 at 00:00 UTC"):
        await it.spend.begin(caller)
    it.now = at("2026-12-01T00:00:00")
    await it.use("4.99", caller)
    await it.use("1", caller)
    with pytest.raises(InvalidRequestError, match="2027-01-01 at 00:00 UTC"):
        await it.spend.begin(caller)
    # A request that came before midnight is of the month in which it came.
    with pytest.raises(InvalidRequestError, match="2026-12-01"):
        await it.spend.begin(caller, at=at("2026-11-30T23:59:59.999"))
    it.now = at("2027-01-01T00:00:00")
    await it.use("1", caller)


def _money(kind: str, request: pytest.FixtureRequest, **options: Any) -> Money:
    if kind == "memory":
        return Money(**options)
    return Money(RedisCounters(connect(request.getfixturevalue("redis_url"), 5.0)), **options)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("estimate", ["0", "0.5", "1"])
async def test_abuse_27_a_budget_is_overshot_by_no_more_than_what_is_in_flight(
    kind: str, estimate: str, request: pytest.FixtureRequest
) -> None:
    """100 clients with 400 requests of a dollar each; 10 dollars. With their whole cost held beforehand, not at all."""
    of = f"overshoot-{estimate}"
    its = [_money(kind, request, tier="custom")]
    if kind == "redis":
        its += [_money(kind, request, tier="custom") for _ in range(2)]
    caller = replace(CALLER, organization_id=of)
    for it in its:
        it.source.limit("organization", of, "10")
    in_flight = most = done = refused = 0

    async def client(place: int) -> None:
        nonlocal in_flight, most, done, refused
        for _ in range(4):
            in_flight += 1
            most = max(most, in_flight)
            try:
                hold = await its[place % len(its)].spend.begin(caller, usd(estimate))
                await asyncio.sleep(0.001 * (place % 5))
                await hold.settle(usd("1"))
                done += 1
            except InvalidRequestError:
                refused += 1
                return
            finally:
                in_flight -= 1

    await asyncio.gather(*(client(place) for place in range(100)))
    assert refused
    assert 10 <= done < 10 + most
    if estimate == "1":
        assert done == 10
    month = month_of(its[0].now).name
    assert await its[0].counters.spent([f"{{{of}}}:{month}:organization:"]) == [done * usd("1")]


@pytest.mark.parametrize("kind", KINDS)
async def test_what_is_aborted_or_fails_holds_nothing_and_ending_twice_counts_once(
    kind: str, request: pytest.FixtureRequest
) -> None:
    it = _money(kind, request)
    caller = replace(CALLER, organization_id="aborting", workspace_id="wrkspc_aborting")
    it.source.limit("workspace", "wrkspc_aborting", "1")
    for _ in range(5):
        await (await it.spend.begin(caller, usd("1"))).abort()
        with pytest.raises(ZeroDivisionError):
            async with await it.spend.begin(caller, usd("1")):
                raise ZeroDivisionError
    hold = await it.spend.begin(caller, usd("1"))
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(caller)
    for _ in range(3):
        await hold.settle(usd("0.4"))
        await hold.abort()
    await it.use("0.4", caller)
    await it.use("0.4", caller)
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(caller)


async def test_a_request_is_settled_by_what_its_usage_row_will_say() -> None:
    it = Money()
    one = record(model="claude-opus-5", input_tokens=100_000, output_tokens=50_000)
    hold = await it.spend.begin(CALLER)
    await hold.finish(one)
    assert await it.counters.spent([f"{{{ORGANIZATION}}}:total"]) == [costs_of(one).total]
    failed = await it.spend.begin(CALLER)
    await failed.finish(record(input_tokens=None, status=529))
    assert await it.counters.spent([f"{{{ORGANIZATION}}}:total"]) == [costs_of(one).total]


async def test_counters_that_redis_does_not_know_are_seeded_from_the_database(redis_url: str) -> None:
    it = Money(RedisCounters(connect(redis_url, 5.0)))
    caller = replace(CALLER, organization_id="seeding")
    it.source.limit("organization", "seeding", "5")
    it.known = {"{seeding}:2026-11:organization:": usd("5")}
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(caller)
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(caller)
    assert it.seeded == 1


async def test_counters_of_a_month_that_has_begun_are_not_forgotten_with_those_before() -> None:
    counters = MemoryCounters()
    keys = [f"{{org}}:{month}:organization:" for month in ("2026-10", "2026-11", "2026-12")]
    await counters.seed(dict.fromkeys([*keys, "{org}:total"], 1))
    counters.forget("2026-11")
    assert await counters.spent([*keys, "{org}:total"]) == [0, 1, 1, 1]


async def test_what_a_dead_server_held_is_given_up(redis_url: str) -> None:
    it = Money(RedisCounters(connect(redis_url, 5.0), hold=100))
    caller = replace(CALLER, organization_id="dying")
    it.source.limit("organization", "dying", "1")
    lost = await it.spend.begin(caller, usd("1"))
    with pytest.raises(InvalidRequestError):
        await it.spend.begin(caller)
    await asyncio.sleep(0.15)
    hold = await it.spend.begin(caller, usd("0.1"))
    await lost.settle(usd("0.5"))  # it was slow, not dead
    await hold.settle(usd("0.1"))
    assert await it.counters.spent(["{dying}:2026-11:organization:"]) == [usd("0.6")]
    await (await it.spend.begin(caller, usd("1"))).abort()


async def test_many_that_begin_at_once_ask_the_database_once(redis_url: str) -> None:
    it = Money(RedisCounters(connect(redis_url, 5.0)))
    caller = replace(CALLER, organization_id="crowd")
    holds = await asyncio.gather(*(it.spend.begin(caller, 1) for _ in range(50)))
    await asyncio.gather(*(hold.settle(1) for hold in holds))
    assert it.seeded == 1
    assert await it.counters.spent(["{crowd}:total"]) == [50]


async def test_nobody_waits_for_a_redis_that_did_not_answer(own_redis: RedisServer) -> None:
    it = Money(RedisCounters(connect(own_redis.url, 0.5)))
    before = await it.spend.begin(CALLER)
    own_redis.stop()
    await (await it.spend.begin(CALLER)).settle(usd("1"))
    began = time.monotonic()
    for _ in range(100):
        await (await it.spend.begin(CALLER)).settle(usd("1"))
    await before.settle(usd("1"))
    assert time.monotonic() - began < 0.5


class Away(MemoryCounters):
    async def begin(self, wanted: Begin, *, force: bool = False) -> Held:
        raise SpendAwayError


async def _level(counters: RedisCounters) -> int:
    """What the organization has spent and holds."""
    return (await counters.begin(Begin((f"{{{ORGANIZATION}}}:total",), (None,), 0))).levels[0]


async def test_abuse_24_what_ended_while_redis_did_not_answer_is_held_no_longer(own_redis: RedisServer) -> None:
    counters = RedisCounters(connect(own_redis.url, 0.2))
    it = Money(counters)
    holds = [await it.spend.begin(CALLER, usd("0.3")) for _ in range(3)]
    own_redis.pause()
    for hold in holds:
        await hold.settle(usd("0.5"))
    own_redis.resume()
    await asyncio.sleep(1.1)
    assert counters.is_behind
    await counters.catch_up()
    assert not counters.is_behind
    # The first was told Redis while it slept, the others were not: what they spent is the database's to say.
    assert await _level(counters) in {0, usd("0.5")}


async def test_a_client_that_goes_while_its_request_is_let_in_leaves_nothing_held(own_redis: RedisServer) -> None:
    counters = RedisCounters(connect(own_redis.url, 5.0))
    it = Money(counters)
    await (await it.spend.begin(CALLER)).abort()
    own_redis.pause()
    begun = asyncio.create_task(it.spend.begin(CALLER, usd("0.9")))
    await asyncio.sleep(0.1)
    begun.cancel()
    await asyncio.wait([begun])
    assert begun.cancelled()
    own_redis.resume()
    async with asyncio.timeout(10):
        while await _level(counters) != usd("0.9"):  # Redis has let it in all the same
            await asyncio.sleep(0.01)
    assert counters.is_behind
    await counters.catch_up()
    assert await _level(counters) == 0


async def test_a_bound_that_is_reached_only_as_a_double_is_refused_like_any(redis_url: str) -> None:
    it = Money(RedisCounters(connect(redis_url, 5.0)), tier="custom")
    caller = replace(CALLER, organization_id="doubles")
    it.source.bounds = SpendBounds({}, {"doubles": 2**53 + 1})
    await (await it.spend.begin(caller)).settle(2**53)
    with pytest.raises(InvalidRequestError, match="credit balance"):
        await it.spend.begin(caller)


async def test_while_redis_is_away_requests_go_on_or_are_refused_as_was_configured() -> None:
    it = Money(Away())
    hold = await it.spend.begin(CALLER, usd("1"))
    await hold.settle(usd("1"))
    with pytest.raises(OverloadedError):
        await Money(Away(), closed=True).spend.begin(CALLER)
    await Money(Away(), closed=True, mode="observe").spend.begin(CALLER)


AMOUNTS = st.integers(0, 10**13)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, st.sampled_from(["settle", "abort", "twice"])), max_size=30))
async def test_spent_is_the_sum_of_what_was_settled_and_nothing_stays_held(
    requests: list[tuple[int, int, str]],
) -> None:
    it = Money(mode="observe")
    holds = [(await it.spend.begin(CALLER, estimate), cost, end) for estimate, cost, end in requests]
    expected = 0
    for hold, cost, end in reversed(holds):
        if end == "abort":
            await hold.abort()
        else:
            await hold.settle(cost)
            expected += cost
        if end == "twice":
            await hold.settle(cost)
    key = f"{{{ORGANIZATION}}}:total"
    assert await it.counters.spent([key]) == [expected]
    begun = await it.counters.begin(Begin((key,), (None,), 0))
    assert begun.levels == (expected,)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.integers(0, 5), st.integers(0, 4)),
        st.tuples(st.just("settle"), st.integers(0, 9), st.integers(0, 9)),
        st.tuples(st.just("seed"), st.integers(0, 30), st.integers(0, 1)),
    ),
    max_size=25,
)


async def test_redis_counts_as_memory_does(redis_url: str) -> None:
    histories: list[list[tuple[str, int, int]]] = []

    @settings(max_examples=25, deadline=None, database=None)
    @given(STEPS)
    def collect(steps: list[tuple[str, int, int]]) -> None:
        histories.append(steps)

    collect()
    shared = RedisCounters(connect(redis_url, 5.0))
    for number, steps in enumerate(histories):
        memory = MemoryCounters()
        keys = (f"{{agree-{number}}}:total", f"{{agree-{number}}}:2026-11:organization:")
        held: list[tuple[Held, Held]] = []
        for counters in (memory, shared):
            await counters.seed(dict.fromkeys(keys, 0))
        for step, first, second in steps:
            if step == "begin":
                wanted = Begin(keys, (12, None if second == 4 else 8), first)
                one, other = await memory.begin(wanted), await shared.begin(wanted)
                assert (one.levels, one.admitted) == (other.levels, other.admitted)
                if one.admitted:
                    held.append((one, other))
            elif step == "settle" and held:
                one, other = held.pop(first % len(held))
                await memory.settle(one, second)
                await shared.settle(other, second)
            elif step == "seed":
                for counters in (memory, shared):
                    await counters.seed({keys[second]: first})
            assert await memory.spent(keys) == await shared.spent(keys)
