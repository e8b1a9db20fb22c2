"""The ledger says what may be read, the engine what was: the longest entry on which both agree counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cached_requests import Caching, asking, marked
from every_block import text
from understudy.messages.caching.ledger import Entry, MemoryLedger
from understudy.messages.caching.verified import SLACK, confirmed, prefixes
from understudy.messages.counting import MESSAGES, SYSTEM, TOOLS, Mark

LONG, MIDDLE, SHORT = Entry(b"long", 3000, 300), Entry(b"middle", 2000, 300), Entry(b"short", 1000, 300)
KEYS = [LONG.key, MIDDLE.key, SHORT.key]


async def ledger_of(*entries: Entry) -> MemoryLedger:
    ledger = MemoryLedger(lambda: 0.0)
    await ledger.write(entries, 0.0)
    return ledger


@pytest.mark.parametrize(
    ("reused", "expected"),
    [(3000, LONG), (3000 - SLACK, LONG), (3000 - SLACK - 1, MIDDLE), (1999, MIDDLE), (1200, SHORT), (900, None)],
)
async def test_the_longest_entry_that_was_reused_is_read(reused: int, expected: Entry | None) -> None:
    assert await confirmed(await ledger_of(LONG, MIDDLE, SHORT), KEYS, reused) == expected


async def test_what_the_engine_reused_is_not_read_without_an_entry() -> None:
    assert await confirmed(await ledger_of(), KEYS, 10_000) is None
    assert await confirmed(await ledger_of(SHORT), KEYS, 10_000) == SHORT


@settings(max_examples=50, deadline=None)
@given(alive=st.sets(st.sampled_from([LONG, MIDDLE, SHORT])), reused=st.integers(0, 4000))
async def test_no_more_is_read_than_either_says(alive: set[Entry], reused: int) -> None:
    found = await confirmed(await ledger_of(*alive), KEYS, reused)
    fitting = [entry for entry in alive if entry.tokens <= reused + SLACK]
    assert found == max(fitting, key=lambda entry: entry.tokens, default=None)


async def _engine(marks: Sequence[Mark]) -> tuple[int, Sequence[int]]:
    """Counts a hundred tokens for each mark."""
    return 100 * len(marks), [100 * (place + 1) for place in range(len(marks))]


_A, _B, _C = text("a"), text("b"), text("c")


async def _read(caching: Caching, *blocks: dict[str, Any]) -> int:
    """The tokens that a request reads, without leaving a trace of itself."""
    return (await caching.cache.begin(asking(*blocks), caching.model, "w", measure=_engine)).use.cache_read_input_tokens


async def test_what_the_engine_did_not_reuse_is_not_renewed() -> None:
    caching = Caching()
    first = await caching.cache.begin(asking(marked(_A), marked(_B)), caching.model, "w", measure=_engine)
    await first.started("msg_1")
    caching.now += 200
    second = await caching.cache.begin(asking(_A, _B, marked(_C)), caching.model, "w", measure=_engine)
    await second.confirm(300, 100)  # of what lives, `a` only was still in the engine's memory
    await second.started("msg_2")
    assert second.use.cache_read_input_tokens == 100
    caching.now += 150
    assert await _read(caching, marked(_A)) == 100
    assert await _read(caching, _A, marked(_B)) == 100


async def test_what_the_engine_reused_is_renewed_from_the_beginning_of_the_request() -> None:
    caching = Caching()
    first = await caching.cache.begin(asking(marked(_A)), caching.model, "w", measure=_engine)
    await first.started("msg_1")
    caching.now += 200
    second = await caching.cache.begin(asking(_A, marked(_B)), caching.model, "w", measure=_engine)
    caching.now += 50
    await second.confirm(200, 100)
    await second.started("msg_2")
    caching.now += 249
    assert await _read(caching, marked(_A)) == 100
    caching.now += 1
    assert await _read(caching, marked(_A)) == 0


async def test_where_an_engine_only_counts_the_ledgers_word_is_renewed() -> None:
    caching = Caching()
    first = await caching.cache.begin(asking(marked(_A)), caching.model, "w", measure=_engine)
    await first.started("msg_1")
    caching.now += 200
    await (await caching.cache.begin(asking(_A, marked(_B)), caching.model, "w", measure=_engine)).started("msg_2")
    caching.now += 250
    assert await _read(caching, marked(_A)) == 100


def test_prefixes_end_where_their_marks_stand() -> None:
    tools = [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}]
    system = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    said = {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]}
    request = {"tools": tools, "system": system, "messages": [{"role": "user", "content": "first"}, said]}
    marks = [Mark(TOOLS, 0), Mark(SYSTEM, 0), Mark(MESSAGES, 0), Mark(MESSAGES, 1, 0)]
    assert prefixes(request, marks) == [
        {"messages": [], "system": [], "tools": tools[:1]},
        {"messages": [], "system": system[:1]},
        {"messages": [request["messages"][0]]},
        {"messages": [request["messages"][0], {"role": "user", "content": said["content"][:1]}]},
    ]
    assert len(said["content"]) == 2
