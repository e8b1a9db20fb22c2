"""Bring the database to this program's tables. Alembic is imported only when there is something to do."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
import time
from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import OperationalError

from understudy.settings import SettingsError, StorageSettings
from understudy.storage.database import FILE_NAME, Database
from understudy.storage.sqlite import is_locked

MIGRATIONS = Path(__file__).parent / "migrations"

_PATIENCE = 60.0  # seconds to wait for another process that migrates the same database
_ADVISORY_LOCK = 0x756E6465  # any fixed number: PostgreSQL's lock by which two migrating processes take turns


class DatabaseTooNewError(SettingsError):
    """The database was migrated by a newer version of this program."""


def head_revision() -> str:
    """The newest revision this program knows: the highest number a file in migrations/versions begins with."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


async def migrate(db: Database) -> None:
    """Make or upgrade all tables. Several processes may do so at once; one does the work and the others wait.

    Raises DatabaseTooNewError when the database knows a revision that this program does not.
    """
    head = head_revision()
    async with db.connect() as connection:
        if _is_at(head, await connection.run_sync(_current_revision), db):
            return

    from understudy.storage.migrations.upgrade import upgrade  # imports Alembic, before the lock is taken

    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            async with db.begin() as connection:
                if db.dialect == "postgresql":
                    await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
                if not _is_at(head, await connection.run_sync(_current_revision), db):
                    await connection.run_sync(upgrade, str(MIGRATIONS))
                return
        except OperationalError as error:
            if not is_locked(error) or time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


def make_apart(settings: StorageSettings) -> None:
    """Make a new embedded database in a child process: Alembic's 12 MB would stay for as long as a server runs.

    Does nothing where there is such a file already, nor where no child can be forked. What fails is told by `migrate`,
    which is to be called all the same.
    """
    if settings.database_url is not None or (settings.data_dir.expanduser() / FILE_NAME).exists():
        return
    if sys.platform != "linux" or threading.active_count() > 1:
        return
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    try:
        asyncio.run(_make(settings))
    finally:
        # Nothing of what the parent has still to write or to clean up is the child's.
        os._exit(0)


async def _make(settings: StorageSettings) -> None:
    db = Database(settings)
    try:
        await migrate(db)
    finally:
        await db.dispose()


def _is_at(head: str, current: str | None, db: Database) -> bool:
    if current is not None and current > head:
        raise DatabaseTooNewError(
            f"The database {db.url} is at revision {current}, newer than this program's {head}. "
            "Start the version of Understudy that last used it, or a later one."
        )
    return current == head


def _current_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT max(version_num) FROM alembic_version")).scalar_one()
