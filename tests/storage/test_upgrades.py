"""A database of every earlier revision, with rows in all of its tables, becomes one of the newest and keeps them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text, update

from installations import databases
from storage.old_rows import fill, lost, read, tables_of
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.keys import HASH_PURPOSE, KeyHash, mint
from understudy.settings import SecuritySettings
from understudy.storage.database import Database
from understudy.storage.metadata import metadata
from understudy.storage.migrate import MIGRATIONS, migrate
from understudy.storage.migrations.upgrade import config
from understudy.storage.secrets import RootSecret
from understudy.usage.grouping import Scope
from understudy.usage.reports import ReportQuery, report
from understudy.usage.tables import DAY

REVISIONS = sorted(revision.revision for revision in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def _upgrade(connection: Connection, revision: str) -> None:
    command.upgrade(config(connection, str(MIGRATIONS)), revision)


@asynccontextmanager
async def old_database(data_dir: Path, revision: str) -> AsyncGenerator[Database]:
    """A database as the program of that time left it, with rows."""
    db = Database(databases.settings(data_dir))
    try:
        async with db.begin() as connection:
            await connection.run_sync(_upgrade, revision)
            await connection.run_sync(fill)
        yield db
    finally:
        await db.dispose()


def _differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
    return list(compare_metadata(context, metadata))


def _add_key(connection: Connection, root: RootSecret, secret: str) -> None:
    keys = tables_of(connection).tables["api_keys"]
    digest = KeyHash(root.key_id, root.derive(HASH_PURPOSE)).digest(secret.encode()).hex()
    connection.execute(update(keys).where(keys.c.kind == "api").values(hash=digest, hash_key_id=root.key_id))


async def _opened_by(db: Database, root: RootSecret, secret: str) -> tuple[str, str | None] | None:
    authenticator = KeyAuthenticator(db, root)
    await authenticator.start()
    try:
        principal = await authenticator.authenticate(secret)
    finally:
        await authenticator.stop()
    return None if principal is None else (principal.organization_id, principal.workspace_id)


@pytest.mark.each_database
@pytest.mark.parametrize("revision", REVISIONS[:-1])
async def test_an_earlier_database_keeps_its_rows_and_its_keys_open_what_they_opened(
    tmp_path: Path, revision: str
) -> None:
    async with old_database(tmp_path, revision) as db:
        root = RootSecret.load(SecuritySettings(), databases.settings(tmp_path))
        secret = mint("api")
        async with db.begin() as connection:
            await connection.run_sync(_add_key, root, secret)
            before = await connection.run_sync(read)
        assert all(before.rows.values()), "a table without rows proves nothing"
        await migrate(db)
        async with db.connect() as connection:
            after = await connection.run_sync(read)
            assert await connection.run_sync(_differences) == []
        assert lost(before, after) == {}
        assert {table: len(after.rows[table]) for table in before.rows} == {
            table: len(rows) for table, rows in before.rows.items()
        }
        assert await _opened_by(db, root, secret) == ("organizations.id.1", "workspaces.id.1")


@pytest.mark.each_database
@pytest.mark.parametrize("revision", ["0001", "0002", "0003", "0004"])
async def test_usage_from_before_there_were_sums_is_in_the_reports(tmp_path: Path, revision: str) -> None:
    async with old_database(tmp_path, revision) as db:
        async with db.begin() as connection:
            await connection.execute(text('UPDATE "usage" SET output_tokens = 99999999999 WHERE input_tokens = 10'))
        await migrate(db)
        start = 1_790_000_000 // DAY * DAY
        query = ReportQuery(
            Scope("organizations.id.1", ("context_window",)),
            start,
            start + 2 * DAY,
            "1d",
            summed=("input_tokens", "output_tokens", "input_cost"),
        )
        found = await report(db, query, 1_790_010_000.0)
        assert found.groups == [("0-200k",), ("200k-1M",)]
        rows = [row for begins in range(query.start, query.end, DAY) for row in found.rows(begins)]
        # Nobody knew a price then. The tokens that no request has are the most that one may have.
        assert sorted(rows) == [[0, 1, 10, 2**31 - 1, 0], [1, 1, 200_000, 2, 0]]


@pytest.mark.each_database
@pytest.mark.parametrize("revision", ["0001", "0002"])
async def test_workspaces_from_before_the_admin_api_get_what_it_shows(tmp_path: Path, revision: str) -> None:
    async with old_database(tmp_path, revision) as db:
        await migrate(db)
        async with db.connect() as connection:
            names = "id, display_color, compartment_id, workspace_geo, default_inference_geo, tags"
            rows = (await connection.execute(text(f"SELECT {names} FROM workspaces ORDER BY id"))).all()
        assert [row[0] for row in rows] == ["workspaces.id.1", "workspaces.id.2"]
        assert len({row.compartment_id for row in rows}) == 2
        assert {(row.workspace_geo, row.default_inference_geo, row.tags) for row in rows} == {("us", "global", "{}")}


def _index(index: Any) -> str:
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return repr((index["name"], index["column_names"], index["unique"], sorted(options.items())))


def _described(connection: Connection) -> dict[str, Any]:
    """All that a database says of its tables, without the order of what has none."""
    inspector = inspect(connection)
    found: dict[str, Any] = {}
    for table in inspector.get_table_names():
        if table == "alembic_version":
            continue
        columns = {
            one["name"]: (str(one["type"]), one["nullable"], str(one["default"]) if one["default"] else None)
            for one in inspector.get_columns(table)
        }
        found[table] = {
            "columns": columns,
            "primary key": inspector.get_pk_constraint(table),
            "indexes": sorted(map(_index, inspector.get_indexes(table))),
            "unique": sorted(
                (one["name"] or "", one["column_names"]) for one in inspector.get_unique_constraints(table)
            ),
            "checks": sorted(
                ((one["name"] or ""), str(one["sqltext"])) for one in inspector.get_check_constraints(table)
            ),
            "references": sorted(map(repr, inspector.get_foreign_keys(table))),
        }
    return found


@pytest.mark.each_database
@pytest.mark.parametrize("revision", [None, "0001"])
async def test_an_upgraded_database_is_what_the_program_would_make_anew(tmp_path: Path, revision: str | None) -> None:
    """Columns, keys, indexes, checks and references, with their names."""
    if revision is not None:
        async with old_database(tmp_path / "migrated", revision):
            pass
    described: list[dict[str, Any]] = []
    for name in ("migrated", "created"):
        db = Database(databases.settings(tmp_path / name))
        if name == "migrated":
            await migrate(db)
        async with db.begin() as connection:
            if name == "created":
                await connection.run_sync(metadata.create_all)
            described.append(await connection.run_sync(_described))
        await db.dispose()
    assert described[0] == described[1]
    assert set(described[0]) == set(metadata.tables)
