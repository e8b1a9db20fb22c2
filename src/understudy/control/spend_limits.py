"""The Spend Limits API: /v1/organizations/spend_limits and …/spend_limit_increase_requests.

As in a Console organization, limits can be set on the organization and on workspaces, and here on members too, whose
personal keys they bound. A member's effective limit is their own, else the organization's, else the tier's. Source: the
guide (2026-08) and the SDK's types (2.12.0).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.control.spend_shapes import (
    APPROVE,
    DENY,
    EFFECTIVE,
    LIST,
    REQUESTS,
    SET,
    ApproveBody,
    DenyBody,
    increase_object,
    limit_object,
    scope_of,
    tier_limit_id,
    tier_limit_object,
    user_actor,
)
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.limits.spend_increases import find_increase, resolve_increase
from understudy.limits.spend_tables import spend_limit_increase_requests, spend_limits
from understudy.limits.spend_writes import LimitScope, delete_spend_limit, set_spend_limit
from understudy.limits.tables import organization_tiers
from understudy.limits.tiers import TierTable
from understudy.organization.bodies import read_body
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import require
from understudy.organization.store import Store, actor_of, principal_of
from understudy.organization.tables import organizations, users, workspaces
from understudy.storage.secrets import RootSecret
from understudy.usage.money import CENT, CURRENCY, NANO, nano
from understudy.usage.sums import Scope, month_of, spent_in
from understudy.wire.errors import InvalidRequestError, NotFoundError

_PLACES: Final = NANO // 100_000  # of a cent, which these amounts have three


def spend_text(amount: int) -> str:
    """Spending in cents with at most three places behind the point."""
    whole, rest = divmod(amount // _PLACES, CENT // _PLACES)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


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
        self._table = table
        self._tier = tier
        self._clock = clock

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
                capped = await self._tier_limit(connection, organization_id)
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
                shown = await self._tier_limit(connection, principal.organization_id)
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
            effective = await self._load(connection, organization_id)
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

    async def list_requests(self, exchange: Exchange) -> None:
        """GET …/spend_limit_increase_requests, of those who still are members."""
        params = read_query(exchange, REQUESTS.adapter)
        principal = principal_of(exchange)
        require(principal, "spend:read")
        organization_id = principal.organization_id
        of = spend_limit_increase_requests.c
        query = (
            select(spend_limit_increase_requests)
            .join(users, users.c.id == of.user_id)
            .where(of.organization_id == organization_id, users.c.removed_at.is_(None))
        )
        statuses, actors = params.get("status[]"), params.get("actor_ids[]")
        if statuses is not None:
            query = query.where(of.status.in_(statuses))
        if actors is not None:
            query = query.where(of.user_id.in_(actors))
        async with self._store.connect() as connection:
            answer = await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(of.created_at, of.id),
                bound=["increase_requests", organization_id, sorted(statuses or []), sorted(actors or [])],
                render=lambda row: row,
            )
            answer["data"] = await self._requests(connection, organization_id, answer["data"])
        await exchange.respond_json(answer)

    async def retrieve_request(self, exchange: Exchange) -> None:
        """GET …/spend_limit_increase_requests/{id}."""
        principal = principal_of(exchange)
        require(principal, "spend:read")
        id_ = exchange.path_params["spend_limit_increase_request_id"]
        async with self._store.connect() as connection:
            row = await find_increase(connection, principal.organization_id, id_)
            (shown,) = await self._requests(connection, principal.organization_id, [row])
        await exchange.respond_json(shown)

    async def approve(self, exchange: Exchange) -> None:
        """POST …/approve: sets the member's limit and resolves the request. There is no mail to suppress."""
        body: ApproveBody = await read_body(exchange, APPROVE)
        await self._resolve(exchange, int(body["amount"]) * CENT)

    async def deny(self, exchange: Exchange) -> None:
        """POST …/deny."""
        _: DenyBody = await read_body(exchange, DENY)
        await self._resolve(exchange, None)

    async def _resolve(self, exchange: Exchange, amount: int | None) -> None:
        principal, actor = principal_of(exchange), actor_of(exchange)
        require(principal, "spend:write")
        organization_id = principal.organization_id
        id_ = exchange.path_params["spend_limit_increase_request_id"]
        status = "denied" if amount is None else "approved"
        async with self._store.change(organization_id, actor) as change:
            connection = change.connection
            row = await resolve_increase(connection, organization_id, id_, status, principal.actor_id)
            limit = None
            if amount is not None:
                limit = await set_spend_limit(
                    connection, organization_id, "user", row.user_id, amount, now=self._clock()
                )
            (shown,) = await self._requests(connection, organization_id, [row])
            if limit is not None:
                shown["spend_limit"] = limit_object(limit)
            await change.log(f"spend_limit_increase_{status}", "spend_limit_increase_request", id_, after=shown)
        await exchange.respond_json(shown)

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

    async def _tier_limit(self, connection: AsyncConnection, organization_id: str) -> dict[str, Any] | None:
        query = select(organization_tiers).where(organization_tiers.c.organization_id == organization_id)
        own = (await connection.execute(query)).one_or_none()
        cap = self._table.tier(self._tier if own is None else own.tier).monthly_spend_cap
        if cap is None:
            return None
        since = None if own is None else own.since
        if since is None:
            made = select(organizations.c.created_at).where(organizations.c.id == organization_id)
            since = (await connection.execute(made)).scalar() or 0.0
        return tier_limit_object(organization_id, nano(cap), since)

    async def _load(self, connection: AsyncConnection, organization_id: str) -> Effective:
        of = spend_limits.c
        rows = (await connection.execute(select(spend_limits).where(of.organization_id == organization_id))).all()
        limits = {(row.scope_type, row.scope_id): row for row in rows}
        spent = await spent_in(connection, month_of(self._clock()))
        return Effective(organization_id, limits, await self._tier_limit(connection, organization_id), spent)

    async def _requests(
        self, connection: AsyncConnection, organization_id: str, rows: Sequence[Row[Any]]
    ) -> list[dict[str, Any]]:
        if not rows:
            return []
        ids = {row.user_id for row in rows} | {row.resolved_by_id for row in rows if row.resolved_by_id}
        people = {row.id: row for row in await connection.execute(select(users).where(users.c.id.in_(ids)))}
        effective = await self._load(connection, organization_id)
        shown: list[dict[str, Any]] = []
        for row in rows:
            by = people.get(row.resolved_by_id)
            user = people[row.user_id]
            summary = effective.summary(user) if row.status == "pending" else None
            shown.append(increase_object(row, user_actor(user), None if by is None else user_actor(by), summary))
        return shown


