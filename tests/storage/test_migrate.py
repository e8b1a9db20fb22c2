from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from installations import databases, installation, output_of, query, start_python
from understudy.settings import SettingsError, StorageSettings
from understudy.storage.database import Database
from understudy.storage.metadata import metadata
from understudy.storage.migrate import MIGRATIONS, DatabaseTooNewError, head_revision, make_apart, migrate

_MIGRATE = """
import asyncio, sys
from pathlib import Path
from understudy.settings import StorageSettings
from understudy.storage.database import Database
from understudy.storage.migrate import migrate

async def main():
    db = Database(StorageSettings(data_dir=Path(sys.argv[1])))
    await migrate(db)
    await db.dispose()

asyncio.run(main())
print("alembic" in sys.modules)
"""


@pytest.mark.each_database
async def test_the_migrations_make_exactly_the_tables_of_the_metadata(tmp_path: Path) -> None:
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with installation(tmp_path) as (db, _), db.connect() as connection:
        assert await connection.run_sync(differences) == []
        assert {"installation", "api_keys", "request_log", "usage"} <= metadata.tables.keys()


async def test_the_migrations_make_the_same_checks_and_names_as_the_metadata(tmp_path: Path) -> None:
    names = 'SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE "%alembic%" ORDER BY name'

    def described(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
        # The order of a table's constraints is not part of what it is.
        return [(kind, name, sorted(re.split(r"[\s,()]+", str(sql)))) for kind, name, sql in rows]

    async with installation(tmp_path / "migrated"):
        pass
    db = Database(StorageSettings(data_dir=tmp_path / "created"))
    async with db.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await db.dispose()
    assert described(query(tmp_path / "migrated", names)) == described(query(tmp_path / "created", names))


def test_the_revisions_are_one_line_and_their_files_are_named_by_their_numbers() -> None:
    revisions = list(ScriptDirectory(str(MIGRATIONS)).walk_revisions())[::-1]
    numbers = [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert [revision.revision for revision in revisions] == numbers
    assert [revision.down_revision for revision in revisions] == [None, *numbers[:-1]]
    assert all(Path(revision.path).name.startswith(f"{revision.revision}_") for revision in revisions)
    assert head_revision() == numbers[-1]


async def test_migrating_once_more_changes_nothing_and_imports_no_alembic(tmp_path: Path) -> None:
    assert output_of(start_python(_MIGRATE, str(tmp_path))).strip() == "True"
    assert output_of(start_python(_MIGRATE, str(tmp_path))).strip() == "False"
    assert query(tmp_path, "SELECT version_num FROM alembic_version") == [(head_revision(),)]


async def test_processes_that_migrate_a_new_database_at_once_all_succeed(tmp_path: Path) -> None:
    processes = [start_python(_MIGRATE, str(tmp_path / "data")) for _ in range(4)]
    for process in processes:
        output_of(process)
    assert query(tmp_path / "data", "SELECT version_num FROM alembic_version") == [(head_revision(),)]
    assert query(tmp_path / "data", "SELECT count(*) FROM organization_changes") == [(1,)]


@pytest.mark.each_database
async def test_tasks_that_migrate_a_new_database_at_once_all_succeed(tmp_path: Path) -> None:
    opened = [Database(databases.settings(tmp_path)) for _ in range(3)]
    await asyncio.gather(*(migrate(db) for db in opened))
    for db in opened:
        await db.dispose()


@pytest.mark.each_database
async def test_a_database_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with db.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(DatabaseTooNewError, match=f"revision 9999, newer than this program's {head_revision()}"):
            await migrate(db)
    assert issubclass(DatabaseTooNewError, SettingsError)
    assert query(tmp_path, "SELECT version_num FROM alembic_version") == [("9999",)]


@pytest.mark.each_database
async def test_a_migration_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = Database(databases.settings(tmp_path))

    def broken(connection: Connection, directory: str) -> None:
        connection.execute(text("CREATE TABLE half_done (id INTEGER)"))
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr("understudy.storage.migrations.upgrade.upgrade", broken)
        with pytest.raises(RuntimeError):
            await migrate(db)
    async with db.connect() as connection:
        assert await connection.run_sync(lambda opened: inspect(opened).get_table_names()) == []
    await migrate(db)
    await db.dispose()


_APART = _MIGRATE.replace(
    "asyncio.run(main())",
    """
from understudy.storage.migrate import make_apart
make_apart(StorageSettings(data_dir=Path(sys.argv[1])))
asyncio.run(main())
""",
)


@pytest.mark.skipif(sys.platform != "linux", reason="a child is forked on Linux only")
def test_a_new_database_is_made_without_alembic_staying_in_the_process(tmp_path: Path) -> None:
    assert output_of(start_python(_MIGRATE, str(tmp_path / "here"))).strip() == "True"
    assert output_of(start_python(_APART, str(tmp_path / "apart"))).strip() == "False"
    names = "SELECT name, sql FROM sqlite_master ORDER BY name"
    assert query(tmp_path / "here", names) == query(tmp_path / "apart", names)


def test_what_keeps_the_child_from_making_a_database_is_told_by_the_migration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no directory")
    settings = StorageSettings(data_dir=tmp_path / "file")
    make_apart(settings)
    with pytest.raises(SettingsError):
        Database(settings)
