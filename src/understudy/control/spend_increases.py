"""Members ask for a higher spend limit: /v1/organizations/spend_limit_increase_requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.control.spend_shapes import (
    APPROVE,
    DENY,
    REQUESTS,
    ApproveBody,
    DenyBody,
    increase_object,
    limit_object,
    user_actor,
)
from understudy.control.spend_summaries import Summaries
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.limits.spend_increases import find_increase, resolve_increase
from understudy.limits.spend_tables import spend_limit_increase_requests
from understudy.limits.spend_writes import set_spend_limit
from understudy.organization.bodies import read_body
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import require
from understudy.organization.store import Store, actor_of, principal_of
from understudy.organization.tables import users
from understudy.usage.money import CENT

_Shown = list[dict[str, Any]]


class SpendIncreases:
    """`clock`: seconds since the epoch."""

    def __init__(self, store: Store, cursors: Cursors, summaries: Summaries, clock: Callable[[], float]) -> None:
        self._store = store
        self._cursors = cursors
        self._summaries = summaries
        self._clock = clock

    async def list(self, exchange: Exchange) -> None:
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

    async def retrieve(self, exchange: Exchange) -> None:
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

    async def _requests(self, connection: AsyncConnection, organization_id: str, rows: Sequence[Row[Any]]) -> _Shown:
        if not rows:
            return []
        ids = {row.user_id for row in rows} | {row.resolved_by_id for row in rows if row.resolved_by_id}
        people = {row.id: row for row in await connection.execute(select(users).where(users.c.id.in_(ids)))}
        effective = await self._summaries.load(connection, organization_id)
        shown: _Shown = []
        for row in rows:
            by = people.get(row.resolved_by_id)
            user = people[row.user_id]
            summary = effective.summary(user) if row.status == "pending" else None
            shown.append(increase_object(row, user_actor(user), None if by is None else user_actor(by), summary))
        return shown
