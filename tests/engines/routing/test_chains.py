"""A request's way along a chain: shares, failures, queues."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.routing.engines import Scripted, a_turn
from engines.routing.virtual import now, run
from understudy.engines.engine import BusyError, EngineModel, Stop, TextDelta
from understudy.engines.routing import Breaker, Chain, RoutedEngine, Slots, Target
from understudy.wire.errors import ApiError, InternalError, InvalidRequestError, OverloadedError, RateLimitError


def target(engine: Scripted, weight: int = 1, **more: Any) -> Target:
    more.setdefault("breaker", Breaker(3, 10.0, now))
    return Target(EngineModel("public", engine.name, f"{engine.name}-model"), engine=engine, weight=weight, **more)


async def say(chain: Chain) -> str:
    text = ""
    async with aclosing(RoutedEngine(chain).run(a_turn())) as batches:
        async for batch in batches:
            text += "".join(event.text for event in batch if isinstance(event, TextDelta))
    return text


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 2, 7), (50, 50, 0), (1, 0, 0)])
def test_weights_are_kept_over_ten_thousand_choices(weights: tuple[int, ...]) -> None:
    chain = Chain("m", [target(Scripted(str(place)), weight) for place, weight in enumerate(weights)])
    firsts = [chain.order()[0].model.engine for _ in range(10_000)]
    for place, weight in enumerate(weights):
        assert firsts.count(str(place)) == pytest.approx(10_000 * weight / sum(weights), abs=200)


@given(weights=st.lists(st.integers(0, 9), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_an_order_holds_every_target_once_those_without_weight_last_and_is_the_same_in_every_run(
    weights: list[int],
) -> None:
    def orders() -> list[list[str]]:
        chain = Chain("m", [target(Scripted(str(place)), weight) for place, weight in enumerate(weights)])
        return [[one.model.engine for one in chain.order()] for _ in range(5)]

    first = orders()
    assert first == orders()
    spare = [str(place) for place, weight in enumerate(weights) if not weight]
    for order in first:
        assert sorted(order) == [str(place) for place in range(len(weights))]
        assert order[len(order) - len(spare) :] == spare


@pytest.mark.parametrize(
    "error", [InternalError(), OverloadedError(), RuntimeError("a bug"), TimeoutError(), OSError("refused")]
)
def test_what_fails_before_the_first_event_goes_to_the_next_target_and_the_turn_names_it(error: Exception) -> None:
    async def case() -> None:
        broken, good = Scripted("broken", error), Scripted("good")
        turn = a_turn()
        events = [
            event
            async for batch in RoutedEngine(Chain("m", [target(broken), target(good, 0)])).run(turn)
            for event in batch
        ]
        assert events == [TextDelta("good", 1), Stop("end_turn", 1)]
        assert (turn.model.engine, turn.model.upstream, turn.model.id) == ("good", "good-model", "public")
        assert broken.asked == good.asked == 1

    run(case())


def test_nothing_is_tried_again_after_the_first_event() -> None:
    async def case() -> None:
        broken, good = Scripted("broken", breaks=OverloadedError("midway")), Scripted("good")
        batches = RoutedEngine(Chain("m", [target(broken), target(good, 0)])).run(a_turn())
        assert await anext(batches) == [TextDelta("broken", 1)]
        with pytest.raises(OverloadedError, match="midway"):
            await anext(batches)
        assert good.asked == 0

    run(case())


@pytest.mark.parametrize(("error", "goes_on"), [(InvalidRequestError("no"), False), (RateLimitError(), True)])
def test_a_refusal_is_final_but_a_429_may_lead_on_where_that_is_wanted(error: ApiError, goes_on: bool) -> None:
    async def case() -> None:
        targets = [target(Scripted("says-no", error)), target(Scripted("good"), 0)]
        with pytest.raises(type(error)):
            await say(Chain("m", targets))
        eager = Chain("m", targets, retry_rate_limits=True)
        if goes_on:
            assert await say(eager) == "good"
        else:
            with pytest.raises(type(error)):
                await say(eager)
        assert not targets[0].breaker.is_open

    run(case())


def test_the_last_targets_error_is_the_answer_where_all_fail() -> None:
    async def case() -> None:
        chain = Chain("m", [target(Scripted("a", InternalError("first"))), target(Scripted("b", OverloadedError()), 0)])
        with pytest.raises(OverloadedError):
            await say(chain)

    run(case())


def test_a_broken_target_is_left_alone_and_probed_by_one_request_at_a_time() -> None:
    async def case() -> None:
        bad, good = Scripted("bad", InternalError(), seconds=1), Scripted("good")
        chain = Chain("m", [target(bad), target(good, 0)])
        for _ in range(10):
            assert await say(chain) == "good"
        assert bad.asked == 3
        await asyncio.sleep(10)
        # Only one of many probes it.
        assert await asyncio.gather(*(say(chain) for _ in range(5))) == ["good"] * 5
        assert bad.asked == 4
        await asyncio.sleep(5)
        assert await say(chain) == "good"
        assert bad.asked == 4
        await asyncio.sleep(5)
        bad.error = None
        assert await say(chain) == "bad"
        assert await asyncio.gather(*(say(chain) for _ in range(3))) == ["bad"] * 3

    run(case())


def test_a_restart_that_breaks_many_streams_is_one_failure() -> None:
    async def case() -> None:
        one = Scripted("one", breaks=InternalError("restarted"))
        only = target(one)
        answers = [RoutedEngine(Chain("m", [only])).run(a_turn()) for _ in range(20)]
        for answer in answers:
            await anext(answer)
        ends = await asyncio.gather(*(anext(answer) for answer in answers), return_exceptions=True)
        assert all(isinstance(end, InternalError) for end in ends)
        assert not only.breaker.is_open
        # What is sent after that and fails is news.
        for _ in range(2):
            assert not only.breaker.is_open
            with pytest.raises(InternalError):
                one.error = InternalError()
                await say(Chain("m", [only]))
        assert only.breaker.is_open

    run(case())


def test_requests_that_go_on_together_and_fail_one_by_one_are_as_many_failures() -> None:
    async def case() -> None:
        engines = [Scripted("one", InternalError(), seconds=seconds) for seconds in (1, 2.5, 4)]
        breaker = Breaker(3, 10.0, now)
        chains = [Chain("m", [target(engine, breaker=breaker)]) for engine in engines]
        await asyncio.gather(*(say(chain) for chain in chains), return_exceptions=True)
        assert breaker.is_open

    run(case())


def test_one_that_is_only_busy_leads_on_and_is_not_broken() -> None:
    async def case() -> None:
        busy, good = target(Scripted("busy", BusyError())), target(Scripted("good"), 0)
        for _ in range(10):
            assert await say(Chain("m", [busy, good])) == "good"
        assert not busy.breaker.is_open

    run(case())


def test_a_probe_whose_client_goes_leaves_room_for_another() -> None:
    async def case() -> None:
        bad = Scripted("bad", InternalError())
        chain = Chain("m", [target(bad)])
        for _ in range(3):
            with pytest.raises(InternalError):
                await say(chain)
        with pytest.raises(OverloadedError) as refused:
            await say(chain)
        assert refused.value.headers == {"retry-after": "10"}
        await asyncio.sleep(10)
        bad.error, bad.seconds = None, 5
        probe = asyncio.create_task(say(chain))
        await asyncio.sleep(1)
        with pytest.raises(OverloadedError):
            await say(chain)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        assert await say(chain) == "bad"

    run(case())


@given(limit=st.integers(1, 4), times=st.lists(st.integers(1, 5), min_size=1, max_size=20))
@settings(max_examples=60, deadline=None)
def test_the_queue_is_first_come_first_served_and_the_cap_is_kept(limit: int, times: list[int]) -> None:
    async def case() -> None:
        engine = Scripted("one", seconds=1)
        slots = Slots(limit, 100)
        chain = Chain("m", [target(engine, slots=slots)], queue_timeout=1_000)
        order: list[int] = []

        async def ask(place: int) -> None:
            await say(chain)
            order.append(place)

        tasks: list[asyncio.Task[None]] = []
        for place, pause in enumerate(times):
            tasks.append(asyncio.create_task(ask(place)))
            await asyncio.sleep(pause / 10)
        await asyncio.gather(*tasks)
        assert order == list(range(len(times)))
        assert engine.most <= limit
        assert slots.in_use == slots.waiting == 0

    run(case())


def test_a_full_queue_is_529_at_once_and_waiting_ends_after_the_queue_timeout() -> None:
    async def case() -> None:
        slots = Slots(1, 2)
        chain = Chain("m", [target(Scripted("slow", seconds=100), slots=slots)], queue_timeout=30)
        first = asyncio.create_task(say(chain))
        await asyncio.sleep(0)
        began = now()
        waiting = [asyncio.create_task(say(chain)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await say(chain)
        assert now() == began
        assert [type(x) for x in await asyncio.gather(*waiting, return_exceptions=True)] == [OverloadedError] * 2
        assert now() - began == pytest.approx(30)
        assert await first == "slow"
        assert slots.in_use == slots.waiting == 0

    run(case())


@given(steps=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=20), limit=st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_whoever_goes_at_whatever_time_frees_the_slot(steps: list[tuple[int, bool]], limit: int) -> None:
    async def case() -> None:
        slots, other = Slots(limit, 100), Slots(1, 100)
        engine = Scripted("one", seconds=0.3)
        chain = Chain("m", [target(engine, slots=slots), target(engine, slots=other)], queue_timeout=1)
        tasks: list[asyncio.Task[str]] = []
        for pause, cancel in steps:
            tasks.append(asyncio.create_task(say(chain)))
            await asyncio.sleep(pause / 10)
            if cancel:
                tasks[pause % len(tasks)].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert slots.in_use == slots.waiting == other.in_use == other.waiting == 0
        assert engine.running == 0

    run(case())


def test_closing_the_answer_frees_the_slot() -> None:
    async def case() -> None:
        slots = Slots(1)
        engine = Scripted("one")
        batches = RoutedEngine(Chain("m", [target(engine, slots=slots)])).run(a_turn())
        await anext(batches)
        assert slots.in_use == 1
        await batches.aclose()
        assert slots.in_use == engine.running == 0

    run(case())


def test_who_waits_takes_whichever_target_is_free_first_but_never_a_spare_one() -> None:
    async def case() -> None:
        slow, fast, spare = Scripted("slow", seconds=50), Scripted("fast", seconds=5), Scripted("spare")
        chain = Chain("m", [target(slow, slots=Slots(1)), target(fast, slots=Slots(1)), target(spare, 0)])
        answers = await asyncio.gather(*(say(chain) for _ in range(4)))
        assert sorted(answers) == ["fast", "fast", "fast", "slow"]
        assert spare.asked == 0

    run(case())
