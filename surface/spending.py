"""What the spend and report routes take, and examples of their answers, made by the code that makes the real ones."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from understudy.control import spend_shapes as shapes
from understudy.control.analytics import cost_items, group_of, usage_metrics
from understudy.control.analytics_params import CostParams, UsageParams
from understudy.control.analytics_reports import (
    AnalyticsCostParams,
    AnalyticsUsageParams,
    cost_results,
    dimensions_of,
    usage_result,
)
from understudy.control.report_params import Buckets, page_of, rfc3339, time_buckets
from understudy.control.spend_summaries import Effective
from understudy.organization.pages import Cursors
from understudy.storage.secrets import LEAST_CHARACTERS, RootSecret
from understudy.usage.ranking import Ranked
from understudy.usage.tables import COSTS, DAY

Examples = Callable[[], list[Any]]

_BASE = "/v1/organizations"
_ORGANIZATION = "o"


def _row(**values: Any) -> Any:
    return SimpleNamespace(**values)


_USERS = [_row(id="u", name="n", email="e", removed_at=removed_at) for removed_at in (None, 1.0)]
_LIMITS = [
    _row(id="l", scope_type=kind, scope_id=id_, amount=amount, period="monthly", created_at=1.0, updated_at=1.0)
    for kind, id_, amount in (("organization", "", None), ("workspace", "w", 1), ("user", "u", 1))
]
_TIER = shapes.tier_limit_object(_ORGANIZATION, 1, 1.0)


def _limits() -> list[Any]:
    return [*map(shapes.limit_object, _LIMITS), _TIER]


def _deleted() -> list[Any]:
    return [{"id": "l", "type": "spend_limit_deleted"}]


def _summaries() -> list[Any]:
    own = {(limit.scope_type, limit.scope_id): limit for limit in _LIMITS}
    of_organization = {("organization", ""): own["organization", ""]}
    bounds: list[tuple[Any, Any]] = [(own, None), (of_organization, None), ({}, _TIER), ({}, None)]
    return [Effective(_ORGANIZATION, limits, tier, {}).summary(user) for limits, tier in bounds for user in _USERS]


def _requests(*statuses: str) -> list[Any]:
    actor = shapes.user_actor(_USERS[0])
    return [
        shapes.increase_object(
            _row(id="r", period="monthly", status=status, created_at=1.0, resolved_at=resolved_at),
            actor,
            None if resolved_at is None else actor,
            summary if status == "pending" else None,
        )
        for status in statuses
        for resolved_at in ([None] if status == "pending" else [1.0])
        for summary in _summaries()
    ]


def _any_requests() -> list[Any]:
    return _requests("pending", "approved", "denied")


def _approved() -> list[Any]:
    return [{**request, "spend_limit": limit} for request in _requests("approved") for limit in _limits()]


def _denied() -> list[Any]:
    return _requests("denied")


def _pages(examples: Examples) -> Examples:
    return lambda: [{"data": examples(), "next_page": page} for page in (None, "page_a")]


_GROUPED = ["context_window", "inference_geo", "model", "speed"]
_GROUPS = [("0-200k", "us", "m", "standard"), ("200k-1M", "not_available", "m", "fast")]
_DIMENSIONS = [dimensions_of(_GROUPED, group) for group in _GROUPS] + [dimensions_of([], [])]
# The group, the requests; then as many sums as tokens and searches, or costs, have.
_SUMS = (0, 1, *(1 for _ in COSTS))


def _reports(results: list[Any]) -> list[Any]:
    cursors = Cursors(RootSecret(["-" * LEAST_CHARACTERS]))
    pages = (Buckets(0, DAY, None), Buckets(0, DAY, DAY))
    return [
        {
            **page_of(time_buckets(at, "1d", lambda _: results), at, cursors, ()),
            "data_refreshed_at": rfc3339(0),
        }
        for at in pages
    ]


def _usage() -> list[Any]:
    return _reports([usage_result(dimensions, _SUMS) for dimensions in _DIMENSIONS])


def _costs() -> list[Any]:
    return _reports(
        [
            one
            for dimensions in _DIMENSIONS
            for types in (True, False)
            for tokens in (True, False)
            for one in cost_results(dimensions, _SUMS, types=types, tokens=tokens)
        ]
    )


_RANKED_BY = ["actor", "actor_type", "api_key_id", *_GROUPED, "product", "service_tier", "workspace_id"]
_ACTORS = {"user_1": _USERS[0], "user_2": _USERS[1]}
_RANKED = [
    group_of(_RANKED_BY, (actor, kind, "apikey_1", *_GROUPS[0], "messages_api", "standard", "wrkspc_1"), _ACTORS)
    for actor, kind in (
        ("user_1", "user_actor"),
        ("user_2", "user_actor"),
        ("svac_1", "service_account_actor"),
        ("apikey_1", "api_actor"),
    )
] + [group_of([], (), {})]
_ROW = Ranked(0, (), 1, (1,) * len(COSTS))


def _pages_of_ranks(items: list[dict[str, Any]]) -> list[Any]:
    bounds = {"starting_at": rfc3339(0), "ending_at": rfc3339(DAY)}
    data, refreshed = [{**bounds, **item} for item in items], {"data_refreshed_at": rfc3339(0)}
    return [{"data": data, "has_more": page is not None, "next_page": page, **refreshed} for page in (None, "page_a")]


def _ranked_usage() -> list[Any]:
    return _pages_of_ranks([{"group": group, "usage": usage_metrics(_ROW)} for group in _RANKED])


def _ranked_costs() -> list[Any]:
    return _pages_of_ranks(
        [
            one
            for group in _RANKED
            for types in (True, False)
            for tokens in (True, False)
            for one in cost_items(group, _ROW, types=types, tokens=tokens)
        ]
    )


_REQUEST = f"{_BASE}/spend_limit_increase_requests/{{}}"

ROWS: dict[tuple[str, str], tuple[Any, Any, Examples]] = {
    ("GET", f"{_BASE}/spend_limits"): (None, shapes.ListParams, _pages(_limits)),
    ("POST", f"{_BASE}/spend_limits"): (shapes.SetBody, None, _limits),
    ("GET", f"{_BASE}/spend_limits/effective"): (None, shapes.EffectiveParams, _pages(_summaries)),
    ("GET", f"{_BASE}/spend_limits/{{}}"): (None, None, _limits),
    ("DELETE", f"{_BASE}/spend_limits/{{}}"): (None, None, _deleted),
    ("GET", f"{_BASE}/spend_limit_increase_requests"): (None, shapes.RequestsParams, _pages(_any_requests)),
    ("GET", _REQUEST): (None, None, _any_requests),
    ("POST", f"{_REQUEST}/approve"): (shapes.ApproveBody, None, _approved),
    ("POST", f"{_REQUEST}/deny"): (shapes.DenyBody, None, _denied),
    ("GET", f"{_BASE}/analytics/usage"): (None, UsageParams, _ranked_usage),
    ("GET", f"{_BASE}/analytics/cost"): (None, CostParams, _ranked_costs),
    ("GET", f"{_BASE}/analytics/usage_report"): (None, AnalyticsUsageParams, _usage),
    ("GET", f"{_BASE}/analytics/cost_report"): (None, AnalyticsCostParams, _costs),
}
"""Method and path → body, query, examples of the answer."""
