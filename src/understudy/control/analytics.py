"""The Analytics API's usage and cost: /v1/organizations/analytics/usage and …/cost.

A row for each combination of the dimensions asked for, over the range as a whole or by time buckets, ranked by a metric
or by time, every row on some page. Source: the SDK's types and descriptions (2.12.0).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_args

from sqlalchemy import Row, select

from understudy.control.analytics_params import (
    BETA,
    COST,
    DEFAULT_LIMIT,
    FAN_OUT,
    GROUPED,
    USAGE,
    CostParams,
    Group,
    Range,
    UsageParams,
    check_grouping,
    filters_of,
    range_of,
)
from understudy.control.analytics_reports import COST_COMPONENTS
from understudy.control.report_params import bound_by, rfc3339
from understudy.control.spend_shapes import user_actor
from understudy.engines.catalog import public_models
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.pages import Cursors
from understudy.organization.roles import require
from understudy.organization.store import principal_of
from understudy.organization.tables import users
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.usage.grouping import Scope
from understudy.usage.money import CURRENCY, cents
from understudy.usage.ranking import Place, Ranked, RankQuery, ranking
from understudy.usage.reports import SECONDS
from understudy.usage.tables import COSTS, TOKEN_COUNTERS
from understudy.wire.errors import InvalidRequestError

_SUMS: Final = (*TOKEN_COUNTERS, "web_search_requests")
_RANKED_BY: Final[Mapping[str, Sequence[str]]] = {
    "total_tokens": TOKEN_COUNTERS,
    "output_tokens": ("output_tokens",),
    "requests": ("requests",),
    "uncached_input_tokens": ("input_tokens",),
    # There are no discounts here: amounts and list amounts are the same.
    "amount": COSTS,
    "list_amount": COSTS,
}
_NULLS: Final[Mapping[str, None]] = dict.fromkeys(get_args(Group))


class Analytics:
    """`clock`: seconds since the epoch."""

    def __init__(self, db: Database, root: RootSecret, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._cursors = Cursors(root)
        self._clock = clock
        self._id_of = {name: model.id for model in public_models() for name in (model.id, *model.aliases)}

    async def usage(self, exchange: Exchange) -> None:
        """GET /v1/organizations/analytics/usage."""
        params = read_query(exchange, USAGE.adapter)

        def items(group: dict[str, Any], row: Ranked) -> list[dict[str, Any]]:
            return [{"group": group, "usage": usage_metrics(row)}]

        await self._answer(exchange, "analytics/usage", params, "total_tokens", _SUMS, items)

    async def cost(self, exchange: Exchange) -> None:
        """GET /v1/organizations/analytics/cost. Rows that cost nothing are left out."""
        params = read_query(exchange, COST.adapter)
        asked = params.get("group_by[]", [])

        def items(group: dict[str, Any], row: Ranked) -> list[dict[str, Any]]:
            return cost_items(group, row, types="cost_type" in asked, tokens="token_type" in asked)

        await self._answer(exchange, "analytics/cost", params, "amount", COSTS, items)

    async def _answer(
        self,
        exchange: Exchange,
        name: str,
        params: UsageParams | CostParams,
        metric: str,
        summed: Sequence[str],
        items: Callable[[dict[str, Any], Ranked], list[dict[str, Any]]],
    ) -> None:
        principal = principal_of(exchange)
        require(principal, "usage:read")
        if BETA not in exchange.betas:
            # [guess] the text
            raise InvalidRequestError(f"This endpoint needs the `{BETA}` value of the `anthropic-beta` header")
        now = self._clock()
        bound = bound_by(name, principal.organization_id, params)
        asked, at = check_grouping(params), range_of(params, now)
        after = _place(self._cursors.read(bound, page)[1]) if (page := params.get("page")) else None
        order_by = params.get("order_by", metric)
        group_by = [one for one in asked if one in GROUPED]
        filters = filters_of(params, self._id_of)
        rows: list[Ranked] = []
        following: Place | None = None
        if filters is not None:
            query = RankQuery(
                Scope(principal.organization_id, group_by, filters),
                at.start,
                at.end,
                at.width,
                summed,
                _RANKED_BY[metric if order_by == "time" else order_by],
                by_time=order_by == "time" and at.width is not None,
                # Without buckets `time` is the same as the metric.
                ascending=params.get("order") == "asc",
                positive=summed is COSTS,
                limit=params.get("limit", DEFAULT_LIMIT),
                after=after,
            )
            rows, following = await ranking(self._db, query, now)
        people = await self._people(principal.organization_id, group_by, rows)
        data: list[dict[str, Any]] = []
        for row in rows:
            group = group_of(group_by, row.group, people)
            actor = group["actor"]
            if params.get("exclude_deleted_users") and actor is not None and actor.get("deleted"):
                continue
            data += [{**_bounds(at, row.begins), **item} for item in items(group, row)]
        await exchange.respond_json(
            {
                "data": data,
                "has_more": following is not None,
                "next_page": None if following is None else self._cursors.make(bound, 0, ":".join(map(str, following))),
                "data_refreshed_at": rfc3339(int(now)),
            }
        )

    async def _people(
        self, organization_id: str, group_by: Sequence[str], rows: Sequence[Ranked]
    ) -> Mapping[str, Row[Any]]:
        if "actor" not in group_by:
            return {}
        place = group_by.index("actor")
        ids = {row.group[place] for row in rows if row.group[place].startswith("user_")}
        if not ids:
            return {}
        query = select(users).where(users.c.organization_id == organization_id, users.c.id.in_(sorted(ids)))
        async with self._db.connect() as connection:
            return {row.id: row for row in await connection.execute(query)}


def _place(text: str) -> Place:
    return Place(*map(int, text.split(":")))


def _bounds(at: Range, begins: int) -> dict[str, str]:
    if at.width is None:
        return {"starting_at": rfc3339(at.start), "ending_at": rfc3339(at.end)}
    return {"starting_at": rfc3339(begins), "ending_at": rfc3339(begins + SECONDS[at.width])}


def actor_of(id_: str, people: Mapping[str, Row[Any]]) -> dict[str, Any] | None:
    """Whom usage is attributed to; None for nobody, and for a user that is not known."""
    if id_.startswith("user_"):
        return user_actor(people[id_]) if id_ in people else None
    if id_.startswith("svac_"):
        return {"type": "service_account_actor", "service_account_id": id_}
    return {"type": "api_actor", "api_key_id": id_} if id_ else None


def group_of(group_by: Sequence[str], values: Sequence[str], people: Mapping[str, Row[Any]]) -> dict[str, Any]:
    """The dimensions of a row; those that were not grouped by are null."""
    group: dict[str, Any] = dict(_NULLS)
    for name, value in zip(group_by, values, strict=True):
        if name == "actor":
            group[name] = actor_of(value, people)
        else:
            # A place that a model does not take is null in these reports.
            group[name] = None if value in {"", "not_available"} else value
    return group


def usage_metrics(row: Ranked) -> dict[str, Any]:
    """The token usage of a row."""
    fresh, short, long, read, output, searches = row.sums
    return {
        "uncached_input_tokens": fresh,
        "cache_creation": {"ephemeral_1h_input_tokens": long, "ephemeral_5m_input_tokens": short},
        "cache_read_input_tokens": read,
        "output_tokens": output,
        "total_tokens": fresh + short + long + read + output,
        "server_tool_use": {"web_search_requests": searches},
        "requests": row.requests,
    }


def cost_items(group: Mapping[str, Any], row: Ranked, *, types: bool, tokens: bool) -> list[dict[str, Any]]:
    """One item, or one for each component that was charged: by `types` tokens and web searches, by `tokens` each type
    of token, by both each type of token and web searches."""
    nothing = dict.fromkeys(FAN_OUT)
    if not types and not tokens:
        return [_cost({**group, **nothing}, sum(row.sums), row.requests)]
    amounts: dict[tuple[str, str | None], int] = {}
    for (cost_type, token_type), amount in zip(COST_COMPONENTS, row.sums, strict=True):
        if types or token_type is not None:
            key = (cost_type, token_type if tokens else None)
            amounts[key] = amounts.get(key, 0) + amount
    return [
        _cost({**group, "cost_type": cost_type, "token_type": token_type}, amount, None)
        for (cost_type, token_type), amount in amounts.items()
        if amount
    ]


def _cost(group: Mapping[str, Any], amount: int, requests: int | None) -> dict[str, Any]:
    text = cents(amount)
    return {
        "group": group,
        "cost": {"amount": text, "list_amount": text, "currency": CURRENCY, "requests": requests},
    }
