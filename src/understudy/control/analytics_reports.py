"""The Analytics API's reports: /v1/organizations/analytics/usage_report and …/cost_report.

Source: the SDK's types (2.12.0). What only other products have (Slack channels, say) is null here, and a filter by it
matches nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from understudy.control.report_params import (
    RangeParams,
    TimeParams,
    Values,
    bound_by,
    buckets,
    page_of,
    rfc3339,
    time_buckets,
    values_of,
)
from understudy.engines.catalog import public_models
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import Shape
from understudy.organization.pages import Cursors
from understudy.organization.roles import require
from understudy.organization.store import principal_of
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.usage.grouping import Scope
from understudy.usage.money import CURRENCY, cents
from understudy.usage.reports import NOTHING, ReportQuery, Sums, Width, report
from understudy.usage.tables import COSTS, DAY, TOKEN_COUNTERS
from understudy.wire.errors import InvalidRequestError

_LIMITS: Final[Mapping[Width, tuple[int, int]]] = {"1m": (60, 256), "1h": (24, 168), "1d": (7, 31)}
_LONGEST: Final = 31 * DAY
_FARTHEST: Final = 365 * DAY
_EARLIEST: Final = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
_MOST_GROUPS: Final = 100

_UsageGroup = Literal[
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "inference_geo",
    "model",
    "product",
    "rbac_group_id",
    "slack_channel_id",
    "speed",
]
_CostGroup = Literal[_UsageGroup, "cost_type", "token_type"]
_Filters = TypedDict(
    "_Filters",
    {
        "claude_tag_categories[]": NotRequired[Values],
        "claude_tag_user_ids[]": NotRequired[Values],
        "context_windows[]": NotRequired[list[Literal["0-200k", "200k-1M"]]],
        "inference_geos[]": NotRequired[list[Literal["global", "not_available", "us"]]],
        "models[]": NotRequired[Values],
        "products[]": NotRequired[Values],
        "rbac_group_ids[]": NotRequired[Values],
        "slack_channel_ids[]": NotRequired[Values],
        "speeds[]": NotRequired[list[Literal["fast", "standard"]]],
        "user_ids[]": NotRequired[Values],
    },
)
_UsageGroups = TypedDict("_UsageGroups", {"group_by[]": NotRequired[list[_UsageGroup]]})
_CostGroups = TypedDict("_CostGroups", {"group_by[]": NotRequired[list[_CostGroup]]})


class _Params(RangeParams, _Filters):
    bucket_width: NotRequired[Width]


class AnalyticsUsageParams(_Params, _UsageGroups):
    pass


class AnalyticsCostParams(_Params, _CostGroups):
    pass


_USAGE: Final = Shape(AnalyticsUsageParams)
_COST: Final = Shape(AnalyticsCostParams)

_COLUMN_OF_FILTER: Final = {
    "context_windows[]": "context_window",
    "inference_geos[]": "inference_geo",
    "models[]": "model",
    "speeds[]": "speed",
    "user_ids[]": "actor_id",
}
# Usage here has none of these.
_ELSEWHERE: Final = (
    "claude_tag_categories[]",
    "claude_tag_user_ids[]",
    "products[]",
    "rbac_group_ids[]",
    "slack_channel_ids[]",
)
_GROUPED: Final = ("context_window", "inference_geo", "model", "speed")
_NULLS: Final[Mapping[str, str | None]] = dict.fromkeys(
    (
        "claude_tag_category",
        "claude_tag_user_id",
        "context_window",
        "inference_geo",
        "model",
        "product",
        "rbac_group_id",
        "slack_channel_id",
        "speed",
    )
)
# In the order of COSTS; what is no token is a cost type of its own.
COST_COMPONENTS: Final = (
    ("tokens", "uncached_input_tokens"),
    ("tokens", "cache_creation.ephemeral_5m_input_tokens"),
    ("tokens", "cache_creation.ephemeral_1h_input_tokens"),
    ("tokens", "cache_read_input_tokens"),
    ("tokens", "output_tokens"),
    ("web_search", None),
)
_SUMS: Final = (*TOKEN_COUNTERS, "web_search_requests")


class AnalyticsReports:
    """`clock`: seconds since the epoch."""

    def __init__(self, db: Database, root: RootSecret, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._cursors = Cursors(root)
        self._clock = clock
        self._id_of = {name: model.id for model in public_models() for name in (model.id, *model.aliases)}

    async def usage(self, exchange: Exchange) -> None:
        """GET /v1/organizations/analytics/usage_report."""
        params = read_query(exchange, _USAGE.adapter)

        def results(rows: Sequence[Sums], shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            ranked = sorted(rows, key=lambda row: -sum(row[2:7]))[:_MOST_GROUPS]
            return [usage_result(shown[row[0]], row) for row in ranked]

        await self._answer(exchange, "analytics/usage_report", params, params.get("group_by[]", []), _SUMS, results)

    async def cost(self, exchange: Exchange) -> None:
        """GET /v1/organizations/analytics/cost_report. The amounts and the list prices are the same: there are no
        discounts here."""
        params = read_query(exchange, _COST.adapter)
        group_by = params.get("group_by[]", [])
        types, tokens = "cost_type" in group_by, "token_type" in group_by

        def results(rows: Sequence[Sums], shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
            ranked = sorted(rows, key=lambda row: -sum(row[2:]))[:_MOST_GROUPS]
            return [one for row in ranked for one in cost_results(shown[row[0]], row, types=types, tokens=tokens)]

        grouped = [name for name in group_by if name not in {"cost_type", "token_type"}]
        await self._answer(exchange, "analytics/cost_report", params, grouped, COSTS, results)

    async def _answer(
        self,
        exchange: Exchange,
        name: str,
        params: _Params,
        asked: Sequence[str],
        summed: Sequence[str],
        results: Callable[[Sequence[Sums], Sequence[dict[str, Any]]], list[dict[str, Any]]],
    ) -> None:
        principal = principal_of(exchange)
        require(principal, "usage:read")
        if "rbac_group_id" in asked:
            raise InvalidRequestError("group_by[]: rbac_group_id is not supported by this server")
        now = self._clock()
        bound = bound_by(name, principal.organization_id, params)
        check_range(params, now)
        if params.get("ending_at") is None:
            params["ending_at"] = min(now + DAY, params["starting_at"] + _LONGEST)
        width = params.get("bucket_width", "1d")
        at = buckets(params, width, _LIMITS, now, self._cursors, bound)
        group_by = [one for one in dict.fromkeys(asked) if one in _GROUPED]
        found = NOTHING
        if not any(values_of(params, one) for one in _ELSEWHERE):
            filters: list[tuple[str, frozenset[str]]] = []
            for key, column in _COLUMN_OF_FILTER.items():
                values = values_of(params, key)
                if values:
                    ids = (self._id_of.get(one, one) if column == "model" else one for one in values)
                    filters.append((column, frozenset(ids)))
            scope = Scope(principal.organization_id, group_by, filters)
            query = ReportQuery(scope, at.start, at.end, width, summed=summed)
            found = await report(self._db, query, now)
        shown = [dimensions_of(group_by, group) for group in found.groups]
        data = time_buckets(at, width, lambda begins: results(found.rows(begins), shown))
        refreshed = {"data_refreshed_at": rfc3339(int(now))}
        await exchange.respond_json({**page_of(data, at, self._cursors, bound), **refreshed})


def check_range(params: TimeParams, now: float) -> None:
    """400 for a range that the Analytics API does not look at [guess: the texts]."""
    starting, ending = params["starting_at"], params.get("ending_at")
    if starting < _EARLIEST or starting < now - _FARTHEST:
        raise InvalidRequestError("starting_at: must be within the last 365 days and not before 2026-01-01T00:00:00Z")
    if ending is not None and ending > starting + _LONGEST:
        raise InvalidRequestError("ending_at: the range may span at most 31 days")


def dimensions_of(group_by: Sequence[str], group: Sequence[str]) -> dict[str, Any]:
    """All dimensions of a result; those that were not grouped by are null."""
    shown: dict[str, Any] = dict(_NULLS)
    for name, value in zip(group_by, group, strict=True):
        # A place that a model does not take is null in these reports.
        shown[name] = None if value in {"", "not_available"} else value
    return shown


def usage_result(dimensions: Mapping[str, Any], row: Sums) -> dict[str, Any]:
    """A result of the usage report. `row` is one of a Report, summed by the token counters and web searches."""
    _, requests, fresh, short, long, read, output, searches = row
    return {
        **dimensions,
        "uncached_input_tokens": fresh,
        "cache_creation": {"ephemeral_1h_input_tokens": long, "ephemeral_5m_input_tokens": short},
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "server_tool_use": {"web_search_requests": searches},
        "requests": requests,
    }


def cost_results(dimensions: Mapping[str, Any], row: Sums, *, types: bool, tokens: bool) -> list[dict[str, Any]]:
    """One result, or one for each cost type or token type that was charged. `row`: of a Report, summed by COSTS."""
    if not types and not tokens:
        return [_cost(dimensions, sum(row[2:]), requests=row[1])]
    amounts: dict[tuple[str | None, str | None], int] = {}
    for (cost_type, token_type), amount in zip(COST_COMPONENTS, row[2:], strict=True):
        key = (cost_type if types else None, token_type if tokens else None)
        amounts[key] = amounts.get(key, 0) + amount
    return [
        _cost(dimensions, amount, cost_type=cost_type, token_type=token_type)
        for (cost_type, token_type), amount in amounts.items()
        if amount
    ]


def _cost(
    dimensions: Mapping[str, Any],
    amount: int,
    *,
    requests: int | None = None,
    cost_type: str | None = None,
    token_type: str | None = None,
) -> dict[str, Any]:
    text = cents(amount)
    return {
        **dimensions,
        "amount": text,
        "list_amount": text,
        "currency": CURRENCY,
        "cost_type": cost_type,
        "token_type": token_type,
        "requests": requests,
    }
