"""The ledger in memory, and when what a request wrote is there for others."""

from __future__ import annotations

import asyncio
import gc
from time import perf_counter

import pytest

from cached_requests import Caching, asking, marked, model_of
from every_block import text
from pictures import base64_of, png
from understudy.messages.caching import Entry, MemoryLedger, PromptCache


async def test_an_entry_is_there_only_once_the_first_answer_has_begun() -> None:
    caching = Caching()
    request = asking(marked(text("hello")))
    first = await caching.cache.begin(request, caching.model, "w")
    meanwhile = await caching.cache.begin(request, caching.model, "w")
    assert meanwhile.use.cache_read_input_tokens == 0
    await first.started("msg_1")
    assert (await caching.cache.begin(request, caching.model, "w")).use.cache_read_input_tokens > 0


async def test_an_answer_that_never_begins_writes_nothing() -> None:
    caching = Caching()
    request = asking(marked(text("hello")))
    await caching.cache.begin(request, caching.model, "w")
    assert len(caching.ledger) == 0


async def test_a_lifetime_begins_with_the_request_not_with_its_answer() -> None:
    caching = Caching()
    request = asking(marked(text("hello")))
    turn = await caching.cache.begin(request, caching.model, "w")
    caching.now += 240
    await turn.started("msg_1")
    caching.now += 60
    assert (await caching.cache.begin(request, caching.model, "w")).use.cache_read_input_tokens == 0


async def test_breakpoints_in_front_of_the_hit_are_kept_alive() -> None:
    caching = Caching()
    request = asking(marked(text("a")), marked(text("b")))
    await caching.send(request)
    caching.now += 200
    await caching.send(request)
    caching.now += 200
    other = asking(marked(text("a")), marked(text("c")))
    assert (await caching.send(other)).cache_read_input_tokens > 0


async def test_an_hour_is_not_had_for_the_price_of_a_read() -> None:
    caching = Caching()
    await caching.send(asking(marked(text("a"))))
    use = await caching.send(asking(marked(text("a"), "1h")))
    assert use.cache_creation_input_tokens == 0
    caching.now += 300
    again = await caching.send(asking(marked(text("a"), "1h")))
    assert again.ephemeral_1h_input_tokens > 0


async def test_a_read_renews_for_the_lifetime_that_was_written() -> None:
    caching = Caching()
    await caching.send(asking(marked(text("a"), "1h")))
    for _ in range(3):
        caching.now += 3_599
        assert (await caching.send(asking(marked(text("a"))))).cache_read_input_tokens > 0


async def test_a_total_that_an_engine_counted_is_what_the_parts_add_up_to() -> None:
    caching = Caching()
    request = asking(marked(text("hello " * 50)), "x")
    for total in (5, 30, 1_000):
        turn = await caching.cache.begin(request, caching.model, "w", total_tokens=total)
        await turn.started("msg_1")
        assert turn.total_tokens == total
        assert min(turn.use.input_tokens, turn.use.cache_read_input_tokens, turn.use.cache_creation_input_tokens) >= 0


async def test_no_more_is_kept_than_there_is_room_for_and_the_oldest_goes_first() -> None:
    now = 0.0
    ledger = MemoryLedger(lambda: now, most_entries=3, most_values=2)
    for number in range(5):
        now = float(number)
        await ledger.write([Entry(b"key %d" % number, 1, 300)], now)
        await ledger.keep(b"value %d" % number, b"v", 9)
    await ledger.write([Entry(b"hour", 1, 3600)], now)
    assert len(ledger) == 3
    assert [await ledger.look([b"key %d" % number]) is not None for number in range(5)] == [False] * 3 + [True] * 2
    assert await ledger.look([b"hour"]) is not None
    assert [await ledger.kept(b"value %d" % number) for number in range(5)] == [None] * 3 + [b"v"] * 2


async def test_what_has_ended_makes_room_first() -> None:
    now = 0.0
    ledger = MemoryLedger(lambda: now, most_entries=2)
    await ledger.write([Entry(b"hour", 1, 3600)], 0.0)
    await ledger.write([Entry(b"old", 1, 300)], 0.0)
    now = 400.0
    await ledger.write([Entry(b"new", 1, 300)], now)
    assert [await ledger.look([key]) is not None for key in (b"hour", b"old", b"new")] == [True, False, True]


async def test_of_two_lifetimes_the_longer_one_stays() -> None:
    now = 0.0
    for first, second in ((300, 3600), (3600, 300)):
        ledger = MemoryLedger(lambda: now)
        await ledger.write([Entry(b"key", 1, first)], 0.0)
        await ledger.write([Entry(b"key", 1, second)], 0.0)
        assert await ledger.look([b"key"]) == Entry(b"key", 1, 3600)
        assert len(ledger) == 1


async def test_the_first_of_the_keys_is_found_and_it_alone_renewed() -> None:
    now = 0.0
    ledger = MemoryLedger(lambda: now)
    await ledger.write([Entry(b"a", 1, 300), Entry(b"b", 2, 300)], 0.0)
    now = 299.0
    assert await ledger.look([b"none", b"b", b"a"]) == Entry(b"b", 2, 300)
    now = 300.0
    assert await ledger.look([b"a"]) is None
    assert await ledger.look([b"b"]) == Entry(b"b", 2, 300)


@pytest.mark.parametrize("kind", ["text", "picture", "many"])
async def test_long_requests_are_hashed_while_others_run(kind: str) -> None:
    if kind == "text":
        blocks = [text("wörter und mehr " * 130_000)]
    elif kind == "picture":
        data = base64_of(png(20, 20)) + "A" * 20_000_000
        blocks = [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}]
    else:
        blocks = [text(f"{number}") for number in range(20_000)]
    request = asking(*blocks, marked(text("end")))
    now = 0.0
    caching = PromptCache(MemoryLedger(lambda: now), lambda: now)
    model = model_of()
    await caching.begin(request, model, "w")
    longest = 0.0
    running = True

    async def others() -> None:
        nonlocal longest
        while running:
            before = perf_counter()
            await asyncio.sleep(0)
            longest = max(longest, perf_counter() - before)

    # The server freezes what is alive when it starts; here a collection would look through all of the tests' objects.
    gc.collect()
    gc.freeze()
    watch = asyncio.create_task(others())
    await asyncio.sleep(0)
    begun = perf_counter()
    try:
        await caching.begin(request, model, "w")
    finally:
        gc.unfreeze()
    took = perf_counter() - begun
    running = False
    await watch
    # Half of it at most in one go, or what a busy machine and the garbage collector take anyway.
    assert longest < max(took / 2, 0.05), (longest, took)
