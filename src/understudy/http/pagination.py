"""Lists in pages. `SyncPage` of the SDKs: a page lies after or before an object whose id is known.

Source: the API reference on pagination (2026-10), and what the SDKs send: they go on with `after_id=last_id`, or with
`before_id=first_id` when they began with `before_id`, as long as `has_more` is true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NotRequired, TypeVar

from pydantic import Field
from typing_extensions import TypedDict

from understudy.wire.errors import InvalidRequestError

DEFAULT_LIMIT: Final = 20
MAX_LIMIT: Final = 1_000

_T = TypeVar("_T")


class PageParams(TypedDict):
    """The query of a list. A list with filters of its own extends it."""

    after_id: NotRequired[str]
    before_id: NotRequired[str]
    limit: NotRequired[Annotated[int, Field(ge=1, le=MAX_LIMIT)]]


def refuse_both_cursors(params: PageParams) -> None:
    """400 when both cursors are given [text: guess]."""
    if "after_id" in params and "before_id" in params:
        raise InvalidRequestError("Only one of `before_id` and `after_id` may be provided")


def unknown_cursor(parameter: str) -> InvalidRequestError:
    """400 for a cursor that names no place in the list [text: guess; it is documented of the Compliance API]."""
    return InvalidRequestError(f"Invalid pagination cursor for '{parameter}'")


def sync_page(
    items: Sequence[_T],
    params: PageParams,
    *,
    id_of: Callable[[_T], str],
    render: Callable[[_T], dict[str, Any]],
    keep: Callable[[_T], bool] | None = None,
) -> dict[str, Any]:
    """The page of `items` that `params` ask for. `keep` filters; what it drops can still be a cursor.

    400 when both cursors are given or one is no item's id.
    """
    after, before = params.get("after_id"), params.get("before_id")
    limit = params.get("limit", DEFAULT_LIMIT)
    refuse_both_cursors(params)
    if before is not None:
        kept = _kept(items[: _place(items, id_of, before, "before_id")], keep)
        page, more = kept[-limit:], len(kept) > limit
    else:
        kept = _kept(items if after is None else items[_place(items, id_of, after, "after_id") + 1 :], keep)
        page, more = kept[:limit], len(kept) > limit
    return {
        "data": [render(item) for item in page],
        "has_more": more,
        "first_id": id_of(page[0]) if page else None,
        "last_id": id_of(page[-1]) if page else None,
    }


def _kept(items: Sequence[_T], keep: Callable[[_T], bool] | None) -> Sequence[_T]:
    return items if keep is None else [item for item in items if keep(item)]


def _place(items: Sequence[_T], id_of: Callable[[_T], str], wanted: str, parameter: str) -> int:
    for place, item in enumerate(items):
        if id_of(item) == wanted:
            return place
    raise unknown_cursor(parameter)
