"""Members of workspaces: those that were added. Roles that come with one of the organization's are not listed [guess].

Rules: the guide on workspaces (2026-08).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.pagination import PageParams
from understudy.http.principal import Principal
from understudy.organization.maxima import refuse_workspace_members
from understudy.organization.pages import Order, id_page
from understudy.organization.people.shapes import MemberAddParams, MemberUpdateParams, member
from understudy.organization.people.users import find_user
from understudy.organization.roles import INHERITED, require
from understudy.organization.store import Actor, Store
from understudy.organization.tables import workspace_members
from understudy.organization.workspaces.service import find_visible, refuse_archived
from understudy.wire.errors import InvalidRequestError, NotFoundError


class Members:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, workspace_id: str, params: PageParams) -> dict[str, Any]:
        """A page, the most recently added first; cursors are ids of users."""
        async with self._store.connect() as connection:
            await find_visible(connection, principal, workspace_id)
            require(principal, "workspace_members:read", workspace_id)
            return await id_page(
                connection,
                select(workspace_members),
                params,
                order=Order(workspace_members.c.created_at, workspace_members.c.user_id),
                within=workspace_members.c.workspace_id == workspace_id,
                render=member,
            )

    async def retrieve(self, principal: Principal, workspace_id: str, user_id: str) -> dict[str, Any]:
        async with self._store.connect() as connection:
            await find_visible(connection, principal, workspace_id)
            require(principal, "workspace_members:read", workspace_id)
            return member(await _find(connection, workspace_id, user_id))

    async def add(
        self, principal: Principal, actor: Actor, workspace_id: str, params: MemberAddParams
    ) -> dict[str, Any]:
        """400 for who is a member already, 404 for who is no member of the organization."""
        async with self._store.change(principal.organization_id, actor) as change:
            connection = change.connection
            row = await find_visible(connection, principal, workspace_id)
            require(principal, "workspace_members:write", workspace_id)
            refuse_archived(row)
            await find_user(connection, principal.organization_id, params["user_id"])
            there = _is(workspace_id, params["user_id"])
            if (await connection.execute(select(workspace_members.c.user_id).where(there))).first() is not None:
                raise InvalidRequestError("User is already a member of the workspace")
            await refuse_workspace_members(connection, workspace_id, change.most.workspace_members)
            values = {**params, "workspace_id": workspace_id, "created_at": change.now}
            await connection.execute(insert(workspace_members).values(values))
            made = member(await _find(connection, workspace_id, params["user_id"]))
            await change.log("workspace_member_added", "workspace_member", _name(made), after=made)
        return made

    async def update(
        self, principal: Principal, actor: Actor, workspace_id: str, user_id: str, params: MemberUpdateParams
    ) -> dict[str, Any]:
        """400 for `workspace_billing`, which only comes with the organization's role."""
        async with self._store.change(principal.organization_id, actor) as change:
            workspace = await find_visible(change.connection, principal, workspace_id)
            require(principal, "workspace_members:write", workspace_id)
            refuse_archived(workspace)
            before = member(await _find(change.connection, workspace_id, user_id))
            if params["workspace_role"] == "workspace_billing":
                raise InvalidRequestError("workspace_role: workspace_billing cannot be assigned")
            after = {**before, "workspace_role": params["workspace_role"]}
            if after != before:
                statement = update(workspace_members).where(_is(workspace_id, user_id))
                await change.connection.execute(statement.values(workspace_role=params["workspace_role"]))
                await change.log(
                    "workspace_member_updated", "workspace_member", _name(after), before=before, after=after
                )
        return after

    async def remove(self, principal: Principal, actor: Actor, workspace_id: str, user_id: str) -> dict[str, Any]:
        """400 for who is in every workspace by a role of the organization."""
        async with self._store.change(principal.organization_id, actor) as change:
            connection = change.connection
            await find_visible(connection, principal, workspace_id)
            require(principal, "workspace_members:write", workspace_id)
            row = await _find(connection, workspace_id, user_id)
            role = (await find_user(connection, principal.organization_id, user_id)).role
            if role in INHERITED:
                raise InvalidRequestError(f"Members with the role {role} cannot be removed from workspaces")
            await connection.execute(delete(workspace_members).where(_is(workspace_id, user_id)))
            before = member(row)
            await change.log("workspace_member_removed", "workspace_member", _name(before), before=before)
        return {"type": "workspace_member_deleted", "user_id": user_id, "workspace_id": workspace_id}


def _is(workspace_id: str, user_id: str) -> Any:
    return (workspace_members.c.workspace_id == workspace_id) & (workspace_members.c.user_id == user_id)


def _name(shown: dict[str, Any]) -> str:
    return f"{shown['workspace_id']}/{shown['user_id']}"


async def _find(connection: AsyncConnection, workspace_id: str, user_id: str) -> Any:
    query = select(workspace_members).where(_is(workspace_id, user_id))
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError("Workspace member not found")
    return row
