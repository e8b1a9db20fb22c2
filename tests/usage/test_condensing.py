"""Days of long ago are added up without their keys, and what nothing is summed by any more is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from installations import installation, query
from understudy.storage.database import Database
from understudy.usage.condensing import Condensing
from understudy.usage.dimensions import REMEMBERED, Key
from understudy.usage.metrics import Metrics
from understudy.usage.retention import Pruning, Retention
from understudy.usage.rows import request_rows
from understudy.usage.sums import spent_ever
from understudy.usage.tables import DAY
from understudy.usage.writer import RowWriter
from usage.reporting import HAIKU, ORGANIZATION, SONNET, at, used

NOW = at("2026-11-22T12:00:00")
LONG_AGO = NOW - 500 * DAY


def _days(data_dir: Path) -> list[tuple[object, ...]]:
    return query(
        data_dir,
        "SELECT bucket, model, api_key_id, actor_id, requests, input_tokens, output_cost FROM usage_days "
        "JOIN usage_dimensions ON id = dimension_id ORDER BY 1, 2, 3, 4",
    )


def _keys(data_dir: Path) -> set[object]:
    return {row[0] for row in query(data_dir, "SELECT api_key_id FROM usage_dimensions")}


async def _write(db: Database, *whens: float, keys: int = 3) -> RowWriter:
    writer = RowWriter(db, Metrics([]), request_log=False, also_write=None)
    rows = [
        used(when, api_key_id=f"apikey_{key}", actor_id="user_01ada" if key else None, model=model)
        for when in whens
        for key in range(keys)
        for model in (HAIKU, SONNET)
    ]
    await writer.write(request_rows(rows))
    return writer


@pytest.mark.each_database
async def test_old_days_are_summed_without_keys_and_people_and_cost_what_they_cost(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        await _write(db, LONG_AGO, LONG_AGO + DAY, NOW)
        async with db.connect() as connection:
            spent = await spent_ever(connection)
        before = _days(tmp_path)
        assert await Condensing(db).condense(NOW - 400 * DAY) == 2 * 6
        after = _days(tmp_path)
        assert [row[1:4] for row in after[:4]] == [(HAIKU, "", ""), (SONNET, "", "")] * 2
        assert [row[4] for row in after[:4]] == [3] * 4
        assert after[4:] == before[12:]
        for column in (4, 5, 6):
            assert sum(int(str(row[column])) for row in after) == sum(int(str(row[column])) for row in before)
        async with db.connect() as connection:
            assert await spent_ever(connection) == spent
            assert spent[ORGANIZATION] > 0
        assert await Condensing(db).condense(NOW - 400 * DAY) == 0
        # What comes late, from a spill file, is added to it.
        await _write(db, LONG_AGO)
        assert await Condensing(db).condense(NOW - 400 * DAY) == 6
        assert [row[4] for row in _days(tmp_path)[:4]] == [6, 6, 3, 3]


@pytest.mark.each_database
async def test_servers_that_condense_at_once_count_nothing_twice(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        await _write(db, *(LONG_AGO + day * DAY for day in range(8)))
        late = [_write(db, LONG_AGO + day * DAY) for day in range(8)]
        await asyncio.gather(*(Condensing(db).condense(NOW - 400 * DAY) for _ in range(3)), *late)
        await Condensing(db).condense(NOW - 400 * DAY)
        assert [(row[2], row[4]) for row in _days(tmp_path)] == [("", 6)] * 16


@pytest.mark.each_database
async def test_nothing_is_summed_under_a_combination_that_another_server_has_just_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, _):
        await _write(db, LONG_AGO)
        condensing = Condensing(db)
        numbers = condensing._dimensions.numbers  # pyright: ignore[reportPrivateUsage]
        asked: list[int] = []

        async def removed_at_first(connection: AsyncConnection, keys: Iterable[Key]) -> dict[Key, int]:
            found = await numbers(connection, keys)
            asked.append(len(found))
            return found if len(asked) > 1 else {key: 10**6 + number for key, number in found.items()}

        monkeypatch.setattr(condensing._dimensions, "numbers", removed_at_first)  # pyright: ignore[reportPrivateUsage]
        assert await condensing.condense(NOW - 400 * DAY) == 6
        assert asked == [2, 2]
        assert [(row[2], row[4]) for row in _days(tmp_path)] == [("", 3), ("", 3)]


@pytest.mark.each_database
async def test_combinations_that_are_used_no_more_go_and_come_back(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        now = NOW
        writer = await _write(db, LONG_AGO)
        await _write(db, NOW, keys=1)
        pruning = Pruning(db, Retention(), lambda: now, lambda: now)
        await pruning.prune()
        # Not at once: a server may remember the number of one, and write it.
        assert _keys(tmp_path) == {"", "apikey_0", "apikey_1", "apikey_2"}
        now += 2 * 3_600
        await pruning.prune()
        assert "apikey_1" in _keys(tmp_path)
        now += DAY
        await pruning.prune()
        assert _keys(tmp_path) == {"", "apikey_0"}
        # By then the server looks it up again.
        assert REMEMBERED < DAY
        writer._dimensions._known_until = 0.0  # pyright: ignore[reportPrivateUsage]
        await writer.write(request_rows([used(NOW, api_key_id="apikey_2")]))
        assert [row[2] for row in _days(tmp_path)] == ["", "", "apikey_0", "apikey_0", "apikey_2"]


async def test_a_clock_that_jumps_takes_no_combination_away_that_a_writer_remembers(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        now, steady = NOW, 0.0
        writer = await _write(db, LONG_AGO)
        pruning = Pruning(db, Retention(), lambda: now, lambda: steady)
        await pruning.prune()
        now, steady = now + 30 * DAY, 600.0
        await pruning.prune()
        await writer.write(request_rows([used(now, api_key_id="apikey_2", actor_id="user_01ada")]))
        # It wrote the number that it knew.
        assert [row[2] for row in _days(tmp_path)] == ["", "", "apikey_2"]


@pytest.mark.each_database
async def test_a_writer_that_has_just_found_a_combination_keeps_it(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        await _write(db, LONG_AGO, keys=1)
        condensing = Condensing(db)
        await condensing.condense(NOW - 400 * DAY)
        async with db.begin() as connection:
            for table in ("usage_minutes", "usage_hours", '"usage"'):
                await connection.exec_driver_sql(f"DELETE FROM {table}")
        await condensing.remove_unused()
        await asyncio.gather(condensing.remove_unused(), *(_write(db, NOW, keys=1) for _ in range(4)))
        rows = [row for row in _days(tmp_path) if row[2] == "apikey_0"]
        assert [row[4] for row in rows] == [4, 4]


async def test_days_are_left_alone_where_that_is_asked_for(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        await _write(db, LONG_AGO)
        await Pruning(db, Retention(days_days=None), lambda: NOW).prune()
        assert len(_days(tmp_path)) == 6
