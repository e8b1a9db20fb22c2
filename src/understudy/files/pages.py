"""Lists of files, read from the database a page at a time: newest first, and by id among those of one moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from sqlalchemy import Row, Select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from understudy.files.tables import files
from understudy.http.cursors import Cursors
from understudy.http.pagination import DEFAULT_LIMIT, PageParams, refuse_both_cursors
from understudy.http.row_pages import Order, rows_by_cursor, rows_by_id
from understudy.wire.errors import InvalidRequestError

MOST_IDS: Final = 100

# The name has brackets, so it cannot be written as a class.
_Ids = TypedDict("_Ids", {"ids[]": NotRequired[list[Annotated[str, Field(max_length=200)]]]})


class FileListParams(PageParams, _Ids):
    """The query of GET /v1/files, in all its shapes."""

    page: NotRequired[str]
    scope_id: NotRequired[str]


_ORDER: Final = Order(files.c.created_at, files.c.id)


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
    refuse_both_cursors(params)
    if page and (after or before):
        raise InvalidRequestError("Only one of `before_id` and `after_id` may be provided")
    within = files.c.workspace_id == workspace_id
    if page:
        limit = params.get("limit", DEFAULT_LIMIT)
        return await rows_by_cursor(connection, query.where(within), page, limit, cursors, _ORDER, workspace_id)
    return await rows_by_id(connection, query, params, _ORDER, within)
