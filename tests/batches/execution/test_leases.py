"""Who gets which chunk."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.batches.leases import Waiting, pick
from understudy.engines.engine import Background
from understudy.engines.routing import Slots
from understudy.engines.routing.slots import take_any, take_idle

from .making import asking, caller
from .rig import rig


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 300), st.lists(st.integers(1, 100), max_size=9)), max_size=6),
    st.integers(1, 1_000),
)
def test_who_has_the_fewest_requests_is_given_first(queues: list[tuple[int, list[int]]], requests: int) -> None:
    waiting = [
        (has, [Waiting(f"b{place}", number, count, count) for number, count in enumerate(counts)])
        for place, (has, counts) in enumerate(queues)
    ]
    picked = pick(waiting, requests, 1_000_000)
    # As many as were asked for, or all, and not one chunk more than it takes.
    there = sum(sum(counts) for _, counts in queues)
    assert sum(one.requests for one in picked) >= min(requests, there)
    assert sum(one.requests for one in picked[:-1]) < requests
    taken: Counter[str] = Counter()
    for one in picked:
        others = [(f"b{place}", has, counts) for place, (has, counts) in enumerate(queues)]
        has = {name: has + sum(counts[: taken[name]]) for name, has, counts in others}
        left = [name for name, _, counts in others if len(counts) > taken[name]]
        assert has[one.batch_id] == min(has[name] for name in left)
        assert one.number == taken[one.batch_id]
        taken[one.batch_id] += 1


def test_many_bytes_are_not_claimed_at_once() -> None:
    large = [Waiting("b", number, 1, 5_000_000) for number in range(9)]
    assert len(pick([(0, large)], 100, 12_000_000)) == 2
    assert len(pick([(0, large)], 100, 1_000_000)) == 1


@pytest.mark.each_database
async def test_many_who_claim_at_once_get_each_chunk_once(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        batch_id = await made.make([asking()] * 300, chunk=10)
        now = made.clock()
        taken = await asyncio.gather(*(made.leases.claim(f"owner{number}", now, now + 30, 40) for number in range(10)))
        counts = Counter(claim.number for claims in taken for claim in claims)
        assert max(counts.values()) == 1
        while more := await made.leases.claim("last", now, now + 30, 40):
            counts.update(claim.number for claim in more)
        assert counts == Counter(range(30))
        assert {claim.batch_id for claims in taken for claim in claims} == {batch_id}
        # Nobody else has them before the leases run out, and then at another attempt.
        assert await made.leases.claim("late", now + 30, now + 60, 40) == []
        again = await made.leases.claim("late", now + 30.5, now + 60, 40)
        assert {claim.attempt for claim in again} == {2}
        still = await made.leases.renew("owner0", taken[0], now + 60)
        assert still == {claim.key for claim in taken[0]} - {(claim.batch_id, claim.number, 1) for claim in again}


@pytest.mark.each_database
async def test_who_has_little_is_given_first(tmp_path: Path) -> None:
    async with rig(tmp_path) as made:
        now = made.clock()
        await made.make([asking()] * 50, chunk=1, principal=caller("wrkspc_long"))
        first = await made.leases.claim("one", now, now + 30, 6)
        assert len(first) == 6
        await made.make([asking()] * 3, chunk=1, principal=caller("wrkspc_short"))
        second = await made.leases.claim("two", now, now + 30, 4)
        assert Counter(claim.workspace_id for claim in second) == {"wrkspc_short": 3, "wrkspc_long": 1}


async def test_work_in_the_background_comes_last_and_leaves_a_place() -> None:
    slots = Slots(2)
    background = Background()
    assert await take_idle([slots], background) is slots
    waiting = asyncio.create_task(take_idle([slots], background))
    await asyncio.sleep(0)
    assert background.waiting
    await take_any([slots], 1.0)
    request = asyncio.create_task(take_any([slots], 1.0))
    await asyncio.sleep(0)
    slots.give_back()
    assert await request is slots
    assert not waiting.done()
    slots.give_back()
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give_back()
    assert await waiting is slots
    assert not background.waiting
    slots.give_back()
    assert slots.in_use == 0


async def test_what_gives_up_waiting_in_the_background_leaves_nothing_behind() -> None:
    slots = Slots(1)
    assert slots.take_now()
    waiting = [asyncio.create_task(take_idle([slots, slots], Background())) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    slots.give_back()
    waiting[1].cancel()
    await asyncio.wait(waiting)
    assert waiting[2].result() is slots
    assert slots.in_use == 1
    slots.give_back()
    assert slots.in_use == 0
