from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from installations import databases, installation, query
from understudy.settings import LoggingSettings, UsageSettings
from understudy.storage.database import Database
from understudy.storage.migrate import MIGRATIONS, migrate
from understudy.storage.migrations.upgrade import config
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder
from understudy.usage.retention import Pruning, Retention
from understudy.usage.rows import ROW_COLUMNS, request_rows
from understudy.usage.spill import SpillFile
from understudy.usage.tables import DIMENSIONS, ROLLUPS, SUMMED
from understudy.usage.writer import RowWriter
from usage.reporting import HAIKU, SONNET, at, used
from usage_records import plain_record


def sums_of(data_dir: Path, width: int, table: str | None) -> list[tuple[object, ...]]:
    """What a roll-up says, or (without one) what it should: the sums of the rows, by their dimensions' texts."""
    names = ", ".join(f"d.{name}" for name in DIMENSIONS)
    if table is None:
        sums = ", ".join(f"CAST(sum(u.{name}) AS BIGINT)" for name in SUMMED)
        place = f"CAST(received_at AS BIGINT) / {width} * {width}"
        where = f'"usage" u JOIN usage_dimensions d ON d.id = u.dimension_id GROUP BY {place}, {names}'
        return query(data_dir, f"SELECT {place} AS b, {names}, count(*), {sums} FROM {where} ORDER BY b, {names}")
    sums = ", ".join(f"u.{name}" for name in SUMMED)
    where = f"{table} u JOIN usage_dimensions d ON d.id = u.dimension_id"
    return query(data_dir, f"SELECT u.bucket AS b, {names}, u.requests, {sums} FROM {where} ORDER BY b, {names}")


def check_rollups(data_dir: Path) -> int:
    for width, table in ROLLUPS:
        assert sums_of(data_dir, width, table.name) == sums_of(data_dir, width, None)
    return len(sums_of(data_dir, 60, None))


RECORDS = st.lists(
    st.builds(
        used,
        # Whole seconds: what is behind the point is cut off in another place of the query above.
        st.integers(int(at("2026-11-21T22:00:00")), int(at("2026-11-22T02:00:00"))).map(float),
        model=st.sampled_from([SONNET, HAIKU]),
        api_key_id=st.sampled_from(["apikey_a", "apikey_b", None]),
        service_tier=st.sampled_from(["standard", "batch", None]),
        input_tokens=st.integers(-5, 300_000),
        output_tokens=st.one_of(st.none(), st.integers(0, 2**70)),
    ),
    max_size=12,
)


