"""The workspaces that a rule is enabled for. Rules: the official SDK 2.12.0's descriptions of the routes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.federation.rules import enable, find_managed, find_rule
from understudy.organization.federation.shapes import rule_workspace
from understudy.organization.pages import Cursors, Order, ShortCursorParams, cursor_page
from understudy.organization.roles import require
from understudy.organization.store import Actor, Store
from understudy.organization.tables import federation_rule_workspaces as enabled
from understudy.organization.tables import workspaces


class RuleWorkspaces:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store, self._cursors = store, cursors

    async def list(self, principal: Principal, rule_id: str, params: ShortCursorParams) -> dict[str, Any]:
        """All of them at once unless `limit` says otherwise (guide "Manage WIF", 2026-08)."""
        require(principal, "federation:read")
        query = select(enabled, workspaces.c.name.label("workspace_name")).join(workspaces)
        async with self._store.connect() as connection:
            await find_rule(connection, principal.organization_id, rule_id)
            return await cursor_page(
                connection,
                query.where(enabled.c.federation_rule_id == rule_id),
                {"limit": 100, **params},
                self._cursors,
                order=Order(enabled.c.created_at, enabled.c.workspace_id, newest_first=False),
                bound=("federation_rule_workspaces", principal.organization_id, rule_id),
                render=lambda row: rule_workspace(row, row.workspace_name),
            )

    async def add(self, principal: Principal, actor: Actor, rule_id: str, workspace_id: str) -> dict[str, Any]:
        """Again changes nothing."""
        async with self._store.change(principal.organization_id, actor) as change:
            await find_managed(change, principal, rule_id)
            row = await _row(change.connection, rule_id, workspace_id)
            if row is not None:
                return rule_workspace(row, None)
            await enable(change, rule_id, workspace_id)
            made = rule_workspace(await _row(change.connection, rule_id, workspace_id), None)
            name = f"{rule_id}/{workspace_id}"
            await change.log("federation_rule_workspace_added", "federation_rule_workspace", name, after=made)
        return made

    async def remove(self, principal: Principal, actor: Actor, rule_id: str, workspace_id: str) -> dict[str, Any]:
        """Again changes nothing."""
        async with self._store.change(principal.organization_id, actor) as change:
            await find_managed(change, principal, rule_id, archived_too=True)
            row = await _row(change.connection, rule_id, workspace_id)
            if row is not None:
                await change.connection.execute(delete(enabled).where(_is(rule_id, workspace_id)))
                before, name = rule_workspace(row, None), f"{rule_id}/{workspace_id}"
                await change.log("federation_rule_workspace_removed", "federation_rule_workspace", name, before=before)
        return {
            "type": "federation_rule_workspace_deleted",
            "federation_rule_id": rule_id,
            "workspace_id": workspace_id,
        }


def _is(rule_id: str, workspace_id: str) -> Any:
    return (enabled.c.federation_rule_id == rule_id) & (enabled.c.workspace_id == workspace_id)


async def _row(connection: AsyncConnection, rule_id: str, workspace_id: str) -> Any:
    return (await connection.execute(select(enabled).where(_is(rule_id, workspace_id)))).one_or_none()
