"""What is kept for how long, and the task that removes the rest, a little at a time."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table, delete, func, select

from understudy.storage.database import Database
from understudy.usage.condensing import Condensing
from understudy.usage.tables import DAY, HOUR, MINUTE, request_log, usage, usage_hours, usage_minutes

KEPT_MINUTES: Final = 48 * HOUR
"""Seconds that sums by the minute are kept; older minutes are added up from the usage rows while these are there."""

INTERVAL: Final = 600.0
"""Seconds between two rounds."""

_ROWS: Final = 1_000  # deleted at once: on SQLite some milliseconds in which nobody else writes
_BUCKETS: Final = {usage_minutes.name: 10 * MINUTE, usage_hours.name: HOUR}
_PAUSE: Final = 0.02

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that rows are kept; None is for ever. Sums by the day always are: spending is known by them.

    `days_days`: how long they tell keys and people apart.
    """

    request_log_days: int | None = 30
    usage_days: int | None = 90
    hours_days: int | None = 400
    days_days: int | None = 400


class Pruning:
    """`clock`: seconds since the epoch, `steady`: seconds, not of the day. Several servers on one database may prune at
    once."""

    def __init__(
        self,
        db: Database,
        retention: Retention,
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._retention = retention
        self._clock = clock
        self._steady = steady
        self._condensing = Condensing(db)
        self._condensed_at: float | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="usage retention")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def prune(self) -> int:
        """Remove what is too old; how many rows that were. Raises what the database raises."""
        now, kept = self._clock(), self._retention
        removed = 0
        for table, days in ((request_log, kept.request_log_days), (usage, kept.usage_days)):
            if days is not None:
                removed += await self._prune_rows(table, now - days * DAY)
        removed += await self._prune_buckets(usage_minutes, now - KEPT_MINUTES)
        if kept.hours_days is not None:
            removed += await self._prune_buckets(usage_hours, now - kept.hours_days * DAY)
        # By no clock that can be set: writers must have forgotten what is removed (dimensions.py).
        steady = self._steady()
        if kept.days_days is not None and (self._condensed_at is None or steady >= self._condensed_at + DAY):
            removed += await self._condensing.condense(now - kept.days_days * DAY)
            removed += await self._condensing.remove_unused()
            self._condensed_at = steady
        return removed

    async def _run(self) -> None:
        while True:
            try:
                await self.prune()
            except Exception as error:
                _log.warning("old request rows cannot be removed now: %s", type(error).__name__)
            await asyncio.sleep(INTERVAL)

    async def _prune_rows(self, table: Table, before: float) -> int:
        oldest = select(table.c.id).where(table.c.received_at < before).order_by(table.c.received_at).limit(_ROWS)
        removed = 0
        while True:
            async with self._db.begin() as connection:
                count = (await connection.execute(delete(table).where(table.c.id.in_(oldest)))).rowcount
            removed += count
            if count < _ROWS:
                return removed
            await asyncio.sleep(_PAUSE)

    async def _prune_buckets(self, table: Table, before: float) -> int:
        removed = 0
        while True:
            async with self._db.connect() as connection:
                first: int | None = (await connection.execute(select(func.min(table.c.bucket)))).scalar()
            if first is None or first >= before:
                return removed
            until = min(before, first + _BUCKETS[table.name])
            async with self._db.begin() as connection:
                removed += (await connection.execute(delete(table).where(table.c.bucket < until))).rowcount
            await asyncio.sleep(_PAUSE)
