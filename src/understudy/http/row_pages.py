"""Lists in pages, read from the database a page at a time (see pagination.py for lists that are in memory)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.cursors import Cursors
from understudy.http.pagination import DEFAULT_LIMIT, PageParams, refuse_both_cursors, unknown_cursor


class Order:
    """What a list is sorted by: `at`, then `id_`. Queries that are sorted so select both columns."""

    def __init__(self, at: Column[Any], id_: Column[Any], *, newest_first: bool = True) -> None:
        self.at, self.id, self.newest_first = at, id_, newest_first
        self._place = tuple_(at, id_)

    def by(self, *, backwards: bool = False) -> list[ColumnElement[Any]]:
        descending = self.newest_first is not backwards
        return [one.desc() if descending else one.asc() for one in (self.at, self.id)]

    def behind(self, at: float, id_: str, *, backwards: bool = False) -> ColumnElement[bool]:
        """What comes behind that place of the list; before it if `backwards`."""
        return self._place < (at, id_) if self.newest_first is not backwards else self._place > (at, id_)

    def place_of(self, row: Row[Any]) -> tuple[float, str]:
        return getattr(row, self.at.name), getattr(row, self.id.name)


async def rows_by_id(
    connection: AsyncConnection, query: Select[Any], params: PageParams, order: Order, within: ColumnElement[bool]
) -> tuple[Sequence[Row[Any]], bool]:
    """The rows of a page by `after_id`, `before_id` and `limit`, and whether more lie behind it, in its direction.

    `within` says which objects the caller may see at all: the id of one that `query` filters out is still a cursor, any
    other id is none. 400 for that, and for both cursors at once.
    """
    refuse_both_cursors(params)
    after, before = params.get("after_id"), params.get("before_id")
    limit = params.get("limit", DEFAULT_LIMIT)
    backwards = before is not None
    cursor = before if backwards else after
    if cursor is not None:
        place = None
        # PostgreSQL has no text with NUL.
        if "\0" not in cursor:
            place = (await connection.execute(select(order.at).where(within, order.id == cursor))).scalar()
        if place is None:
            raise unknown_cursor("before_id" if backwards else "after_id")
        query = query.where(order.behind(place, cursor, backwards=backwards))
    query = query.where(within).order_by(*order.by(backwards=backwards)).limit(limit + 1)
    rows = (await connection.execute(query)).all()
    shown = rows[:limit]
    return shown[::-1] if backwards else shown, len(rows) > limit


async def rows_by_cursor(
    connection: AsyncConnection,
    query: Select[Any],
    page: str | None,
    limit: int,
    cursors: Cursors,
    order: Order,
    bound: Sequence[Any],
) -> tuple[Sequence[Row[Any]], bool]:
    """The same by an opaque cursor; the first page without one, or with an empty text. 400 for another list's."""
    if page:
        query = query.where(order.behind(*cursors.read(bound, page)))
    rows = (await connection.execute(query.order_by(*order.by()).limit(limit + 1))).all()
    return rows[:limit], len(rows) > limit
