"""Lists in pages, as the Admin API has them: by the ids of objects, or by opaque cursors (see http/pagination.py).

Newest first, and among objects of one moment by id.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NotRequired

from pydantic import BeforeValidator, Field
from sqlalchemy import ColumnElement, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from understudy.http.cursors import Cursors
from understudy.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, PageParams
from understudy.http.row_pages import Order, rows_by_cursor, rows_by_id

Render = Callable[[Any], dict[str, Any]]

EMPTY_IS_NULL: Final = BeforeValidator(lambda text: text or None)
"""The SDKs write a null in a query as an empty text."""

Nullable = Annotated[str | None, EMPTY_IS_NULL]


class CursorParams(TypedDict):
    """The query of a list with opaque cursors."""

    page: NotRequired[Nullable]
    limit: NotRequired[Annotated[int, Field(ge=1, le=MAX_LIMIT)]]


class ShortCursorParams(TypedDict):
    """The same for lists whose pages hold at most 100."""

    page: NotRequired[Nullable]
    limit: NotRequired[Annotated[int, Field(ge=1, le=100)]]


async def id_page(
    connection: AsyncConnection,
    query: Select[Any],
    params: PageParams,
    *,
    order: Order,
    within: ColumnElement[bool],
    render: Render,
) -> dict[str, Any]:
    """A page by `after_id`, `before_id` and `limit`, as `rows_by_id` reads it."""
    rows, more = await rows_by_id(connection, query, params, order, within)
    return {
        "data": [render(row) for row in rows],
        "has_more": more,
        "first_id": order.place_of(rows[0])[1] if rows else None,
        "last_id": order.place_of(rows[-1])[1] if rows else None,
    }


async def cursor_page(
    connection: AsyncConnection,
    query: Select[Any],
    params: CursorParams | ShortCursorParams,
    cursors: Cursors,
    *,
    order: Order,
    bound: Sequence[Any],
    render: Render,
) -> dict[str, Any]:
    """A page by `page` and `limit`. `bound` is all that decides what the list holds: its name, whose it is, filters."""
    limit = params.get("limit", DEFAULT_LIMIT)
    rows, more = await rows_by_cursor(connection, query, params.get("page"), limit, cursors, order, bound)
    return {
        "data": [render(row) for row in rows],
        "next_page": cursors.make(bound, *order.place_of(rows[-1])) if more else None,
    }
