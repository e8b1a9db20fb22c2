"""A migrated database in a directory of its own, for tests of the rooms that keep state."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from services import Postgres
from understudy.batches import tables as batches_tables
from understudy.console import tables as console_tables
from understudy.files import tables as files_tables
from understudy.limits import spend_tables
from understudy.limits import tables as limits_tables
from understudy.organization import tables as organization_tables
from understudy.sandbox import tables as sandbox_tables
from understudy.settings import SecuritySettings, StorageSettings
from understudy.skills import tables as skills_tables
from understudy.storage.database import FILE_NAME, Database
from understudy.storage.migrate import migrate
from understudy.storage.secrets import RootSecret
from understudy.usage import tables as usage_tables

# All stand in the shared metadata once they are imported.
_ = batches_tables, files_tables, spend_tables, limits_tables, organization_tables, usage_tables
_ = skills_tables
_ = sandbox_tables
_ = console_tables


class _Where:
    """Where installations keep their database: in SQLite, or in a PostgreSQL server while `on` says so."""

    def __init__(self) -> None:
        self.postgres: Postgres | None = None

    @contextmanager
    def on(self, postgres: Postgres | None) -> Generator[None]:
        self.postgres, before = postgres, self.postgres
        try:
            yield
        finally:
            self.postgres = before

    def settings(self, data_dir: Path) -> StorageSettings:
        url = None if self.postgres is None else self.postgres.database(str(data_dir))
        return StorageSettings(data_dir=data_dir, database_url=url)


databases = _Where()


@asynccontextmanager
async def installation(data_dir: Path) -> AsyncGenerator[tuple[Database, RootSecret]]:
    """The database and root secret of `data_dir`, made at the first use."""
    settings = databases.settings(data_dir)
    db = Database(settings)
    try:
        await migrate(db)
        yield db, RootSecret.load(SecuritySettings(), settings)
    finally:
        await db.dispose()


@contextmanager
def locked(data_dir: Path) -> Generator[sqlite3.Connection]:
    """Holds the database's write lock from another connection; roll back to let go earlier."""
    connection = sqlite3.connect(data_dir / FILE_NAME, isolation_level=None, timeout=10)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield connection
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.close()


def query(data_dir: Path, statement: str) -> list[tuple[object, ...]]:
    """The rows of `statement`, read past SQLAlchemy."""
    if databases.postgres is not None:
        return databases.postgres.execute(statement, databases.postgres.database(str(data_dir)))
    connection = sqlite3.connect(data_dir / FILE_NAME, timeout=10)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def all_bytes(directory: Path) -> bytes:
    """Every byte of every file in `directory`."""
    return b"".join(path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file())


def start_python(script: str, *arguments: str) -> subprocess.Popen[str]:
    """Another Python process that runs `script`."""
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def output_of(process: subprocess.Popen[str], timeout: float = 60.0) -> str:
    """What `process` printed, once it has ended well."""
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)
    assert process.returncode == 0, err
    return out
