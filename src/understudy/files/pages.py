"""Lists of files, read from the database a page at a time: newest first, and by id among those of one moment."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence
from typing import Annotated, Any, Final, NotRequired

import orjson
from pydantic import Field
from sqlalchemy import ColumnElement, Row, Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from understudy.files.tables import files
from understudy.http.pagination import DEFAULT_LIMIT, PageParams
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError

MOST_IDS: Final = 100

# The name has brackets, so it cannot be written as a class.
_Ids = TypedDict("_Ids", {"ids[]": NotRequired[list[Annotated[str, Field(max_length=200)]]]})


class FileListParams(PageParams, _Ids):
    """The query of GET /v1/files, in all its shapes."""

    page: NotRequired[str]
    scope_id: NotRequired[str]


_PLACE: Final = tuple_(files.c.created_at, files.c.id)
_SEAL: Final = 16


class Cursors:
    """Opaque cursors: a place in one workspace's list, sealed, so that another's is refused, and one made by hand."""

    def __init__(self, root: RootSecret) -> None:
        self._keys = [key for _, key in root.derive_all("files page cursor")]

    def make(self, workspace_id: str, created_at: float, file_id: str) -> str:
        place = orjson.dumps([created_at, file_id])
        sealed = self._seal(self._keys[0], workspace_id, place) + place
        return "page_" + base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def read(self, workspace_id: str, page: str) -> tuple[float, str]:
        """Raises InvalidRequestError for a cursor that was not made for this list."""
        text = page.removeprefix("page_")
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except ValueError:
            raw = b""
        seal, place = raw[:_SEAL], raw[_SEAL:]
        if not any(hmac.compare_digest(self._seal(key, workspace_id, place), seal) for key in self._keys):
            raise InvalidRequestError("Invalid pagination cursor for 'page'")
        created_at, file_id = orjson.loads(place)
        return created_at, file_id

    def _seal(self, key: bytes, workspace_id: str, place: bytes) -> bytes:
        return hmac.digest(key, workspace_id.encode() + b"\0" + place, "sha256")[:_SEAL]


def checked_ids(params: FileListParams) -> list[str] | None:
    """The ids that a query asks for, each once; None if it asks for a page. Raises InvalidRequestError."""
    if "ids[]" not in params:
        return None
    ids = list(dict.fromkeys(params["ids[]"]))
    # [guess] the words of both
    if "page" in params or "limit" in params:
        raise InvalidRequestError("ids[]: cannot be combined with `page` or `limit`")
    if len(ids) > MOST_IDS:
        raise InvalidRequestError(f"ids[]: List should have at most {MOST_IDS} items after validation, not {len(ids)}")
    return ids


async def page_of(
    connection: AsyncConnection, query: Select[Any], workspace_id: str, params: FileListParams, cursors: Cursors
) -> tuple[Sequence[Row[Any]], bool]:
    """The rows of `query` on a page, and whether more lie behind it, in its direction. Raises InvalidRequestError."""
    after, before, page = params.get("after_id"), params.get("before_id"), params.get("page")
    if sum(cursor is not None for cursor in (after, before)) > 1 or (page and (after or before)):
        raise InvalidRequestError("Only one of `before_id` and `after_id` may be provided")
    limit = params.get("limit", DEFAULT_LIMIT)
    query = query.where(files.c.workspace_id == workspace_id)
    if page:
        query = query.where(_behind(*cursors.read(workspace_id, page)))
    elif after is not None:
        query = query.where(_behind(await _place(connection, workspace_id, after, "after_id"), after))
    elif before is not None:
        place = await _place(connection, workspace_id, before, "before_id")
        query = query.where(tuple_(place, before) < _PLACE)
    if before is not None:
        query = query.order_by(files.c.created_at.asc(), files.c.id.asc())
    else:
        query = query.order_by(files.c.created_at.desc(), files.c.id.desc())
    rows = (await connection.execute(query.limit(limit + 1))).all()
    shown = list(rows[:limit])
    if before is not None:
        shown.reverse()
    return shown, len(rows) > limit


def _behind(created_at: float, file_id: str) -> ColumnElement[bool]:
    return tuple_(created_at, file_id) > _PLACE


async def _place(connection: AsyncConnection, workspace_id: str, file_id: str, parameter: str) -> float:
    query = select(files.c.created_at).where(files.c.id == file_id, files.c.workspace_id == workspace_id)
    place = (await connection.execute(query)).scalar()
    if place is None:
        raise InvalidRequestError(f"Invalid pagination cursor for '{parameter}'")
    return place
