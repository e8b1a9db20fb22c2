"""The Spend Limits API: /v1/organizations/spend_limits and …/spend_limit_increase_requests.

As in a Console organization, limits can be set on the organization and on workspaces, and here on members too, whose
personal keys they bound. A member's effective limit is their own, else the organization's, else the tier's. Source: the
guide (2026-08) and the SDK's types (2.12.0).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.control.spend_increases import SpendIncreases
from understudy.control.spend_shapes import EFFECTIVE, LIST, SET, limit_object, tier_limit_id
from understudy.control.spend_summaries import Summaries
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.limits.spend_tables import spend_limits
from understudy.limits.spend_writes import LimitScope, delete_spend_limit, set_spend_limit
from understudy.limits.tiers import TierTable
from understudy.organization.bodies import read_body
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import require
from understudy.organization.store import Store, actor_of, principal_of
from understudy.organization.tables import users, workspaces
from understudy.storage.secrets import RootSecret
from understudy.usage.money import CENT
from understudy.wire.errors import InvalidRequestError, NotFoundError


class SpendLimits:
    """`tier`: of organizations that have none of their own. `clock`: seconds since the epoch."""

    def __init__(
        self,
        store: Store,
        root: RootSecret,
        table: TierTable,
        tier: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._cursors = Cursors(root)
        self._summaries = Summaries(table, tier, clock)
        self._clock = clock
        self.increases = SpendIncreases(store, self._cursors, self._summaries, clock)

    async def list(self, exchange: Exchange) -> None:
        """GET …/spend_limits: what was set, newest first, and on the first page the tier's."""
        params = read_query(exchange, LIST.adapter)
        principal = principal_of(exchange)
        require(principal, "spend:read")
        organization_id = principal.organization_id
        scopes = params.get("scope_type[]", ["organization", "workspace", "user", "usage_tier"])
        if not {"organization", "workspace", "user", "usage_tier"}.issuperset(scopes):
            raise InvalidRequestError("scope_type[]: this scope type does not apply to this organization")
        of = spend_limits.c
        query = select(spend_limits).where(of.organization_id == organization_id, of.scope_type.in_(scopes))
        workspace_id = params.get("workspace_id")
        if workspace_id is not None:
            query = query.where(of.scope_type == "workspace", of.scope_id == workspace_id)
        async with self._store.connect() as connection:
            answer = await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(of.created_at, of.id),
                bound=["spend_limits", organization_id, sorted(scopes), workspace_id],
                render=limit_object,
            )
            if "usage_tier" in scopes and workspace_id is None and not params.get("page"):
                capped = await self._summaries.tier_limit(connection, organization_id)
                answer["data"][:0] = [] if capped is None else [capped]
        await exchange.respond_json(answer)

    async def set(self, exchange: Exchange) -> None:
        """POST …/spend_limits."""
        body = await read_body(exchange, SET)
        principal = principal_of(exchange)
        require(principal, "spend:write")
        organization_id = principal.organization_id
        scope = cast("Mapping[str, str]", body["scope"])
        kind = cast("LimitScope", scope["type"])
        scope_id = scope.get("workspace_id") or scope.get("user_id") or ""
        amount = None if body["amount"] is None else int(body["amount"]) * CENT
        async with self._store.change(organization_id, actor_of(exchange)) as change:
            await self._check_scope(change.connection, organization_id, kind, scope_id)
            row = await set_spend_limit(change.connection, organization_id, kind, scope_id, amount, now=self._clock())
            shown = limit_object(row)
            await change.log("spend_limit_set", "spend_limit", row.id, after=shown)
        await exchange.respond_json(shown)

    async def retrieve(self, exchange: Exchange) -> None:
        """GET …/spend_limits/{spend_limit_id}."""
        principal = principal_of(exchange)
        require(principal, "spend:read")
        id_, of = exchange.path_params["spend_limit_id"], spend_limits.c
        query = select(spend_limits).where(
            of.id == id_, of.organization_id == principal.organization_id, of.scope_type != "api_key"
        )
        async with self._store.connect() as connection:
            row = (await connection.execute(query)).one_or_none()
            if row is not None:
                shown: dict[str, Any] | None = limit_object(row)
            elif id_ == tier_limit_id(principal.organization_id):
                shown = await self._summaries.tier_limit(connection, principal.organization_id)
            else:
                shown = None
        if shown is None:
            raise NotFoundError("Spend limit not found")
        await exchange.respond_json(shown)

    async def delete(self, exchange: Exchange) -> None:
        """DELETE …/spend_limits/{spend_limit_id}."""
        principal = principal_of(exchange)
        require(principal, "spend:write")
        id_ = exchange.path_params["spend_limit_id"]
        if id_ == tier_limit_id(principal.organization_id):
            raise InvalidRequestError("The limit of a usage tier cannot be deleted")
        async with self._store.change(principal.organization_id, actor_of(exchange)) as change:
            row = await delete_spend_limit(change.connection, principal.organization_id, id_)
            if row.scope_type == "api_key":
                raise NotFoundError("Spend limit not found")
            await change.log("spend_limit_deleted", "spend_limit", id_, before=limit_object(row))
        await exchange.respond_json({"id": id_, "type": "spend_limit_deleted"})

    async def effective(self, exchange: Exchange) -> None:
        """GET …/spend_limits/effective: a row for each member."""
        params = read_query(exchange, EFFECTIVE.adapter)
        principal = principal_of(exchange)
        require(principal, "spend:read")
        organization_id = principal.organization_id
        wanted, periods = params.get("user_ids[]"), params.get("period[]")
        query = select(users).where(users.c.organization_id == organization_id, users.c.removed_at.is_(None))
        if wanted is not None:
            query = query.where(users.c.id.in_(wanted))
        if periods is not None and "monthly" not in periods:
            query = query.where(users.c.id.in_([]))
        async with self._store.connect() as connection:
            effective = await self._summaries.load(connection, organization_id)
            answer = await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(users.c.added_at, users.c.id),
                bound=["spend_limits/effective", organization_id, sorted(wanted or []), sorted(periods or [])],
                render=effective.summary,
            )
        await exchange.respond_json(answer)

    async def _check_scope(self, connection: AsyncConnection, organization_id: str, kind: str, scope_id: str) -> None:
        """400 for a workspace or member that is none of the organization's [guess: the real one's answer]; the default
        workspace has no limits, as it has no rate limits."""
        if kind == "workspace":
            query = select(workspaces.c.is_default).where(
                workspaces.c.id == scope_id, workspaces.c.organization_id == organization_id
            )
            is_default = (await connection.execute(query)).scalar()
            if is_default is None:
                raise InvalidRequestError("scope.workspace_id: workspace not found")
            if is_default:
                raise InvalidRequestError("scope.workspace_id: limits cannot be set for the default workspace")
        elif kind == "user":
            query = select(users.c.id).where(users.c.id == scope_id, users.c.organization_id == organization_id)
            if (await connection.execute(query)).first() is None:
                raise InvalidRequestError("scope.user_id: user not found")


def spend_limit_routes(limits: SpendLimits) -> list[ApiRoute]:
    """The Admin API's routes."""
    base, requests = "/v1/organizations/spend_limits", "/v1/organizations/spend_limit_increase_requests"
    one = f"{requests}/{{spend_limit_increase_request_id}}"
    return [
        ApiRoute(base, "GET", limits.list),
        ApiRoute(base, "POST", limits.set),
        ApiRoute(f"{base}/effective", "GET", limits.effective),
        ApiRoute(f"{base}/{{spend_limit_id}}", "GET", limits.retrieve),
        ApiRoute(f"{base}/{{spend_limit_id}}", "DELETE", limits.delete),
        ApiRoute(requests, "GET", limits.increases.list),
        ApiRoute(one, "GET", limits.increases.retrieve),
        ApiRoute(f"{one}/approve", "POST", limits.increases.approve),
        ApiRoute(f"{one}/deny", "POST", limits.increases.deny),
    ]
