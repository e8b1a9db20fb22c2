"""The ledger says what may be read, the engine what was: the longest entry on which both agree counts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
