"""What may be done with service accounts. Rules: the official SDK 2.12.0 and the guide "Manage WIF" (2026-08)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.errors import ConflictError
from understudy.organization.pages import Cursors, Order, cursor_page
from understudy.organization.roles import require
from understudy.organization.rows import find_row, write_row
from understudy.organization.service_accounts.shapes import (
    ArchivableListParams,
    ServiceAccountCreateParams,
    ServiceAccountUpdateParams,
    service_account,
)
from understudy.organization.store import Actor, Change, Store
from understudy.organization.tables import federation_rules, service_accounts
from understudy.wire.errors import InvalidRequestError
from understudy.wire.ids import new_id


class ServiceAccounts:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    async def list(self, principal: Principal, params: ArchivableListParams) -> dict[str, Any]:
        """A page, newest first."""
        require(principal, "service_accounts:read")
        archived = params.get("include_archived", False)
        query = select(service_accounts).where(service_accounts.c.organization_id == principal.organization_id)
        if not archived:
            query = query.where(service_accounts.c.archived_at.is_(None))
        async with self._store.connect() as connection:
            return await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(service_accounts.c.created_at, service_accounts.c.id),
                bound=("service_accounts", principal.organization_id, archived),
                render=service_account,
            )

    async def retrieve(self, principal: Principal, service_account_id: str) -> dict[str, Any]:
        require(principal, "service_accounts:read")
        async with self._store.connect() as connection:
            return service_account(await find(connection, principal.organization_id, service_account_id))

    async def create(self, principal: Principal, actor: Actor, params: ServiceAccountCreateParams) -> dict[str, Any]:
        """409 for a name that is taken; 403 for a workload that would make an administrator."""
        require(principal, "service_accounts:write")
        role = params.get("organization_role", "developer")
        if role == "admin":
            require(principal, "privileges:grant")
        async with self._store.change(principal.organization_id, actor) as change:
            await refuse_taken(change, service_accounts, params["name"])
            account_id = new_id("svac_")
            values = {
                "id": account_id,
                "organization_id": principal.organization_id,
                "name": params["name"],
                "description": params.get("description"),
                "organization_role": role,
                **made(change),
            }
            await change.connection.execute(insert(service_accounts).values(values))
            shown = service_account(await find(change.connection, principal.organization_id, account_id))
            await change.log("service_account_created", "service_account", account_id, after=shown)
        return shown

    async def update(
        self, principal: Principal, actor: Actor, service_account_id: str, params: ServiceAccountUpdateParams
    ) -> dict[str, Any]:
        """The description and the role. Saying `admin`, even of one that is, is not for workloads."""
        require(principal, "service_accounts:write")
        if params.get("organization_role") == "admin":
            require(principal, "privileges:grant")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find(change.connection, principal.organization_id, service_account_id)
            if row.archived_at is not None:
                raise InvalidRequestError("The service account is archived")
            values: dict[str, Any] = {}
            if "description" in params:
                values["description"] = params["description"] or ""
            if params.get("organization_role") is not None:
                values["organization_role"] = params.get("organization_role")
            values |= changed(change)
            return await write_row(change, service_accounts, row, values, service_account, "service_account_updated")

    async def archive(self, principal: Principal, actor: Actor, service_account_id: str) -> dict[str, Any]:
        """Again changes nothing. 400 while a live rule acts as it."""
        require(principal, "service_accounts:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find(change.connection, principal.organization_id, service_account_id)
            if row.archived_at is not None:
                return service_account(row)
            await refuse_referenced(change, federation_rules.c.service_account_id == service_account_id)
            values = archived(change)
            return await write_row(change, service_accounts, row, values, service_account, "service_account_archived")


async def find(connection: AsyncConnection, organization_id: str, service_account_id: str) -> Any:
    """The account's row, archived or not. 404 for any other id."""
    return await find_row(connection, service_accounts, organization_id, service_account_id, "Service account")


# --- what service accounts, issuers and rules have in common ---


def made(change: Change) -> dict[str, Any]:
    by = change.actor.id
    return {"created_at": change.now, "created_by_id": by, "updated_at": change.now, "updated_by_id": by}


def changed(change: Change) -> dict[str, Any]:
    return {"updated_at": change.now, "updated_by_id": change.actor.id}


def archived(change: Change) -> dict[str, Any]:
    return {"archived_at": change.now, "archived_by_id": change.actor.id, **changed(change)}


async def refuse_taken(change: Change, table: Table, name: str, own_id: str = "") -> None:
    """409 if another live one has the name. Those that are archived have given it back [guess]."""
    where = (table.c.organization_id == change.organization_id) & (table.c.name == name) & (table.c.id != own_id)
    taken = select(table.c.id).where(where, table.c.archived_at.is_(None))
    if (await change.connection.execute(taken)).first() is not None:
        raise ConflictError(f"name: {name} is already in use")


async def refuse_referenced(change: Change, condition: Any) -> None:
    """400 while a live rule is what `condition` says."""
    live = select(federation_rules.c.id).where(condition, federation_rules.c.archived_at.is_(None))
    if (await change.connection.execute(live)).first() is not None:
        raise InvalidRequestError("A federation rule that is not archived still refers to this. Archive it first.")
