"""The database: SQLite in the data directory by default, PostgreSQL by its URL."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from understudy.settings import SettingsError, StorageSettings
from understudy.storage import sqlite

FILE_NAME = "understudy.db"

_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


class Database:
    """Connections to one database. It is made without connecting; `migrate` must have run before tables are used.

    `dialect` is `sqlite` or `postgresql`; `data_dir` is where other rooms keep what belongs beside the database.
    """

    def __init__(self, settings: StorageSettings) -> None:
        """Raises SettingsError when the URL cannot be used or its directory cannot be written to."""
        self.data_dir: Path = settings.data_dir.expanduser()
        url = _url(settings.database_url, self.data_dir)
        self.dialect: str = url.get_backend_name()
        if self.dialect == "sqlite":
            sqlite.make_directory(self.data_dir, "storage.data_dir")
            sqlite.make_file(Path(url.database or ""))
        self.engine: AsyncEngine = _engine(url)
        self._writing = self.engine.execution_options(**{sqlite.WRITES: True})

    @property
    def url(self) -> str:
        """The database's URL without its password, to be shown."""
        return self.engine.url.render_as_string(hide_password=True)

    def begin(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that writes: committed at the end of the block, rolled back when it raises.

        On SQLite it holds the one write lock from its beginning, so keep the block short.
        """
        return self._writing.begin()

    def connect(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A connection that reads, all in one snapshot on SQLite."""
        return self.engine.connect()

    async def dispose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()

    def is_unavailable(self, error: BaseException) -> bool:
        """Whether `error` says that the database cannot be used now (locked, full, away) and a later try may do."""
        if isinstance(error, PoolTimeoutError | OSError):
            return True
        return isinstance(error, DBAPIError) and (isinstance(error, OperationalError) or error.connection_invalidated)


def _url(given: str | None, data_dir: Path) -> URL:
    if given is None:
        return URL.create("sqlite+aiosqlite", database=str(data_dir / FILE_NAME))
    try:
        url = make_url(given)
    except (ArgumentError, ValueError):
        raise SettingsError(
            "storage.database_url is not a database URL. One looks like sqlite:////var/lib/understudy.db or "
            "postgresql://user:password@host/database."
        ) from None  # what failed may quote the password
    driver = _DRIVERS.get(url.drivername, url.drivername)
    if driver not in _DRIVERS.values():
        raise SettingsError(
            f"storage.database_url: {url.drivername!r} is not supported; use sqlite://… or postgresql://…."
        )
    if driver == "sqlite+aiosqlite" and (not url.database or ":memory:" in url.database or "mode" in url.query):
        raise SettingsError(
            "storage.database_url: SQLite needs a file, such as sqlite:////var/lib/understudy.db; "
            "a database in memory would be another one for every connection."
        )
    return url.set(drivername=driver)


def _engine(url: URL) -> AsyncEngine:
    # hide_parameters: what a row holds does not belong in an exception's message.
    if url.get_backend_name() == "sqlite":
        # isolation_level None: the driver begins no transactions of its own; see sqlite.prepare.
        arguments = {"timeout": sqlite.BUSY_TIMEOUT, "isolation_level": None}
        engine = create_async_engine(url, connect_args=arguments, hide_parameters=True)
        sqlite.prepare(engine.sync_engine)
        return engine
    try:
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"storage.database_url: {url.get_backend_name()} needs the Python package {error.name!r}."
        ) from error
