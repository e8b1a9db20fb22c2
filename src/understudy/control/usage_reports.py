"""The Usage and Cost API: /v1/organizations/usage_report/messages and /v1/organizations/cost_report.

Source: their reference pages and the guide to them (2026-08). Neither is in the SDK (2.12.0).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, NotRequired

import orjson
from sqlalchemy import select
from typing_extensions import TypedDict

from understudy.control.analytics import Analytics
from understudy.control.analytics_reports import AnalyticsReports
from understudy.control.report_params import (
    Buckets,
    RangeParams,
    Values,
    bound_by,
    bucket,
    buckets,
    page_of,
    time_buckets,
    values_of,
)
from understudy.engines.catalog import public_models
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import Shape
from understudy.organization.pages import Cursors
from understudy.organization.roles import require
from understudy.organization.store import principal_of
from understudy.organization.tables import workspaces
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.usage.grouping import Scope
from understudy.usage.money import CURRENCY, cents
from understudy.usage.reports import SECONDS, Report, ReportQuery, Sums, Width, report
from understudy.usage.tables import COSTS, TOKEN_COUNTERS
from understudy.wire.errors import InvalidRequestError

_FAST_MODE: Final = "fast-mode-2026-02-01"

LIMITS: Final[Mapping[Width, tuple[int, int]]] = {"1m": (60, 1_440), "1h": (24, 168), "1d": (7, 31)}
"""Buckets of a page: unless asked, and at most."""

_GroupBy = Literal[
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
]
_Tier = Literal["batch", "flex", "flex_discount", "priority", "priority_on_demand", "standard"]
_Filters = TypedDict(
    "_Filters",
    {
        "account_ids[]": NotRequired[Values],
        "api_key_ids[]": NotRequired[Values],
        "context_window[]": NotRequired[list[Literal["0-200k", "200k-1M"]]],
        "group_by[]": NotRequired[list[_GroupBy]],
        "inference_geos[]": NotRequired[list[Literal["global", "not_available", "us"]]],
        "models[]": NotRequired[Values],
        "service_account_ids[]": NotRequired[Values],
        "service_tiers[]": NotRequired[list[_Tier]],
        "speeds[]": NotRequired[list[Literal["fast", "standard"]]],
        "workspace_ids[]": NotRequired[Values],
    },
)


class _UsageParams(RangeParams, _Filters):
    bucket_width: NotRequired[Width]


_Groups = TypedDict("_Groups", {"group_by[]": NotRequired[list[Literal["description", "workspace_id"]]]})


class _CostParams(RangeParams, _Groups):
    bucket_width: NotRequired[Literal["1d"]]


_USAGE: Final = Shape(_UsageParams)
_COST: Final = Shape(_CostParams)

_COLUMN_OF_FILTER: Final = {
    "account_ids[]": "actor_id",
    "api_key_ids[]": "api_key_id",
    "context_window[]": "context_window",
    "inference_geos[]": "inference_geo",
    "models[]": "model",
    "service_account_ids[]": "actor_id",
    "service_tiers[]": "service_tier",
    "speeds[]": "speed",
    "workspace_ids[]": "workspace_id",
}
_USAGE_SUMS: Final = (*TOKEN_COUNTERS, "web_search_requests")

# In the order of COSTS. The first text is documented, and "Web Search Usage" was seen [guess: the others].
_TOKEN_TYPES: Final = (
    ("uncached_input_tokens", "Input Tokens"),
    ("cache_creation.ephemeral_5m_input_tokens", "Input Tokens, Cache Write (5m)"),
    ("cache_creation.ephemeral_1h_input_tokens", "Input Tokens, Cache Write (1h)"),
    ("cache_read_input_tokens", "Input Tokens, Cache Read"),
    ("output_tokens", "Output Tokens"),
)
_DESCRIBED: Final = ("model", "service_tier", "context_window", "inference_geo", "speed")


class UsageReports:
    """`clock`: seconds since the epoch."""

    def __init__(self, db: Database, root: RootSecret, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._cursors = Cursors(root)
        self._clock = clock
        models = public_models()
        self._id_of = {name: model.id for model in models for name in (model.id, *model.aliases)}
        self._display_names = {model.id: model.display_name for model in models}

    async def messages(self, exchange: Exchange) -> None:
        """GET /v1/organizations/usage_report/messages."""
        params = read_query(exchange, _USAGE.adapter)
        principal = principal_of(exchange)
        require(principal, "usage:read")
        group_by = list(dict.fromkeys(params.get("group_by[]", [])))
        if ("speed" in group_by or "speeds[]" in params) and _FAST_MODE not in exchange.betas:
            # [guess] the text
            raise InvalidRequestError(f"speed: this needs the `{_FAST_MODE}` value of the `anthropic-beta` header")
        width = params.get("bucket_width", "1d")
        bound = bound_by("usage_report/messages", principal.organization_id, params)
        now = self._clock()
        at = buckets(params, width, LIMITS, now, self._cursors, bound)
        filters: list[tuple[str, frozenset[str]]] = []
        for name, column in _COLUMN_OF_FILTER.items():
            values = values_of(params, name)
            if values:
                filters.append((column, frozenset(map(self._id, values) if column == "model" else values)))
        scope = Scope(principal.organization_id, group_by, filters)
        query = ReportQuery(scope, at.start, at.end, width, summed=_USAGE_SUMS)
        found = await report(self._db, query, now)
        default = await self._default_workspace(principal.organization_id) if "workspace_id" in group_by else None
        shown = [_dimensions(group_by, group, default) for group in found.groups]
        data = await _usage_buckets(at, width, found, shown)
        await exchange.respond_json(page_of(data, at, self._cursors, bound))

    async def cost(self, exchange: Exchange) -> None:
        """GET /v1/organizations/cost_report. Priority Tier is paid otherwise and not in it."""
        params = read_query(exchange, _COST.adapter)
        principal = principal_of(exchange)
        require(principal, "usage:read")
        asked = params.get("group_by[]", [])
        by_workspace, described = "workspace_id" in asked, "description" in asked
        group_by: list[str] = ["workspace_id"] if by_workspace else []
        if described:
            group_by += _DESCRIBED
        bound = bound_by("cost_report", principal.organization_id, params)
        now = self._clock()
        at = buckets(params, "1d", LIMITS, now, self._cursors, bound)
        scope = Scope(principal.organization_id, group_by, without=[("service_tier", frozenset({"priority"}))])
        query = ReportQuery(scope, at.start, at.end, "1d", summed=COSTS)
        found = await report(self._db, query, now)
        default = await self._default_workspace(principal.organization_id) if by_workspace else None
        shows_speed = _FAST_MODE in exchange.betas

        def results(row: Sums) -> list[dict[str, Any]]:
            group = dict(zip(group_by, found.groups[row[0]], strict=True))
            workspace = group.get("workspace_id")
            line: dict[str, Any] = {**_NO_COST, "workspace_id": None if workspace in {"", default} else workspace}
            if shows_speed:
                line["speed"] = None
            if described:
                return [one for one in self._described(line, group, row[2:]) if one["amount"] != "0"]
            total = sum(row[2:])
            return [{**line, "amount": cents(total)}] if total else []

        data = time_buckets(at, "1d", lambda begins: [one for row in found.rows(begins) for one in results(row)])
        await exchange.respond_json(page_of(data, at, self._cursors, bound))

    def _described(self, line: dict[str, Any], group: Mapping[str, str], sums: Sequence[int]) -> list[dict[str, Any]]:
        model = group["model"]
        name = self._display_names.get(model, model)
        tokens = {
            "cost_type": "tokens",
            "model": model,
            # The report knows two: whatever is no batch is charged as standard.
            "service_tier": "batch" if group["service_tier"] == "batch" else "standard",
            "context_window": group["context_window"],
            "inference_geo": group["inference_geo"],
        }
        if "speed" in line:
            tokens["speed"] = group["speed"]
        found = [
            {
                **line,
                **tokens,
                "amount": cents(amount),
                "token_type": token_type,
                "description": f"{name} Usage - {what}",
            }
            for (token_type, what), amount in zip(_TOKEN_TYPES, sums, strict=False)
        ]
        searches = {"cost_type": "web_search", "amount": cents(sums[-1]), "description": "Web Search Usage"}
        return [*found, {**line, **searches}]

    def _id(self, name: str) -> str:
        return self._id_of.get(name, name)

    async def _default_workspace(self, organization_id: str) -> str | None:
        query = select(workspaces.c.id).where(
            workspaces.c.organization_id == organization_id, workspaces.c.is_default.is_(True)
        )
        async with self._db.connect() as connection:
            return (await connection.execute(query)).scalar()


_NO_COST: Final[dict[str, Any]] = {
    "amount": "0",
    "context_window": None,
    "cost_type": None,
    "currency": CURRENCY,
    "description": None,
    "inference_geo": None,
    "model": None,
    "service_tier": None,
    "token_type": None,
    "workspace_id": None,
}
_NO_DIMENSIONS: Final[dict[str, str | None]] = dict.fromkeys(
    (
        "account_id",
        "api_key_id",
        "context_window",
        "inference_geo",
        "model",
        "service_account_id",
        "service_tier",
        "workspace_id",
    )
)


def _dimensions(group_by: Sequence[str], group: Sequence[str], default_workspace: str | None) -> dict[str, str | None]:
    """A result's dimensions: null unless grouped by, where nothing stands, and for the default workspace."""
    shown = dict(_NO_DIMENSIONS)
    for name, value in zip(group_by, group, strict=True):
        shown[name] = None if not value or (name == "workspace_id" and value == default_workspace) else value
    return shown


