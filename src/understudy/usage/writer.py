"""Rows into the database: one transaction for many, and none that spoils the others."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.storage.database import Database
from understudy.storage.insert import RowInsert
from understudy.usage import tables
from understudy.usage.dimensions import Dimensions, Key, key_of
from understudy.usage.metrics import Metrics
from understudy.usage.rollups import RollUps
from understudy.usage.rows import REQUEST_COLUMNS, USAGE_COLUMNS, Row, request_row, usage_row

AlsoWrite = Callable[[AsyncConnection], Awaitable[Callable[[], None]]]
"""Writes something else in the transaction of the rows; what it returns is called once that has committed."""

_KEY = ("received_at", "request_id")

_log = logging.getLogger(__name__)


class RowWriter:
    """Writes requests' rows, the usage rows that belong to them, and the sums of these. A row that stands there already
    is passed over."""

    def __init__(self, db: Database, metrics: Metrics, *, request_log: bool, also_write: AlsoWrite | None) -> None:
        """`request_log`: whether rows are written for all requests, or only for those that asked a model."""
        self._db = db
        self._metrics = metrics
        self._also_write = also_write
        self._insert_requests = RowInsert(db, tables.request_log, REQUEST_COLUMNS, _KEY) if request_log else None
        self._insert_usage = RowInsert(db, tables.usage, (*USAGE_COLUMNS, "dimension_id"), _KEY)
        self._dimensions = Dimensions(db)
        self._rollups = RollUps(db.dialect)

    async def write(self, rows: Sequence[Row]) -> None:
        """Write `rows` in one transaction. A row that the database will never take is dropped, and logged.

        Raises what the database raises when it cannot be used now: nothing is written then.
        """
        try:
            await self._write(rows, self._also_write)
        except Exception as error:
            if self._db.is_unavailable(error) or not rows:
                raise
            await self._isolate(rows)
        else:
            self._metrics.count_rows("written", len(rows))

    async def write_in(self, connection: AsyncConnection, rows: Sequence[Row]) -> Callable[[], None]:
        """Write `rows` in the connection's transaction. Call what is returned once that has committed."""
        numbers: dict[Key, int] = {}
        if self._insert_requests is not None and rows:
            await self._insert_requests.run(connection, list(map(request_row, rows)))
        usage_rows = [row for row in map(usage_row, rows) if row is not None]
        if usage_rows:
            keys = list(map(key_of, usage_rows))
            numbers = await self._dimensions.numbers(connection, keys)
            newest = await self._rollups.newest(connection)
            numbered = [(*row, numbers[key]) for row, key in zip(usage_rows, keys, strict=True)]
            await self._insert_usage.run(connection, numbered)
            await self._rollups.add(connection, newest)
        return lambda: self._dimensions.remember(numbers)

    async def _write(self, rows: Sequence[Row], also_write: AlsoWrite | None) -> None:
        committed = None
        async with self._db.begin() as connection:
            written = await self.write_in(connection, rows)
            if also_write is not None:
                committed = await also_write(connection)
        written()
        if committed is not None:
            committed()

    async def _isolate(self, rows: Sequence[Row]) -> None:
        """Write `rows` without the one that is to blame, found by halving."""
        try:
            await self._write(rows, None)
        except Exception as error:
            if self._db.is_unavailable(error):
                raise
            if len(rows) == 1:
                _log.error("the row of request %s is refused by the database: %s", rows[0][0], type(error).__name__)
                self._metrics.count_rows("refused", 1)
            else:
                middle = len(rows) // 2
                await self._isolate(rows[:middle])
                await self._isolate(rows[middle:])
        else:
            self._metrics.count_rows("written", len(rows))
