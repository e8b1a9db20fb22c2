"""Old sums by the day, without the keys and people that they were told apart by, and the removal of combinations that
nothing is summed by any more. Without this both grow with every key that there ever was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import delete, exists, func, or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.storage.database import Database
from understudy.usage.dimensions import Dimensions, Key
from understudy.usage.grouping import joined
from understudy.usage.tables import (
    DAY,
    DIMENSIONS,
    SUMMED,
    usage,
    usage_days,
    usage_dimensions,
    usage_hours,
    usage_minutes,
)

_FORGOTTEN: Final = ("api_key_id", "actor_id")
_of = usage_dimensions.c
_DETAILED: Final = or_(*(_of[name] != "" for name in _FORGOTTEN))
_AT_ONCE: Final = 500

_COUNTERS: Final = ("requests", *SUMMED)
_ADD: Final = (
    f"INSERT INTO usage_days (bucket, dimension_id, {', '.join(_COUNTERS)}) "  # noqa: S608 names of ours
    f"SELECT bucket, g, {', '.join(f'CAST(sum({name}) AS BIGINT)' for name in _COUNTERS)} "
    "FROM usage_days JOIN m ON m.d = dimension_id WHERE bucket = :bucket GROUP BY bucket, g "
    "ON CONFLICT (bucket, dimension_id) DO UPDATE SET "
    + ", ".join(f"{name} = usage_days.{name} + excluded.{name}" for name in _COUNTERS)
)


class Condensing:
    """Several servers on one database may do so at once."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._dimensions = Dimensions(db)
        self._unused: frozenset[int] = frozenset()

    async def condense(self, before: float) -> int:
        """Add up the days before a moment by workspace and model alone; how many rows were added up."""
        first_kept = int(before // DAY) * DAY
        removed = 0
        while True:
            oldest = (
                select(func.min(usage_days.c.bucket))
                .join(usage_dimensions, _of.id == usage_days.c.dimension_id)
                .where(usage_days.c.bucket < first_kept, _DETAILED)
            )
            async with self._db.connect() as connection:
                bucket: int | None = (await connection.execute(oldest)).scalar()
            if bucket is None:
                return removed
            removed += await self._condense_day(bucket)

    async def _condense_day(self, bucket: int) -> int:
        query = (
            select(_of.id, *(_of[name] for name in DIMENSIONS))
            .join(usage_days, _of.id == usage_days.c.dimension_id)
            .where(usage_days.c.bucket == bucket, _DETAILED)
        )
        async with self._db.connect() as connection:
            plain = {row[0]: _plain(tuple(row[1:])) for row in await connection.execute(query)}
        if not plain:  # another server was faster
            return 0
        # In a transaction of its own: in the next, which stops all writers, nothing is waited for.
        async with self._db.begin() as connection:
            numbers = await self._dimensions.numbers(connection, plain.values())
        async with self._db.begin() as connection:
            if not await _stand(connection, set(numbers.values()), keep=self._db.dialect != "sqlite"):
                return 0
            if self._db.dialect != "sqlite":
                await connection.execute(text("LOCK TABLE usage_days IN SHARE ROW EXCLUSIVE MODE"))
            head = await joined(connection, self._db.dialect, {number: numbers[key] for number, key in plain.items()})
            await connection.execute(text(head + _ADD), {"bucket": bucket})
            detailed = sorted(plain)
            for begin in range(0, len(detailed), _AT_ONCE):
                some = detailed[begin : begin + _AT_ONCE]
                gone = delete(usage_days).where(usage_days.c.bucket == bucket, usage_days.c.dimension_id.in_(some))
                await connection.execute(gone)
            if self._db.dialect == "sqlite":
                await connection.exec_driver_sql("DROP TABLE m")
        return len(plain)

    async def remove_unused(self) -> int:
        """Remove the combinations that were in no row when this was last called and are in none now; how many.

        It must be called less often than writers forget the numbers that they remember (dimensions.py): no number is
        then removed that one of them may still write.
        """
        async with self._db.connect() as connection:
            unused = select(_of.id)
            for table in (usage_days, usage_hours, usage_minutes, usage):
                # Not correlated: each table is read once.
                unused = unused.where(_of.id.not_in(select(table.c.dimension_id)))
            found = frozenset((await connection.execute(unused)).scalars())
        removable, self._unused = sorted(found & self._unused), found
        removed = 0
        for begin in range(0, len(removable), _AT_ONCE):
            async with self._db.begin() as connection:
                removed += await self._remove(connection, removable[begin : begin + _AT_ONCE])
        return removed

    async def _remove(self, connection: AsyncConnection, numbers: Sequence[int]) -> int:
        if self._db.dialect != "sqlite":
            # Waits for writers that have found one of these and not committed yet; their rows are then seen.
            await connection.execute(text("LOCK TABLE usage_dimensions IN EXCLUSIVE MODE"))
        used = exists().where(usage_days.c.dimension_id == _of.id)
        return (await connection.execute(delete(usage_dimensions).where(_of.id.in_(numbers), ~used))).rowcount


async def _stand(connection: AsyncConnection, numbers: set[int], *, keep: bool) -> bool:
    """Whether all of these are there, until the transaction ends: one that was long unused may have been removed by
    another server meanwhile. What is added up under it would be in no report."""
    query = select(_of.id).where(_of.id.in_(numbers))
    if keep:
        query = query.with_for_update(key_share=True, read=True)
    return len((await connection.execute(query)).all()) == len(numbers)


def _plain(key: Key) -> Key:
    return tuple(["" if name in _FORGOTTEN else value for name, value in zip(DIMENSIONS, key, strict=True)])