class Effective:
    """What bounds each member of an organization, and what each has spent this month."""

    def __init__(
        self,
        organization_id: str,
        limits: Mapping[tuple[str, str], Row[Any]],
        tier: dict[str, Any] | None,
        spent: Mapping[Scope, int],
    ) -> None:
        self._organization_id = organization_id
        self._limits = limits
        self._tier = tier
        self._spent = spent

    def summary(self, user: Row[Any]) -> dict[str, Any]:
        """A SpendSummary."""
        row = self._limits.get(("user", user.id)) or self._limits.get(("organization", ""))
        source: Any = scope_of("organization", "")
        amount: str | None = None
        id_ = tier_limit_id(self._organization_id)
        if row is not None:
            shown = limit_object(row)
            source, amount, id_ = shown["scope"], shown["amount"], row.id
        elif self._tier is not None:
            source, amount = self._tier["scope"], self._tier["amount"]
        return {
            "scope": scope_of("user", user.id),
            "actor": user_actor(user),
            "amount": amount,
            "currency": CURRENCY,
            "period": "monthly",
            "source": source,
            "spend_limit_id": id_,
            "period_to_date_spend": spend_text(self._spent.get((self._organization_id, "user", user.id), 0)),
        }


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
        ApiRoute(requests, "GET", limits.list_requests),
        ApiRoute(one, "GET", limits.retrieve_request),
        ApiRoute(f"{one}/approve", "POST", limits.approve),
        ApiRoute(f"{one}/deny", "POST", limits.deny),
    ]
