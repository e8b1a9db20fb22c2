"""What the usage and cost reports' queries have in common: times, buckets and cursors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NamedTuple, NotRequired

from pydantic import BeforeValidator, Field
from typing_extensions import TypedDict

from understudy.organization.pages import EMPTY_IS_NULL, Cursors, Nullable
from understudy.usage.reports import SECONDS, Width
from understudy.wire.errors import InvalidRequestError

_RFC_3339: Final = re.compile(
    r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII
)


def _time(value: object) -> float:
    text = value if isinstance(value, str) else ""
    try:
        if not _RFC_3339.fullmatch(text):
            raise ValueError
        # No more digits of a second than a time has.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text.upper())).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("must be an RFC 3339 timestamp with a time zone") from None


Time = Annotated[float, BeforeValidator(_time)]
"""A moment in seconds since the epoch; in the query a text of RFC 3339."""

Values = Annotated[list[Annotated[str, Field(max_length=256)]], Field(max_length=500)]
"""The values of a filter."""


class TimeParams(TypedDict):
    """The query of every report."""

    starting_at: Time
    ending_at: NotRequired[Annotated[Time | None, EMPTY_IS_NULL]]
    page: NotRequired[Nullable]


class RangeParams(TimeParams):
    """The query of reports whose pages hold buckets."""

    limit: NotRequired[Annotated[Annotated[int, Field(ge=1)] | None, EMPTY_IS_NULL]]


def values_of(params: Mapping[str, Any], name: str) -> list[str]:
    """The values of a filter; none where it was not given."""
    return list(params.get(name) or ())


class Buckets(NamedTuple):
    """A page: the beginnings of its first bucket and of the one after its last, in seconds, and where the next begins,
    if there is one."""

    start: int
    end: int
    following: int | None


def buckets(
    params: RangeParams,
    width: Width,
    limits: Mapping[Width, tuple[int, int]],
    now: float,
    cursors: Cursors,
    bound: Sequence[Any],
) -> Buckets:
    """The buckets that `params` ask for. `limits`: of each width, how many there are on a page unless asked, and at
    most. `bound` is all that decides what the report holds.

    Bounds are snapped to the beginning of their bucket; what lies in the future is left out [guess: both; the
    documentation says that buckets are snapped, not to which side].
    """
    seconds = SECONDS[width]
    default, most = limits[width]
    limit = params.get("limit") or default
    if limit > most:
        raise InvalidRequestError(f"limit: must be less than or equal to {most} for bucket_width {width}")
    starting, ending = params["starting_at"], params.get("ending_at")
    if ending is not None and ending <= starting:
        raise InvalidRequestError("ending_at: must be after starting_at")
    start = int(starting // seconds) * seconds
    end = (int(now // seconds) + 1) * seconds
    if ending is not None:
        end = min(end, int(ending // seconds) * seconds)
    page = params.get("page")
    if page:
        place, _ = cursors.read(bound, page)
        start = int(place)
    last = min(end, start + limit * seconds)
    return Buckets(start, last, last if last < end else None)


def rfc3339(seconds: int) -> str:
    """A bucket's bound as the reports write it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def time_buckets(at: Buckets, width: Width, results: Callable[[int], Any]) -> list[dict[str, Any]]:
    """The buckets of a page, those without usage too. `results` makes those of the one that begins at a moment."""
    seconds = SECONDS[width]
    return [bucket(begins, seconds, results(begins)) for begins in range(at.start, at.end, seconds)]


def bucket(begins: int, seconds: int, results: Any) -> dict[str, Any]:
    """A bucket as the reports show it."""
    return {"starting_at": rfc3339(begins), "ending_at": rfc3339(begins + seconds), "results": results}


def bound_by(name: str, organization_id: str, params: Mapping[str, Any]) -> list[Any]:
    """All that decides what a report holds, for its cursors."""
    return [name, organization_id, sorted(one for one in params.items() if one[0] not in {"page", "limit"})]


def page_of(found: Sequence[dict[str, Any]], at: Buckets, cursors: Cursors, bound: Sequence[Any]) -> dict[str, Any]:
    """The answer."""
    return {
        "data": found,
        "has_more": at.following is not None,
        "next_page": None if at.following is None else cursors.make(bound, at.following, ""),
    }
