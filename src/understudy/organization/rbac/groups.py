"""What may be done with RBAC groups. Rules: the guide on user management (2026-08)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.pages import CursorParams, Cursors, Order, cursor_page
from understudy.organization.people.users import find_user
from understudy.organization.rbac.shapes import NEWEST, GroupUpdateParams, group, group_member
from understudy.organization.roles import require
from understudy.organization.rows import find_row
from understudy.organization.store import Actor, Store
from understudy.organization.tables import rbac_group_members, rbac_groups, users
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id


class Groups:
    def __init__(self, store: Store, cursors: Cursors) -> None:
        self._store = store
        self._cursors = cursors

    async def list(self, principal: Principal, version: str, params: CursorParams) -> dict[str, Any]:
        """A page, newest first [guess]."""
        require(principal, "rbac:read")
        async with self._store.connect() as connection:
            return await cursor_page(
                connection,
                select(rbac_groups).where(rbac_groups.c.organization_id == principal.organization_id),
                params,
                self._cursors,
                order=Order(rbac_groups.c.created_at, rbac_groups.c.id),
                bound=("rbac_groups", principal.organization_id),
                render=lambda row: group(row, version),
            )

    async def retrieve(self, principal: Principal, version: str, group_id: str) -> dict[str, Any]:
        require(principal, "rbac:read")
        async with self._store.connect() as connection:
            return group(await _find(connection, principal.organization_id, group_id), version)

    async def create(self, principal: Principal, actor: Actor, version: str, name: str) -> dict[str, Any]:
        """A group without roles or members. Names need not differ."""
        require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            group_id = new_id("rbac_group_")
            values = {
                "id": group_id,
                "organization_id": principal.organization_id,
                "name": name,
                "source_type": "direct",
                "created_at": change.now,
                "updated_at": change.now,
            }
            await change.connection.execute(insert(rbac_groups).values(values))
            made = group(await _find(change.connection, principal.organization_id, group_id), version)
            await change.log("rbac_group_created", "rbac_group", group_id, after=made)
        return made

    async def update(
        self, principal: Principal, actor: Actor, version: str, group_id: str, params: GroupUpdateParams
    ) -> dict[str, Any]:
        require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await _find(change.connection, principal.organization_id, group_id)
            name = params.get("name")
            if name is None or name == row.name:
                return group(row, version)
            values = {"name": name, "updated_at": change.now}
            await change.connection.execute(update(rbac_groups).where(rbac_groups.c.id == group_id).values(values))
            after = group(await _find(change.connection, principal.organization_id, group_id), version)
            await change.log("rbac_group_updated", "rbac_group", group_id, before=group(row, version), after=after)
        return after

    async def delete(self, principal: Principal, actor: Actor, group_id: str) -> dict[str, Any]:
        """Its members stay in the organization."""
        require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await _find(change.connection, principal.organization_id, group_id)
            theirs = rbac_group_members.c.rbac_group_id == group_id
            await change.connection.execute(delete(rbac_group_members).where(theirs))
            await change.connection.execute(delete(rbac_groups).where(rbac_groups.c.id == group_id))
            await change.log("rbac_group_deleted", "rbac_group", group_id, before=group(row, NEWEST))
        return {"id": group_id, "type": "rbac_group_deleted"}

    async def members(self, principal: Principal, version: str, group_id: str, params: CursorParams) -> dict[str, Any]:
        """A page, oldest first."""
        require(principal, "rbac:read")
        async with self._store.connect() as connection:
            await _find(connection, principal.organization_id, group_id)
            return await cursor_page(
                connection,
                _MEMBERS.where(rbac_group_members.c.rbac_group_id == group_id),
                params,
                self._cursors,
                order=Order(rbac_group_members.c.created_at, rbac_group_members.c.user_id, newest_first=False),
                bound=("rbac_group_members", principal.organization_id, group_id),
                render=lambda row: group_member(row, version),
            )

    async def add_member(
        self, principal: Principal, actor: Actor, version: str, group_id: str, user_id: str
    ) -> dict[str, Any]:
        """404 for who is no member of the organization, 400 for who is in the group already."""
        require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            connection = change.connection
            await _find(connection, principal.organization_id, group_id)
            await find_user(connection, principal.organization_id, user_id)
            if await _member(connection, group_id, user_id) is not None:
                raise InvalidRequestError("User is already a member of the RBAC group")
            values = {"rbac_group_id": group_id, "user_id": user_id, "created_at": change.now}
            await connection.execute(insert(rbac_group_members).values(values))
            made = group_member(await _member(connection, group_id, user_id), version)
            await change.log("rbac_group_member_added", "rbac_group_member", f"{group_id}/{user_id}", after=made)
        return made

    async def remove_member(self, principal: Principal, actor: Actor, group_id: str, user_id: str) -> dict[str, Any]:
        require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            await _find(change.connection, principal.organization_id, group_id)
            row = await _member(change.connection, group_id, user_id)
            if row is None:
                raise NotFoundError("User is not a member of the RBAC group")
            this = (rbac_group_members.c.rbac_group_id == group_id) & (rbac_group_members.c.user_id == user_id)
            await change.connection.execute(delete(rbac_group_members).where(this))
            before = group_member(row, NEWEST)
            await change.log("rbac_group_member_removed", "rbac_group_member", f"{group_id}/{user_id}", before=before)
        return {"type": "rbac_group_member_deleted", "rbac_group_id": group_id, "user_id": user_id}


_MEMBERS = select(rbac_group_members, users.c.email).join(users, users.c.id == rbac_group_members.c.user_id)


async def _member(connection: AsyncConnection, group_id: str, user_id: str) -> Any:
    where = (rbac_group_members.c.rbac_group_id == group_id) & (rbac_group_members.c.user_id == user_id)
    return (await connection.execute(_MEMBERS.where(where))).one_or_none()


async def _find(connection: AsyncConnection, organization_id: str, group_id: str) -> Any:
    return await find_row(connection, rbac_groups, organization_id, group_id, "RBAC group")
