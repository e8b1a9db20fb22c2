"""Sums of the usage rows by minute, hour and day, added to in the transaction that writes the rows.

So a row is in the sums exactly if it is in the table, whatever crashes, and one that is written a second time (from a
spill file, say) counts no second time.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Table, text
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.usage.tables import ROLLUPS, SUMMED

_NEWEST: Final = text('SELECT coalesce(max(id), 0) FROM "usage"')


def bucket_of(dialect: str, width: int) -> str:
    """SQL for the beginning of the bucket that a usage row falls into; `width` is the buckets' seconds."""
    if dialect == "sqlite":
        return f"CAST(received_at / {width} AS INTEGER) * {width}"
    return f"CAST(floor(received_at / {width}) AS BIGINT) * {width}"


class RollUps:
    def __init__(self, dialect: str) -> None:
        # A number above is one of this transaction's rows, or on PostgreSQL also of one that goes on beside it.
        own = "" if dialect == "sqlite" else " AND xmin = pg_current_xact_id()::xid"
        self._statements = [text(_statement(dialect, width, table, own)) for width, table in ROLLUPS]

    async def newest(self, connection: AsyncConnection) -> int:
        """The newest row's number, to be asked for before rows are written."""
        number: int = (await connection.execute(_NEWEST)).scalar_one()
        return number

    async def add(self, connection: AsyncConnection, newest: int) -> None:
        """Add the rows to the sums that this transaction has written since `newest`."""
        for statement in self._statements:
            await connection.execute(statement, {"newest": newest})


def _statement(dialect: str, width: int, table: Table, own: str) -> str:
    counters = ("requests", *SUMMED)
    added = ", ".join(f"{name} = {table.name}.{name} + excluded.{name}" for name in counters)
    sums = ", ".join(f"CAST(sum({name}) AS BIGINT)" for name in SUMMED)
    # Ordered, so that two servers lock the sums they share in the same order.
    return (
        f"INSERT INTO {table.name} (bucket, dimension_id, {', '.join(counters)}) "  # noqa: S608 names of ours
        f"SELECT {bucket_of(dialect, width)} AS begins, dimension_id, count(*), {sums} "
        f'FROM "usage" WHERE id > :newest{own} GROUP BY begins, dimension_id ORDER BY begins, dimension_id '
        f"ON CONFLICT (bucket, dimension_id) DO UPDATE SET {added}"
    )
