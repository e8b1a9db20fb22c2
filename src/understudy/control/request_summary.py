"""Requests, errors, tokens and cost by time: what the Console's dashboard shows. Not in the real API.

What asked a model is told by the sums of usage, what was refused before by the request log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Annotated, Any, Final, NotRequired

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

_Id = Annotated[Printable, Field(min_length=1, max_length=256)]


class SummaryParams(RangeParams):
    bucket_width: NotRequired[Width]
    workspace_id: NotRequired[_Id]
    api_key_id: NotRequired[_Id]
    actor_id: NotRequired[_Id]
    model: NotRequired[_Id]


class GroupedParams(SummaryParams):
    group_by: NotRequired[By]


_PARAMS: Final = Shape(GroupedParams)

_READ: Final = (*TOKEN_COUNTERS, COST)
_NOT_FAILED: Final = {"errors": 0, "rate_limited": 0}

COLUMNS: Final = (
    "starting_at",
    "ending_at",
    *BY,
    "requests",
    "errors",
    "rate_limited",
    *TOKEN_COUNTERS,
    "cost",
)
"""Of the CSV file."""


class RequestSummary:
    """`clock`: seconds since the epoch."""

    def __init__(self, db: Database, cursors: Cursors, clock: Callable[[], float]) -> None:
        self._db = db
        self._cursors = cursors
        self._clock = clock

    async def summary(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/request_summary: buckets, each with `results` by `group_by`. `requests` are all of models' and those
        that failed; `errors` failed, but for `rate_limited`, the 429s; `cost` is in dollars."""
        params = read_query(exchange, _PARAMS.adapter)
        require(principal_of(exchange), "usage:read", params.get("workspace_id"))
        now, width = self._clock(), params.get("bucket_width", "1d")
        bound = bound_by("request summary", organization_id, params)
        at = buckets(params, width, LIMITS, now, self._cursors, bound)
        by: list[By] = [params["group_by"]] if "group_by" in params else []
        equal: list[tuple[By, str]] = [(name, params.get(name, "")) for name in BY if name in params]
        scope = Scope(organization_id, by, [(name, frozenset({value})) for name, value in equal])
        asked = ReportQuery(scope, at.start, at.end, width, summed=_READ)
        used = await report(self._db, asked, now)
        found: dict[int, dict[tuple[str, ...], dict[str, Any]]] = {}
        for begins in used.texts:
            of_bucket = found[begins] = {}
            for place, requests, *tokens, cost in used.rows(begins):
                of_bucket[used.groups[place]] = {
                    "requests": requests,
                    **_NOT_FAILED,
                    **dict(zip(TOKEN_COUNTERS, tokens, strict=True)),
                    "cost": plain(cost),
                }
        async with self._db.connect() as connection:
            query = FailureQuery(organization_id, at.start, at.end, SECONDS[width], by, equal)
            for one in await failures(connection, self._db.dialect, query):
                result = _of(found, one.begins, one.group)
                result["requests"] += one.failed - one.asked
                result["rate_limited"] = one.rate_limited
                result["errors"] = one.failed - one.rate_limited

        def results(begins: int) -> list[dict[str, Any]]:
            groups = sorted(found.get(begins, {}).items())
            return [{**_named(by, group), **result} for group, result in groups]

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

        return csv_response("usage.csv", COLUMNS, rows())


def _of(found: dict[int, dict[tuple[str, ...], dict[str, Any]]], begins: int, group: tuple[str, ...]) -> dict[str, Any]:
    nothing = {"requests": 0, **_NOT_FAILED, **dict.fromkeys(TOKEN_COUNTERS, 0), "cost": "0"}
    return found.setdefault(begins, {}).setdefault(group, nothing)


def _named(by: list[By], group: tuple[str, ...]) -> Mapping[str, str | None]:
    """Not told apart, and none, are null."""
    named: dict[str, str | None] = dict.fromkeys(BY)
    return named | {name: value or None for name, value in zip(by, group, strict=True)}