@pytest.mark.each_database
async def test_roll_ups_are_the_sums_of_the_rows_however_they_are_written(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        writer = RowWriter(db, Metrics([]), request_log=True, also_write=None)
        await _write_examples(writer)
        assert check_rollups(tmp_path) > 10


async def _write_examples(writer: RowWriter) -> None:
    batches: list[Any] = []

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(RECORDS)
    def collect(records: list[Any]) -> None:
        batches.append(request_rows([*records, plain_record()]))

    collect()
    for rows in batches:
        await writer.write(rows)
        await writer.write(rows[: len(rows) // 2])


@pytest.mark.each_database
async def test_rows_that_are_written_once_more_count_once(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        rows = request_rows([used("2026-11-22T10:00:00"), used("2026-11-22T10:00:01")])
        writer = RowWriter(db, Metrics([]), request_log=True, also_write=None)
        await writer.write(rows)
        await writer.write(rows)
        again = RowWriter(db, Metrics([]), request_log=False, also_write=None)
        await again.write([*rows, *request_rows([used("2026-11-22T10:00:02")])])
        assert query(tmp_path, "SELECT sum(requests) FROM usage_days") == [(3,)]
        check_rollups(tmp_path)


@pytest.mark.each_database
async def test_a_write_that_fails_leaves_neither_rows_nor_sums(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):

        async def broken(_: Any) -> Any:
            raise ConnectionError

        rows = request_rows([used("2026-11-22T10:00:00")])
        with pytest.raises(ConnectionError):
            await RowWriter(db, Metrics([]), request_log=True, also_write=broken).write(rows)
        assert query(tmp_path, "SELECT count(*) FROM usage_days") == [(0,)]
        assert query(tmp_path, "SELECT count(*) FROM usage_dimensions") == [(0,)]
        await RowWriter(db, Metrics([]), request_log=True, also_write=None).write(rows)
        check_rollups(tmp_path)


@pytest.mark.each_database
async def test_servers_that_write_at_once_add_up(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        writers = [RowWriter(db, Metrics([]), request_log=False, also_write=None) for _ in range(4)]
        moment = at("2026-11-22T10:00:00")
        shared = [used(moment + number, api_key_id=f"apikey_{number % 7}") for number in range(40)]

        async def write(writer: RowWriter, place: int) -> None:
            own = [used(moment + number, api_key_id=f"apikey_{number % 7}") for number in range(60)]
            if place % 2:
                own.reverse()
            for start in range(0, 60, 20):
                await writer.write(request_rows([*own[start : start + 20], *shared]))

        await asyncio.gather(*(write(writer, place) for place, writer in enumerate(writers)))
        assert query(tmp_path, "SELECT sum(requests) FROM usage_hours") == [(4 * 60 + 40,)]
        check_rollups(tmp_path)


async def test_a_spill_file_that_is_read_back_twice_counts_once_at_the_price_of_its_time(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        rows = request_rows([used("2026-11-22T10:00:00"), used("2026-11-22T10:01:00")])
        for _ in range(2):
            SpillFile(db.data_dir).append(rows)
            recorder = Recorder(db, UsageSettings(), LoggingSettings(requests=False), Metrics([]))
            await recorder.start()
            async with asyncio.timeout(10):
                while list(tmp_path.glob("usage.spill*")):
                    await asyncio.sleep(0.02)
            await recorder.stop()
        assert rows[0][ROW_COLUMNS.index("cost")] > 101 * 15_000
        assert query(tmp_path, "SELECT sum(requests), sum(output_cost) FROM usage_days") == [(2, 2 * 101 * 15_000)]
        check_rollups(tmp_path)


@pytest.mark.each_database
async def test_what_is_too_old_is_removed_and_the_days_sums_stay(tmp_path: Path) -> None:
    now = at("2026-11-22T12:00:00")
    day = 86_400.0
    async with installation(tmp_path) as (db, _):
        writer = RowWriter(db, Metrics([]), request_log=True, also_write=None)
        ages = [0.0, 1.9, 2.1, 6.9, 7.1, 29.9, 30.1, 500.0]
        await writer.write(request_rows([used(now - age * day) for age in ages]))
        await writer.write(request_rows([used(now - 40 * day + number) for number in range(2_500)]))
        pruning = Pruning(db, Retention(request_log_days=7, usage_days=30, hours_days=400), lambda: now)
        removed = await pruning.prune()
        assert removed > 2 * 2_500
        assert query(tmp_path, "SELECT count(*) FROM request_log") == [(4,)]
        assert query(tmp_path, 'SELECT count(*) FROM "usage"') == [(6,)]
        assert query(tmp_path, "SELECT count(*) FROM usage_minutes") == [(2,)]
        assert query(tmp_path, "SELECT sum(requests) FROM usage_hours") == [(2_507,)]
        assert query(tmp_path, "SELECT sum(requests) FROM usage_days") == [(2_508,)]
        assert await pruning.prune() == 0


@pytest.mark.each_database
async def test_rows_from_before_the_roll_ups_are_added_up_when_the_database_is_upgraded(tmp_path: Path) -> None:
    db = Database(databases.settings(tmp_path))
    async with db.begin() as connection:
        await connection.run_sync(lambda it: command.upgrade(config(it, str(MIGRATIONS)), "0004"))
        for number in range(50):
            values = f"'req_{number}', {at('2026-11-20T23:30:00') + number * 60}, 'org', NULL, 'm{number % 3}'"
            counts = f"{number * 9_000}, 0, 0, 1, {2**40 if number == 7 else 3}"
            await connection.execute(
                text(
                    'INSERT INTO "usage" (request_id, received_at, organization_id, workspace_id, model, '
                    "input_tokens, cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, "
                    f"cache_read_input_tokens, output_tokens) VALUES ({values}, {counts})"
                )
            )
    await migrate(db)
    await db.dispose()
    check_rollups(tmp_path)
    assert query(tmp_path, "SELECT sum(requests) FROM usage_hours") == [(50,)]
    assert query(tmp_path, "SELECT count(*) FROM usage_minutes") == [(50,)]
    counts = query(tmp_path, 'SELECT context_window, count(*) FROM "usage" GROUP BY 1 ORDER BY 1')
    assert counts == [("0-200k", 23), ("200k-1M", 27)]
