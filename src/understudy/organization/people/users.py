"""Members of the organization.

Rules: the guides on the Admin API and on user management (2026-08). The Admin API neither gives administrative roles
nor takes them, and removes nobody who has one; our own routes do, but never from the last administrator.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.errors import coded, denied
from understudy.organization.maxima import refuse_members
from understudy.organization.pages import Order, id_page
from understudy.organization.people.emails import email_key, same_address
from understudy.organization.people.shapes import UserAddParams, UserListParams, user
from understudy.organization.roles import ADMINISTRATIVE, ASSIGNABLE, OrganizationRole, may, require
from understudy.organization.rows import find_row
from understudy.organization.store import Actor, Change, Store
from understudy.organization.tables import api_keys, rbac_group_members, users, workspace_members
from understudy.wire.errors import InvalidRequestError
from understudy.wire.ids import new_id

GOVERNING: Final = ("admin", "owner", "primary_owner")
"""Roles of which one at least is always held."""


class Users:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def list(self, principal: Principal, params: UserListParams) -> dict[str, Any]:
        """A page, the most recently added first."""
        require(principal, "members:read")
        query = select(users).where(users.c.removed_at.is_(None))
        if "email" in params:
            query = query.where(users.c.email_key == email_key(params["email"]))
        if "roles[]" in params:
            query = query.where(users.c.role.in_(params["roles[]"]))
        async with self._store.connect() as connection:
            return await id_page(
                connection,
                query,
                params,
                order=Order(users.c.added_at, users.c.id),
                within=users.c.organization_id == principal.organization_id,
                render=user,
            )

    async def retrieve(self, principal: Principal, user_id: str) -> dict[str, Any]:
        require(principal, "members:read")
        async with self._store.connect() as connection:
            return user(await find_user(connection, principal.organization_id, user_id))

    async def update(self, principal: Principal, actor: Actor, user_id: str, role: ASSIGNABLE) -> dict[str, Any]:
        """Give one of the roles that the Admin API gives. 400 for a member whose role is administrative."""
        require(principal, "members:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_user(change.connection, principal.organization_id, user_id)
            if row.role in ADMINISTRATIVE:
                raise InvalidRequestError(f"Members with the role {row.role} cannot be changed through this API")
            return await change_role(change, row, role)

    async def set_role(
        self, principal: Principal, actor: Actor, user_id: str, role: OrganizationRole
    ) -> dict[str, Any]:
        """Give any role. 400 where no administrator would be left."""
        require(principal, "members:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_user(change.connection, principal.organization_id, user_id)
            if row.role in ADMINISTRATIVE or role in ADMINISTRATIVE:
                require(principal, "admins:write")
            if role not in GOVERNING:
                await _refuse_last_administrator(change.connection, row)
            return await change_role(change, row, role)

    async def add(self, principal: Principal, actor: Actor, params: UserAddParams) -> dict[str, Any]:
        """A member without an invite. 400 `already_member`, and for one too many."""
        require(principal, "admins:write")
        async with self._store.change(principal.organization_id, actor) as change:
            await refuse_member(change.connection, principal.organization_id, params["email"])
            await refuse_members(change.connection, principal.organization_id, change.most.members, change.now)
            return await insert_user(change, params["email"], params["name"], params["role"])

    async def remove(
        self, principal: Principal, actor: Actor, user_id: str, *, administrators: bool = False
    ) -> dict[str, Any]:
        """Personal keys of the member are archived, memberships end; keys of workspaces stay.

        400 `cannot_remove_last_member`; 400 for administrators unless `administrators`, and for the last of them.
        """
        require(principal, "members:write")
        async with self._store.change(principal.organization_id, actor) as change:
            connection = change.connection
            row = await find_user(connection, principal.organization_id, user_id)
            if row.role in ADMINISTRATIVE:
                if not administrators:
                    raise InvalidRequestError(f"Members with the role {row.role} cannot be removed through this API")
                require(principal, "admins:write")
            await _refuse_last_member(connection, row.organization_id)
            await _refuse_last_administrator(connection, row)
            await connection.execute(update(users).where(users.c.id == user_id).values(removed_at=change.now))
            for table in (workspace_members, rbac_group_members):
                await connection.execute(delete(table).where(table.c.user_id == user_id))
            theirs = (api_keys.c.principal_id == user_id) & (api_keys.c.status != "archived")
            values = {"status": "archived", "revision": change.revision}
            await connection.execute(update(api_keys).where(theirs).values(values))
            await change.log("user_removed", "user", user_id, before=user(row))
        return {"id": user_id, "type": "user_deleted"}

    async def sign_out(self, principal: Principal, actor: Actor, user_id: str) -> dict[str, Any]:
        """The member, unchanged, whose sessions in the Console are over. Keys outlive it.

        400 for the primary owner and for oneself, 403 for administrators whom the caller may not manage (SDK 2.12.0).
        """
        require(principal, "members:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await find_user(change.connection, principal.organization_id, user_id)
            if row.role == "primary_owner":
                raise coded("cannot_sign_out_primary_owner", "Nobody can sign out the primary owner")
            if row.id == principal.actor_id:
                raise coded("cannot_sign_out_self", "The key or token acts for this user")
            if row.role in ADMINISTRATIVE and not may(principal, "admins:write"):
                if row.role == "membership_admin":
                    raise denied("cannot_sign_out_membership_admin", "Your role does not sign out membership admins")
                raise denied("cannot_sign_out_owner", "Your role does not sign out owners and administrators")
            await change.connection.execute(update(users).where(users.c.id == user_id).values(signed_out_at=change.now))
            await change.log("user_signed_out", "user", user_id)
            return user(row)


async def find_user(connection: AsyncConnection, organization_id: str, user_id: str) -> Any:
    """The row of a present member. 404 for any other id."""
    return await find_row(connection, users, organization_id, user_id, "User", users.c.removed_at.is_(None))


async def refuse_member(connection: AsyncConnection, organization_id: str, email: str) -> None:
    """400 `already_member` if a member has this address. The message names the user (SDK 2.12.0)."""
    row = await find_by_email(connection, organization_id, email)
    if row is not None:
        raise coded("already_member", f"{email} already belongs to the user {row.id}")


async def find_by_email(connection: AsyncConnection, organization_id: str, email: str) -> Any:
    """The row of the present member with that address, or None."""
    where = (users.c.organization_id == organization_id) & users.c.removed_at.is_(None)
    alike = select(users).where(where, users.c.email_key == email_key(email))
    rows = (await connection.execute(alike)).all()
    return next((row for row in rows if same_address(row.email, email)), None)


async def insert_user(change: Change, email: str, name: str, role: str) -> dict[str, Any]:
    user_id = new_id("user_")
    values = {
        "id": user_id,
        "organization_id": change.organization_id,
        "email": email,
        "email_key": email_key(email),
        "name": name,
        "role": role,
        "added_at": change.now,
    }
    await change.connection.execute(insert(users).values(values))
    made = user(await find_user(change.connection, change.organization_id, user_id))
    await change.log("user_added", "user", made["id"], after=made)
    return made


async def change_role(change: Change, row: Any, role: str) -> dict[str, Any]:
    """The user of that row with another role."""
    if role == row.role:
        return user(row)
    await change.connection.execute(update(users).where(users.c.id == row.id).values(role=role))
    after = {**user(row), "role": role}
    await change.log("user_role_updated", "user", row.id, before=user(row), after=after)
    return after


async def _count(connection: AsyncConnection, organization_id: str, *roles: str) -> int:
    where = (users.c.organization_id == organization_id) & users.c.removed_at.is_(None)
    if roles:
        where = where & users.c.role.in_(roles)
    return (await connection.execute(select(func.count()).select_from(users).where(where))).scalar_one()


async def _refuse_last_member(connection: AsyncConnection, organization_id: str) -> None:
    if await _count(connection, organization_id) == 1:
        raise coded("cannot_remove_last_member", "The user is the organization's only member")


async def _refuse_last_administrator(connection: AsyncConnection, row: Any) -> None:
    if row.role in GOVERNING and await _count(connection, row.organization_id, *GOVERNING) == 1:
        raise InvalidRequestError("The user is the organization's last administrator")
