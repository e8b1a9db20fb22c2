"""Service accounts in workspaces, from either side. Rules: the official SDK 2.12.0's descriptions of the routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.api_keys.service import default_workspace
from understudy.organization.pages import Cursors, Order, ShortCursorParams, cursor_page
from understudy.organization.roles import require
from understudy.organization.service_accounts.service import find
from understudy.organization.service_accounts.shapes import implicit_membership, membership
from understudy.organization.store import Actor, Change, Store
from understudy.organization.tables import service_accounts
from understudy.organization.tables import workspace_service_accounts as members
from understudy.organization.workspaces.service import find_visible, refuse_archived
from understudy.wire.errors import InvalidRequestError, NotFoundError


class Memberships:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    async def list_of_workspace(
        self, principal: Principal, workspace_id: str, params: ShortCursorParams
    ) -> dict[str, Any]:
        """Those that were added, without archived accounts. 400 for an archived workspace."""
        require(principal, "service_accounts:read")
        live = service_accounts.c.archived_at.is_(None)
        query = select(members).join(service_accounts).where(members.c.workspace_id == workspace_id, live)
        async with self._store.connect() as connection:
            refuse_archived(await find_visible(connection, principal, workspace_id))
            return await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(members.c.created_at, members.c.service_account_id),
                bound=("workspace_service_accounts", principal.organization_id, workspace_id),
                render=membership,
            )

    async def list_of_account(
        self, principal: Principal, service_account_id: str, params: ShortCursorParams
    ) -> dict[str, Any]:
        """Archived workspaces too, and at the very end the implicit membership, if it is that."""
        require(principal, "service_accounts:read")
        query = select(members).where(members.c.service_account_id == service_account_id)
        async with self._store.connect() as connection:
            await find(connection, principal.organization_id, service_account_id)
            page = await cursor_page(
                connection,
                query,
                params,
                self._cursors,
                order=Order(members.c.created_at, members.c.workspace_id),
                bound=("service_account_workspaces", principal.organization_id, service_account_id),
                render=membership,
            )
            default = await default_workspace(connection, principal.organization_id)
            implicit = await _row(connection, default, service_account_id) is None
        if page["next_page"] is None and implicit:
            page["data"].append(implicit_membership(service_account_id, default))
        return page

    async def retrieve(self, principal: Principal, workspace_id: str, service_account_id: str) -> dict[str, Any]:
        require(principal, "service_accounts:read")
        async with self._store.connect() as connection:
            workspace = await find_visible(connection, principal, workspace_id)
            refuse_archived(workspace)
            await find(connection, principal.organization_id, service_account_id)
            row = await _row(connection, workspace_id, service_account_id)
        if row is not None:
            return membership(row)
        if workspace.is_default:
            return implicit_membership(service_account_id, workspace_id)
        raise NotFoundError("Service account is not a member of the workspace")

    async def add(
        self, principal: Principal, actor: Actor, workspace_id: str, service_account_id: str, role: str
    ) -> dict[str, Any]:
        """Gives one that is a member already its new role."""
        async with self._change(principal, actor, workspace_id) as change:
            await self._live(change, service_account_id)
            row = await _row(change.connection, workspace_id, service_account_id)
            if row is not None:
                return await _set_role(change, row, role)
            values = {
                "workspace_id": workspace_id,
                "service_account_id": service_account_id,
                "workspace_role": role,
                "created_at": change.now,
                "created_by_id": actor.id,
            }
            await change.connection.execute(insert(members).values(values))
            made = membership(await _row(change.connection, workspace_id, service_account_id))
            await _log(change, "service_account_added", made, after=made)
        return made

    async def update(
        self, principal: Principal, actor: Actor, workspace_id: str, service_account_id: str, role: str
    ) -> dict[str, Any]:
        async with self._change(principal, actor, workspace_id) as change:
            await self._live(change, service_account_id)
            row = await _row(change.connection, workspace_id, service_account_id)
            if row is None:
                raise NotFoundError("Service account is not a member of the workspace")
            return await _set_role(change, row, role)

    async def remove(
        self, principal: Principal, actor: Actor, workspace_id: str, service_account_id: str
    ) -> dict[str, Any]:
        """Again, or for the implicit membership, changes nothing."""
        async with self._change(principal, actor, workspace_id) as change:
            await find(change.connection, principal.organization_id, service_account_id)
            row = await _row(change.connection, workspace_id, service_account_id)
            if row is not None:
                await change.connection.execute(delete(members).where(_is(workspace_id, service_account_id)))
                await _log(change, "service_account_removed", membership(row), before=membership(row))
        return {
            "type": "service_account_workspace_member_deleted",
            "service_account_id": service_account_id,
            "workspace_id": workspace_id,
        }

    @asynccontextmanager
    async def _change(self, principal: Principal, actor: Actor, workspace_id: str) -> AsyncGenerator[Change]:
        """A change in a workspace that is not archived, by somebody who may."""
        require(principal, "service_accounts:write")
        async with self._store.change(principal.organization_id, actor) as change:
            refuse_archived(await find_visible(change.connection, principal, workspace_id))
            yield change

    async def _live(self, change: Change, service_account_id: str) -> None:
        row = await find(change.connection, change.organization_id, service_account_id)
        if row.archived_at is not None:
            raise InvalidRequestError("The service account is archived")


def _is(workspace_id: str, service_account_id: str) -> Any:
    return (members.c.workspace_id == workspace_id) & (members.c.service_account_id == service_account_id)


async def _row(connection: AsyncConnection, workspace_id: str, service_account_id: str) -> Any:
    return (await connection.execute(select(members).where(_is(workspace_id, service_account_id)))).one_or_none()


async def _set_role(change: Change, row: Any, role: str) -> dict[str, Any]:
    before = membership(row)
    after = {**before, "workspace_role": role}
    if after != before:
        statement = update(members).where(_is(row.workspace_id, row.service_account_id))
        await change.connection.execute(statement.values(workspace_role=role))
        await _log(change, "service_account_role_updated", after, before=before, after=after)
    return after


async def _log(change: Change, action: str, shown: dict[str, Any], **states: dict[str, Any]) -> None:
    name = f"{shown['workspace_id']}/{shown['service_account_id']}"
    await change.log(action, "service_account_workspace_member", name, **states)