async def _usage_buckets(
    at: Buckets, width: Width, found: Report, dimensions: Sequence[Mapping[str, str | None]]
) -> list[dict[str, Any]]:
    """The buckets; others get a turn in between, for there may be a hundred thousand results."""
    beginnings = [orjson.dumps(one)[:-1] for one in dimensions]
    seconds = SECONDS[width]
    data: list[dict[str, Any]] = []
    made = 0
    for begins in range(at.start, at.end, seconds):
        rows = found.rows(begins)
        results = b",".join([_USAGE_RESULT % (beginnings[group], *sums) for group, _, *sums in rows])
        made += len(rows)
        if made > _AT_ONCE:
            made = 0
            await asyncio.sleep(0)
        data.append(bucket(begins, seconds, orjson.Fragment(b"[" + results + b"]")))
    return data


# A result's numbers, in the order of _USAGE_SUMS, behind its dimensions: as text, which takes a third of the time.
_USAGE_RESULT: Final = (
    b'%b,"uncached_input_tokens":%d,"cache_creation":{"ephemeral_5m_input_tokens":%d,"ephemeral_1h_input_tokens":%d},'
    b'"cache_read_input_tokens":%d,"output_tokens":%d,"server_tool_use":{"web_search_requests":%d}}'
)
_AT_ONCE: Final = 5_000


def usage_routes(db: Database, root: RootSecret, clock: Callable[[], float] = time.time) -> list[ApiRoute]:
    """The reports' routes; all need `usage:read`."""
    reports, older, analytics = (
        UsageReports(db, root, clock),
        AnalyticsReports(db, root, clock),
        Analytics(db, root, clock),
    )
    return [
        ApiRoute("/v1/organizations/usage_report/messages", "GET", reports.messages),
        ApiRoute("/v1/organizations/cost_report", "GET", reports.cost),
        ApiRoute("/v1/organizations/analytics/usage", "GET", analytics.usage),
        ApiRoute("/v1/organizations/analytics/cost", "GET", analytics.cost),
        ApiRoute("/v1/organizations/analytics/usage_report", "GET", older.usage),
        ApiRoute("/v1/organizations/analytics/cost_report", "GET", older.cost),
    ]
