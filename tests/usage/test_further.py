"""What becomes of the calls of other models that a request has made."""

from __future__ import annotations

from pathlib import Path

import orjson

from installations import installation, query
from understudy.http.record import RequestRecord
from usage_records import record

from .test_recorder import Started, ids, started

ASKED = "claude-opus-4-8"
ASKS = "claude-sonnet-4-6"


def advised() -> RequestRecord:
    call = record(model=ASKED, method="ADVISOR", path="/v1/messages/req_1", input_tokens=7)
    return record(model=ASKS, further=(call,))


async def test_each_call_has_a_row_and_a_price_of_its_own(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        one = advised()
        async with started(db) as it:
            it.recorder.record(one)
        assert set(ids(tmp_path)) == {one.request_id, one.further[0].request_id}
        rows = query(tmp_path, "SELECT model, input_tokens, input_cost FROM usage ORDER BY id")
        # Dollars for a million tokens: 3 and 5.
        assert rows == [(ASKS, 10, 30_000), (ASKED, 7, 35_000)]


async def test_they_are_no_requests_over_http(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with started(db) as it:
            it.recorder.record(advised())
        assert len([orjson.loads(line) for line in it.printed.getvalue().splitlines()]) == 1
        text = it.metrics.render()[0].decode()
        count = next(
            line for line in text.splitlines() if line.startswith("http_server_request_duration_seconds_count")
        )
        assert count.endswith(" 1.0"), count


async def test_what_is_written_along_with_a_batch_has_them_too(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Started(db)
        async with db.begin() as connection:
            committed = await it.recorder.record_in(connection, [advised(), record(model=ASKS)])
        committed()
        rows = query(tmp_path, "SELECT model FROM usage")
        assert sorted(str(row[0]) for row in rows) == [ASKED, ASKS, ASKS]


async def test_they_count_where_the_queue_is_full(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with started(db, queue_rows=100, flush_interval=60) as it:
            for _ in range(80):
                it.recorder.record(advised())
        # What the queue has no room for stands in the spill file, and is read back.
        assert it.outcome("written") + it.outcome("spilled") == 160
