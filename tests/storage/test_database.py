from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from installations import installation, locked, query
from understudy.settings import SettingsError, StorageSettings
from understudy.storage.database import Database
from understudy.storage.insert import RowInsert
from understudy.usage.tables import usage


async def test_a_new_data_directory_and_its_files_belong_to_this_user_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        async with installation(tmp_path / "deep" / "data") as (db, _):
            async with db.begin() as connection:
                await connection.execute(text("UPDATE organization_changes SET revision = 1"))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "deep" / "data").iterdir()}
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "deep" / "data").stat().st_mode) == 0o700
    assert {"understudy.db", "understudy.db-wal", "root.secret"} <= modes.keys()
    assert set(modes.values()) == {0o600}


async def test_every_connection_keeps_a_write_ahead_log_and_foreign_keys(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _), db.connect() as first, db.connect() as second:
        for connection in (first, second):
            pragmas = [
                (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
            assert pragmas == ["wal", 1, 1, 5000]


async def test_what_raises_inside_begin_is_rolled_back(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        with pytest.raises(RuntimeError):
            async with db.begin() as connection:
                await connection.execute(text("UPDATE organization_changes SET revision = 7"))
                raise RuntimeError
        assert query(tmp_path, "SELECT revision FROM organization_changes") == [(0,)]


async def test_writers_take_turns_instead_of_failing(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):

        async def read_then_write() -> None:
            async with db.begin() as connection:
                now = (await connection.execute(text("SELECT revision FROM organization_changes"))).scalar_one()
                await asyncio.sleep(0.005)
                await connection.execute(text(f"UPDATE organization_changes SET revision = {now + 1}"))

        await asyncio.gather(*(read_then_write() for _ in range(20)))
        assert query(tmp_path, "SELECT revision FROM organization_changes") == [(20,)]


async def test_a_lock_that_stays_is_an_error_that_says_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.storage.sqlite.BUSY_TIMEOUT", 0.1)
    async with installation(tmp_path) as (db, _):
        with locked(tmp_path), pytest.raises(OperationalError) as raised:
            async with db.begin():
                pass
        assert db.is_unavailable(raised.value)
        assert not db.is_unavailable(ValueError())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("nonsense", "not a database URL"),
        ("postgresql://u:pa55word@host:port/db", "not a database URL"),
        ("mysql://u:pa55word@localhost/db", "'mysql' is not supported"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
        ("sqlite:///file:x?mode=memory&uri=true", "needs a file"),
        ("sqlite:////proc/none/x.db", "cannot be made"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_refused_without_showing_its_password(
    tmp_path: Path, url: str, says: str
) -> None:
    with pytest.raises(SettingsError, match="database_url") as raised:
        Database(StorageSettings(data_dir=tmp_path, database_url=url))
    assert says in str(raised.value)
    assert "pa55word" not in str(raised.value)


def test_a_data_directory_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"storage\.data_dir: .*file/data cannot be made"):
        Database(StorageSettings(data_dir=tmp_path / "file" / "data"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_is_read_only_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o500)
    with pytest.raises(SettingsError, match=r"storage\.data_dir: .* is not writable"):
        Database(StorageSettings(data_dir=tmp_path / "data"))


_COLUMNS = [column.name for column in usage.c][1:15]


_KEY = ["received_at", "request_id"]


def _usage(request_id: str, model: str = "m") -> tuple[Any, ...]:
    return (request_id, 1.5, None, None, None, model, None, None, None, 1, 2, 3, 4, 5)


@pytest.mark.parametrize("count", [0, 1, 49, 50, 51, 499, 500, 501, 1234])
async def test_any_number_of_rows_is_inserted_whole_and_in_order(tmp_path: Path, count: int) -> None:
    async with installation(tmp_path) as (db, _):
        insert = RowInsert(db, usage, _COLUMNS, _KEY)
        async with db.begin() as connection:
            await insert.run(connection, [_usage(f"req_{number}") for number in range(count)])
    expected = [(f"req_{number}",) for number in range(count)]
    assert query(tmp_path, 'SELECT request_id FROM "usage" ORDER BY id') == expected


async def test_rows_that_stand_there_already_are_passed_over(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        insert = RowInsert(db, usage, _COLUMNS, _KEY)
        for numbers in (range(60), range(30, 120)):
            async with db.begin() as connection:
                await insert.run(connection, [_usage(f"req_{number}", "first") for number in numbers])
    assert query(tmp_path, 'SELECT count(*), count(DISTINCT request_id) FROM "usage"') == [(120, 120)]


@pytest.fixture(scope="module")
def shared_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data_dir = tmp_path_factory.mktemp("shared")

    async def make() -> None:
        async with installation(data_dir):
            pass

    asyncio.run(make())
    return data_dir


@given(model=st.text(st.characters(exclude_categories=["Cs"])))
@example("'); DROP TABLE api_keys; --")
@example('" OR 1=1')
@settings(deadline=None)  # A whole database for each, on a machine that may be loaded.
def test_abuse_59_what_a_row_holds_is_never_read_as_sql(shared_data_dir: Path, model: str) -> None:
    async def write_and_read() -> None:
        async with installation(shared_data_dir) as (db, _):
            async with db.begin() as connection:
                await connection.execute(usage.delete())
                insert = RowInsert(db, usage, _COLUMNS, _KEY)
                await insert.run(connection, [_usage(f"req_{number}", model) for number in range(51)])
            async with db.connect() as connection:
                rows = (await connection.execute(usage.select())).all()
            assert [row.model for row in rows] == [model] * 51

    asyncio.run(write_and_read())
