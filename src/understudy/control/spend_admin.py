"""This month's spending, credit, alerts and budgets of keys.

None of this is in the real API. Amounts are US dollars as decimal text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from decimal import Decimal
from typing import Annotated, Any, Final, NotRequired

from pydantic import AfterValidator, Field
from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import TypedDict

from understudy.control.spend_shapes import user_actor
from understudy.http.exchange import Exchange
from understudy.http.pagination import DEFAULT_LIMIT
from understudy.limits.spend_increases import ask_for_increase
from understudy.limits.spend_tables import credit_entries, spend_alerts, spend_limits
from understudy.limits.spend_writes import add_alert, add_credit, delete_alert, set_spend_limit
from understudy.organization.bodies import STRICT, Printable, Shape, read_body
from understudy.organization.clock import rfc3339
from understudy.organization.roles import require
from understudy.organization.store import Change, Store, actor_of, principal_of
from understudy.organization.tables import api_keys, users, workspaces
from understudy.usage.money import nano, plain
from understudy.usage.sums import month_of, spent_ever, spent_in
from understudy.wire.errors import InvalidRequestError, NotFoundError

_NUMBER: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,9})?", re.ASCII)


def _money(text: str) -> str:
    if not _NUMBER.fullmatch(text):
        raise ValueError("must be an amount in dollars as decimal text, such as 12.50")
    return text


Money = Annotated[str, AfterValidator(_money)]
_Id = Annotated[Printable, Field(min_length=1, max_length=256)]


class CreditBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    amount: Money
    note: NotRequired[Annotated[Printable, Field(max_length=500)]]


class AlertBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    amount: Money
    workspace_id: NotRequired[_Id | None]


class BudgetBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    amount: Money | None


class IncreaseBody(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    user_id: _Id


_CREDIT: Final = Shape(CreditBody)
_ALERT: Final = Shape(AlertBody)
_BUDGET: Final = Shape(BudgetBody)
_INCREASE: Final = Shape(IncreaseBody)


class SpendAdmin:
    """`clock`: seconds since the epoch."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    async def spend(self, _: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/spend: what was spent this month, by workspace, member and key."""
        month = month_of(self._clock())
        async with self._store.connect() as connection:
            spent = await spent_in(connection, month)
        by: dict[str, dict[str, str]] = {"workspace": {}, "user": {}, "api_key": {}}
        total = 0
        for (of, scope, id_), amount in spent.items():
            if of == organization_id:
                if scope == "organization":
                    total = amount
                else:
                    by[scope][id_] = plain(amount)
        return {
            "type": "month_spend",
            "month": month.name,
            "ends_at": rfc3339(month.end),
            "amount": plain(total),
            "currency": "USD",
            "workspaces": by["workspace"],
            "actors": by["user"],
            "api_keys": by["api_key"],
        }

    async def credit(self, _: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/credit: the balance, None for an organization that pays afterwards, and the newest entries."""
        async with self._store.connect() as connection:
            return await _credit(connection, organization_id)

    async def pay_in(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """POST …/credit."""
        body = await read_body(exchange, _CREDIT)
        async with self._change(exchange, organization_id) as change:
            note = body.get("note", "")
            id_ = await add_credit(change.connection, organization_id, nano(Decimal(body["amount"])), note)
            await change.log("credit_added", "credit_entry", id_, after={"amount": body["amount"], "note": note})
            return await _credit(change.connection, organization_id)

    async def alerts(self, _: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/spend_alerts: each with whether it was reached this month."""
        of = spend_alerts.c
        query = select(spend_alerts).where(of.organization_id == organization_id).order_by(of.created_at, of.id)
        async with self._store.connect() as connection:
            spent = await spent_in(connection, month_of(self._clock()))
            rows = (await connection.execute(query)).all()
        data: list[dict[str, Any]] = []
        for row in rows:
            scope = "workspace" if row.workspace_id else "organization"
            amount = spent.get((organization_id, scope, row.workspace_id), 0)
            data.append(
                {
                    "id": row.id,
                    "type": "spend_alert",
                    "workspace_id": row.workspace_id or None,
                    "amount": plain(row.amount),
                    "spent": plain(amount),
                    "is_reached": amount >= row.amount,
                    "created_at": rfc3339(row.created_at),
                }
            )
        return {"data": data}

    async def add_alert(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """POST …/spend_alerts."""
        body = await read_body(exchange, _ALERT)
        workspace_id = body.get("workspace_id")
        async with self._change(exchange, organization_id) as change:
            if workspace_id is not None:
                await _check_owner(change.connection, workspaces, workspace_id, organization_id)
            amount = nano(Decimal(body["amount"]))
            id_ = await add_alert(change.connection, organization_id, workspace_id or "", amount)
            await change.log("spend_alert_created", "spend_alert", id_, after={**body})
        return {"id": id_, "type": "spend_alert", "workspace_id": workspace_id, "amount": plain(amount)}

    async def delete_alert(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """DELETE …/spend_alerts/{id}."""
        id_ = exchange.path_params["id"]
        async with self._change(exchange, organization_id) as change:
            await delete_alert(change.connection, organization_id, id_)
            await change.log("spend_alert_deleted", "spend_alert", id_)
        return {"id": id_, "type": "spend_alert_deleted"}

    async def budget(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """GET …/api_keys/{id}/budget: what a key may spend in a month, and has."""
        id_ = exchange.path_params["id"]
        async with self._store.connect() as connection:
            await _check_owner(connection, api_keys, id_, organization_id)
            return await self._budget(connection, organization_id, id_)

    async def set_budget(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """POST …/api_keys/{id}/budget; an amount of null removes it."""
        body = await read_body(exchange, _BUDGET)
        id_, given = exchange.path_params["id"], body["amount"]
        amount = None if given is None else nano(Decimal(given))
        async with self._change(exchange, organization_id) as change:
            await _check_owner(change.connection, api_keys, id_, organization_id)
            await set_spend_limit(change.connection, organization_id, "api_key", id_, amount)
            await change.log("api_key_budget_set", "api_key", id_, after={**body})
            return await self._budget(change.connection, organization_id, id_)

    async def ask(self, exchange: Exchange, organization_id: str) -> dict[str, Any]:
        """POST …/spend_limit_increase_requests: a member asks for more."""
        body = await read_body(exchange, _INCREASE)
        principal = principal_of(exchange)
        if principal.actor_id != body["user_id"]:
            require(principal, "spend:write")
        async with self._change(exchange, organization_id) as change:
            query = select(users).where(
                users.c.id == body["user_id"], users.c.organization_id == organization_id, users.c.removed_at.is_(None)
            )
            user = (await change.connection.execute(query)).one_or_none()
            if user is None:
                raise InvalidRequestError("user_id: no member has this id")
            row = await ask_for_increase(change.connection, organization_id, user.id)
            await change.log("spend_limit_increase_requested", "spend_limit_increase_request", row.id)
        return {
            "id": row.id,
            "type": "spend_limit_increase_request",
            "status": row.status,
            "actor": user_actor(user),
            "created_at": rfc3339(row.created_at),
        }

    async def _budget(self, connection: AsyncConnection, organization_id: str, id_: str) -> dict[str, Any]:
        of = spend_limits.c
        query = select(of.amount).where(
            of.organization_id == organization_id, of.scope_type == "api_key", of.scope_id == id_
        )
        amount: int | None = (await connection.execute(query)).scalar()
        spent = await spent_in(connection, month_of(self._clock()))
        return {
            "type": "api_key_budget",
            "api_key_id": id_,
            "amount": None if amount is None else plain(amount),
            "spent": plain(spent.get((organization_id, "api_key", id_), 0)),
        }

    def _change(self, exchange: Exchange, organization_id: str) -> AbstractAsyncContextManager[Change]:
        return self._store.change(organization_id, actor_of(exchange))


async def _check_owner(connection: AsyncConnection, table: Table, id_: str, organization_id: str) -> None:
    query = select(table.c.id).where(table.c.id == id_, table.c.organization_id == organization_id)
    if (await connection.execute(query)).first() is None:
        raise NotFoundError


async def _credit(connection: AsyncConnection, organization_id: str) -> dict[str, Any]:
    of = credit_entries.c
    mine = of.organization_id == organization_id
    # Added up here: see spend_bounds.py.
    paid = (await connection.execute(select(of.amount, of.spent_before).where(mine))).all()
    newest = select(credit_entries).where(mine).order_by(of.created_at.desc(), of.id.desc()).limit(DEFAULT_LIMIT)
    entries = (await connection.execute(newest)).all()
    balance = None
    if paid:
        spent = (await spent_ever(connection, organization_id)).get(organization_id, 0)
        balance = plain(sum(amount + before for amount, before in paid) - spent)
    return {
        "type": "credit",
        "balance": balance,
        "currency": "USD",
        "entries": [
            {"id": row.id, "amount": plain(row.amount), "note": row.note, "created_at": rfc3339(row.created_at)}
            for row in entries
        ],
    }
