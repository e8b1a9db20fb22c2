"""Lists in pages, read from the database a page at a time. Both schemes of the API (see http/pagination.py).

Newest first, and among objects of one moment by id. A cursor of the first scheme is an object's id; one of the second
is opaque: a place in one list of one organization with one set of filters, sealed, so that another's, or one that was
tampered with, is refused before it reaches the database.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NotRequired

import orjson
from pydantic import BeforeValidator, Field
from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from understudy.http.pagination import DEFAULT_LIMIT, MAX_LIMIT, PageParams
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError

Render = Callable[[Any], dict[str, Any]]


# The SDKs write a null in a query as an empty text.
Nullable = Annotated[str | None, BeforeValidator(lambda text: text or None)]


class CursorParams(TypedDict):
    """The query of a list with opaque cursors."""

    page: NotRequired[Nullable]
    limit: NotRequired[Annotated[int, Field(ge=1, le=MAX_LIMIT)]]


class ShortCursorParams(TypedDict):
    """The same for lists whose pages hold at most 100."""

    page: NotRequired[Nullable]
    limit: NotRequired[Annotated[int, Field(ge=1, le=100)]]


class Order:
    """What a list is sorted by: `at`, then `id_`."""

    def __init__(self, at: ColumnElement[Any], id_: ColumnElement[Any], *, newest_first: bool = True) -> None:
        self.at, self.id, self.newest_first = at, id_, newest_first

    def by(self, *, backwards: bool = False) -> list[ColumnElement[Any]]:
        descending = self.newest_first is not backwards
        return [one.desc() if descending else one.asc() for one in (self.at, self.id)]

    def behind(self, at: float, id_: str, *, backwards: bool = False) -> ColumnElement[bool]:
        """What comes behind that place of the list; before it if `backwards`."""
        if self.newest_first is not backwards:
            return or_(self.at < at, and_(self.at == at, self.id < id_))
        return or_(self.at > at, and_(self.at == at, self.id > id_))


async def id_page(
    connection: AsyncConnection,
    query: Select[Any],
    params: PageParams,
    *,
    order: Order,
    within: ColumnElement[bool],
    id_of: Callable[[Row[Any]], str],
    render: Render,
) -> dict[str, Any]:
    """A page by `after_id`, `before_id` and `limit`.

    `within` says which objects the caller may see at all: the id of one that `query` filters out is still a cursor, any
    other id is none. 400 for that, and for both cursors at once.
    """
    after, before = params.get("after_id"), params.get("before_id")
    limit = params.get("limit", DEFAULT_LIMIT)
    if after is not None and before is not None:
        raise InvalidRequestError("Only one of `before_id` and `after_id` may be provided")
    backwards = before is not None
    cursor = before if backwards else after
    if cursor is not None:
        place = (await connection.execute(select(order.at).where(within, order.id == cursor))).scalar()
        if place is None:
            name = "before_id" if backwards else "after_id"
            raise InvalidRequestError(f"Invalid pagination cursor for '{name}'")
        query = query.where(order.behind(place, cursor, backwards=backwards))
    query = query.where(within).order_by(*order.by(backwards=backwards)).limit(limit + 1)
    rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
    shown = list(rows[:limit])
    if backwards:
        shown.reverse()
    return {
        "data": [render(row) for row in shown],
        "has_more": len(rows) > limit,
        "first_id": id_of(shown[0]) if shown else None,
        "last_id": id_of(shown[-1]) if shown else None,
    }


class Cursors:
    """Makes and reads opaque cursors."""

    def __init__(self, root: RootSecret) -> None:
        self._keys = [key for _, key in root.derive_all("organization page cursor")]

    def make(self, bound: Sequence[Any], at: float, id_: str) -> str:
        place = orjson.dumps([at, id_])
        return "page_" + base64.urlsafe_b64encode(self._seal(self._keys[0], bound, place) + place).decode().rstrip("=")

    def read(self, bound: Sequence[Any], page: str) -> tuple[float, str]:
        """The place that `page` names in the list that it was made for. 400 if it was made for none such."""
        text = page.removeprefix("page_")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, place = raw[:_SEAL], raw[_SEAL:]
        if not any(hmac.compare_digest(self._seal(key, bound, place), seal) for key in self._keys):
            raise InvalidRequestError("Invalid pagination cursor for 'page'")
        at, id_ = orjson.loads(place)
        return float(at), str(id_)

    def _seal(self, key: bytes, bound: Sequence[Any], place: bytes) -> bytes:
        return hmac.digest(key, orjson.dumps(list(bound)) + b"\0" + place, "sha256")[:_SEAL]


_SEAL: Final = 16


async def cursor_page(
    connection: AsyncConnection,
    query: Select[Any],
    params: CursorParams | ShortCursorParams,
    cursors: Cursors,
    *,
    order: Order,
    bound: Sequence[Any],
    place_of: Callable[[Row[Any]], tuple[float, str]],
    render: Render,
) -> dict[str, Any]:
    """A page by `page` and `limit`. `bound` is all that decides what the list holds: its name, whose it is, filters."""
    limit = params.get("limit", DEFAULT_LIMIT)
    page = params.get("page")
    if page:
        query = query.where(order.behind(*cursors.read(bound, page)))
    rows: Sequence[Row[Any]] = (await connection.execute(query.order_by(*order.by()).limit(limit + 1))).all()
    shown = rows[:limit]
    more = len(rows) > limit
    return {
        "data": [render(row) for row in shown],
        "next_page": cursors.make(bound, *place_of(shown[-1])) if more else None,
    }
