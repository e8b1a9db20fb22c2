"""Requests, errors, tokens and cost by time: what the Console's dashboard shows. Not in the real API.

What asked a model is told by the sums of usage, what was refused before by the request log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Annotated, Any, Final, NotRequired, TypeAlias

from pydantic import Field
from starlette.responses import Response

from understudy.control.csv_export import csv_response
from understudy.control.report_params import RangeParams, bound_by, buckets, page_of, time_buckets
from understudy.control.usage_reports import LIMITS
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import Printable, Shape
from understudy.organization.pages import Cursors
from understudy.organization.roles import require
from understudy.organization.store import principal_of
from understudy.storage.database import Database
from understudy.usage.failures import BY, By, FailureQuery, failures
from understudy.usage.grouping import Scope
from understudy.usage.money import plain
from understudy.usage.reports import COST, SECONDS, ReportQuery, Width, report
from understudy.usage.tables import TOKEN_COUNTERS
from understudy.wire.errors import InvalidRequestError

_Id = Annotated[Printable, Field(min_length=1, max_length=256)]


class SummaryParams(RangeParams):
    bucket_width: NotRequired[Width]
    workspace_id: NotRequired[_Id]
    api_key_id: NotRequired[_Id]
    actor_id: NotRequired[_Id]
    model: NotRequired[_Id]


class GroupedParams(SummaryParams):
    group_by: NotRequired[By]
    top: NotRequired[Annotated[int, Field(ge=1, le=100)]]


_PARAMS: Final = Shape(GroupedParams)

_Group: TypeAlias = tuple[str, ...]
_Sums: TypeAlias = dict[str, int]

_READ: Final = (*TOKEN_COUNTERS, COST)
_NOTHING: Final = dict.fromkeys(("requests", "errors", "rate_limited", *_READ), 0)

COLUMNS: Final = ("starting_at", "ending_at", *BY, *_NOTHING)
"""Of the CSV file."""

OTHERS: Final = "others"
"""Of a result that is the sum of several groups, how many those are."""


class RequestSummary:
    """`clock`: seconds since the epoch."""

    def __init__(self, db: Database, cursors: Cursors, clock: Callable[[], float]) -> None:
        self._db = db
        self._cursors = cursors
        self._clock = clock

    async def summary(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/request_summary: buckets, each with `results` by `group_by`. `requests` are all of models' and those
        that failed; `errors` failed, but for `rate_limited`, the 429s; `cost` is in dollars.

        With `top`, only groups are told apart that are, on this page, among so many of the largest by cost or by
        requests; what the others of a bucket add up to is its last result.
        """
        params = read_query(exchange, _PARAMS.adapter)
        require(principal_of(exchange), "usage:read", params.get("workspace_id"))
        now, width = self._clock(), params.get("bucket_width", "1d")
        bound = bound_by("request summary", organization_id, params)
        at = buckets(params, width, LIMITS, now, self._cursors, bound)
        by: list[By] = [params["group_by"]] if "group_by" in params else []
        if "top" in params and not by:
            raise InvalidRequestError("top: needs group_by")
        equal: list[tuple[By, str]] = [(name, params.get(name, "")) for name in BY if name in params]
        scope = Scope(organization_id, by, [(name, frozenset({value})) for name, value in equal])
        asked = ReportQuery(scope, at.start, at.end, width, summed=_READ)
        used = await report(self._db, asked, now)
        found: dict[int, dict[_Group, _Sums]] = {}
        for begins in used.texts:
            of_bucket = found[begins] = {}
            for place, requests, *sums in used.rows(begins):
                of_bucket[used.groups[place]] = dict(zip(_NOTHING, (requests, 0, 0, *sums), strict=True))
        async with self._db.connect() as connection:
            query = FailureQuery(organization_id, at.start, at.end, SECONDS[width], by, equal)
            for one in await failures(connection, self._db.dialect, query):
                result = found.setdefault(one.begins, {}).setdefault(one.group, {**_NOTHING})
                result["requests"] += one.failed - one.asked
                result["rate_limited"] = one.rate_limited
                result["errors"] = one.failed - one.rate_limited
        apart = _largest(found.values(), params["top"]) if "top" in params else None

        def results(begins: int) -> list[dict[str, Any]]:
            groups = found.get(begins, {})
            shown = [
                {**_named(by, one), **_shown(groups[one])} for one in sorted(groups) if apart is None or one in apart
            ]
            others = [sums for one, sums in groups.items() if apart is not None and one not in apart]
            if others:
                added = {name: sum(one[name] for one in others) for name in _NOTHING}
                shown.append({**_named((), ()), OTHERS: len(others), **_shown(added)})
            return shown

        return page_of(time_buckets(at, width, results), at, self._cursors, bound)

    async def export(self, exchange: Exchange, organization_id: str) -> Response:
        """GET …/request_summary.csv: the page as a file, a row for each bucket and group."""
        page = await self.summary(exchange, organization_id)

        async def rows() -> AsyncGenerator[list[dict[str, Any]]]:
            yield [
                {"starting_at": one["starting_at"], "ending_at": one["ending_at"], **result}
                for one in page["data"]
                for result in one["results"]
            ]

        # So that they are not taken for those without a name.
        told = any(OTHERS in result for one in page["data"] for result in one["results"])
        return csv_response("usage.csv", (*COLUMNS, OTHERS) if told else COLUMNS, rows())


def _largest(buckets: Iterable[Mapping[_Group, _Sums]], most: int) -> set[_Group]:
    """The groups that are among the `most` largest by cost, or by requests."""
    totals: dict[_Group, tuple[int, int]] = {}
    for bucket in buckets:
        for group, sums in bucket.items():
            cost, requests = totals.get(group, (0, 0))
            totals[group] = cost + sums[COST], requests + sums["requests"]
    by_cost = nsmallest(most, totals, key=lambda group: (-totals[group][0], -totals[group][1], group))
    by_requests = nsmallest(most, totals, key=lambda group: (-totals[group][1], -totals[group][0], group))
    return {*by_cost, *by_requests}


def _named(by: Sequence[By], group: _Group) -> Mapping[str, str | None]:
    """Not told apart, and none, are null."""
    named: dict[str, str | None] = dict.fromkeys(BY)
    return named | {name: value or None for name, value in zip(by, group, strict=True)}


def _shown(sums: _Sums) -> dict[str, Any]:
    return {**sums, COST: plain(sums[COST])}
