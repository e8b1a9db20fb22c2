"""What SQLite needs to be told: durability, waiting, and who may read the file."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from understudy.settings import SettingsError

BUSY_TIMEOUT = 5.0
"""Seconds that a statement waits for another connection's lock before it fails with "database is locked"."""

WRITES = "understudy_writes"
"""Execution option of connections that will write: their transaction takes the write lock when it begins."""


def make_directory(directory: Path, setting: str) -> None:
    """Make `directory` for this user alone, unless it is there. Raises SettingsError when it cannot be written to."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"{setting}: the directory {directory} cannot be made: {reason}.") from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise SettingsError(f"{setting}: the directory {directory} is not writable for this user.")


def make_file(path: Path) -> None:
    """Make an empty database file that only this user can read; its WAL inherits the mode from it.

    Only a file that is new is opened here: closing one that is in use would drop SQLite's locks on it.
    """
    try:
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        reason = error.strerror or str(error)
        raise SettingsError(f"storage.database_url: the file {path} cannot be made: {reason}.") from error
    if not path.is_file() or not os.access(path, os.R_OK | os.W_OK):
        raise SettingsError(f"storage.database_url: {path} is not a file that this user can read and write.")


def prepare(engine: Engine) -> None:
    """Set up every connection that `engine` makes. The driver must have been told `isolation_level=None`."""
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)


def is_locked(error: DBAPIError) -> bool:
    """Whether SQLite gave up waiting for another connection: SQLITE_BUSY (5) or SQLITE_LOCKED (6)."""
    return (getattr(error.orig, "sqlite_errorcode", 0) & 0xFF) in (5, 6)


def _on_connect(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    try:
        # Means something for a new file only. Usage rows are wide: 8 KB pages cost a fifth less CPU time than 4 KB.
        cursor.execute("PRAGMA page_size = 8192")
        _set_wal(cursor)
        # A power cut may cost the last transactions, never the database: https://sqlite.org/pragma.html
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
    finally:
        cursor.close()


def _set_wal(cursor: Any) -> None:
    # A file remembers WAL, so this does something once in its life. SQLite does not wait for a second process that
    # switches the same new file at this moment, hence the loop.
    deadline = time.monotonic() + BUSY_TIMEOUT
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
            return
        except Exception as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) not in (5, 6) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _on_begin(connection: Connection) -> None:
    # A deferred transaction that reads before it writes can fail at once with SQLITE_BUSY, whatever the timeout.
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
