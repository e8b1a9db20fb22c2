"""Invites. They end after 21 days (guide on the Admin API, 2026-08), and only a pending one can be withdrawn.

Nothing here sends mail: whoever invited hands the link's token on. It is a keyed hash over the invite, so that it is
stored nowhere, belongs to this one address, and cannot be guessed.
"""

from __future__ import annotations

import hmac
from typing import Any, Final

from sqlalchemy import and_, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.errors import coded
from understudy.organization.maxima import refuse_members
from understudy.organization.pages import Order, id_page
from understudy.organization.people.emails import email_key, same_address
from understudy.organization.people.shapes import InviteCreateParams, InviteListParams, invite, invite_status
from understudy.organization.people.users import insert_user, refuse_member
from understudy.organization.roles import require
from understudy.organization.rows import find_row
from understudy.organization.store import Actor, Change, Store, from_json, to_json
from understudy.organization.tables import invites, rbac_group_members, rbac_groups
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError
from understudy.wire.ids import new_id

LIFETIME: Final = 21 * 86_400.0
"""Seconds."""


class Invites:
    def __init__(self, store: Store, root: RootSecret) -> None:
        self._store = store
        self._keys = [key for _, key in root.derive_all("invite token")]

    async def list(self, principal: Principal, params: InviteListParams) -> dict[str, Any]:
        """A page, newest first, without those that were withdrawn."""
        require(principal, "members:read")
        now = self._store.clock()
        query = select(invites).where(invites.c.deleted_at.is_(None))
        if "email" in params:
            query = query.where(invites.c.email_key == email_key(params["email"]))
        if "roles[]" in params:
            query = query.where(invites.c.role.in_(params["roles[]"]))
        if "statuses[]" in params:
            accepted, expired = invites.c.accepted_at.is_not(None), invites.c.expires_at <= now
            conditions = {
                "accepted": accepted,
                "expired": and_(~accepted, expired),
                "pending": and_(~accepted, ~expired),
            }
            query = query.where(or_(*(conditions[status] for status in params["statuses[]"])))
        async with self._store.connect() as connection:
            return await id_page(
                connection,
                query,
                params,
                order=Order(invites.c.invited_at, invites.c.id),
                within=invites.c.organization_id == principal.organization_id,
                render=lambda row: invite(row, now),
            )

    async def retrieve(self, principal: Principal, invite_id: str) -> dict[str, Any]:
        require(principal, "members:read")
        async with self._store.connect() as connection:
            return invite(await _find(connection, principal.organization_id, invite_id), self._store.clock())

    async def create(self, principal: Principal, actor: Actor, params: InviteCreateParams) -> dict[str, Any]:
        """400 `already_member` or `invite_already_exists`, naming which (SDK 2.12.0); 400 for an unknown group, and for
        one too many."""
        require(principal, "members:write")
        groups = list(dict.fromkeys(params.get("rbac_group_ids", [])))
        if groups:
            require(principal, "rbac:write")
        async with self._store.change(principal.organization_id, actor) as change:
            connection, organization_id = change.connection, principal.organization_id
            await refuse_member(connection, organization_id, params["email"])
            await _refuse_pending(connection, organization_id, params["email"], change.now)
            await _check_groups(connection, organization_id, groups)
            await refuse_members(connection, organization_id, change.most.members, change.now)
            values = {
                "id": new_id("invite_"),
                "organization_id": organization_id,
                "email": params["email"],
                "email_key": email_key(params["email"]),
                "role": params["role"],
                "rbac_group_ids": to_json(groups),
                "invited_at": change.now,
                "expires_at": change.now + LIFETIME,
            }
            await connection.execute(insert(invites).values(values))
            made = invite(await _find(connection, organization_id, str(values["id"])), change.now)
            await change.log("invite_created", "invite", made["id"], after=made)
        return made

    async def delete(self, principal: Principal, actor: Actor, invite_id: str) -> dict[str, Any]:
        """Withdraw a pending invite; 400 for any other."""
        require(principal, "members:write")
        async with self._store.change(principal.organization_id, actor) as change:
            row = await _find(change.connection, principal.organization_id, invite_id)
            status = invite_status(row, change.now)
            if status != "pending":
                raise InvalidRequestError(f"Only a pending invite can be deleted. This one is {status}.")
            values = {"deleted_at": change.now}
            await change.connection.execute(update(invites).where(invites.c.id == invite_id).values(values))
            await change.log("invite_deleted", "invite", invite_id, before=invite(row, change.now))
        return {"id": invite_id, "type": "invite_deleted"}

    async def token(self, principal: Principal, invite_id: str) -> str:
        """What the invited needs to accept. 400 unless the invite is pending."""
        require(principal, "members:write")
        async with self._store.connect() as connection:
            row = await _find(connection, principal.organization_id, invite_id)
        if invite_status(row, self._store.clock()) != "pending":
            raise InvalidRequestError("The invite is not pending")
        return f"{row.id}.{_seal(self._keys[0], row)}"

    async def accept(self, actor: Actor, token: str, name: str) -> dict[str, Any]:
        """The user that the invited has become. A token works once; 400 for any that does not, whatever the reason."""
        row = await self.find(token)
        async with self._store.change(row.organization_id, actor) as change:
            return await admit(change, row.id, name)

    async def find(self, token: str) -> Any:
        """The row of the invite that a token is for, which may be over. 400 for a token that is none's."""
        invite_id, _, seal = token.partition(".")
        async with self._store.connect() as connection:
            row = (await connection.execute(select(invites).where(invites.c.id == invite_id))).one_or_none()
        given = seal.encode("utf-8", "surrogatepass")
        if row is None or not any(hmac.compare_digest(_seal(key, row).encode(), given) for key in self._keys):
            raise _refused()
        return row


async def admit(change: Change, invite_id: str, name: str) -> dict[str, Any]:
    """Make the invited a user, in a transaction that nobody else can be in at the same time. 400 unless it is
    pending."""
    row = (await change.connection.execute(select(invites).where(invites.c.id == invite_id))).one()
    if invite_status(row, change.now) != "pending":
        raise _refused()
    await refuse_member(change.connection, row.organization_id, row.email)
    values = {"accepted_at": change.now}
    await change.connection.execute(update(invites).where(invites.c.id == invite_id).values(values))
    made = await insert_user(change, row.email, name, row.role)
    there = select(rbac_groups.c.id).where(rbac_groups.c.id.in_(from_json(row.rbac_group_ids)))
    for group_id in (await change.connection.execute(there)).scalars().all():
        joined = {"rbac_group_id": group_id, "user_id": made["id"], "created_at": change.now}
        await change.connection.execute(insert(rbac_group_members).values(joined))
    await change.log("invite_accepted", "invite", invite_id, before=invite(row, change.now), after=made)
    return made


def _refused() -> InvalidRequestError:
    return InvalidRequestError("The invitation is not valid, or no longer so")


def _seal(key: bytes, row: Any) -> str:
    return hmac.digest(key, f"{row.id}\0{row.email}\0{row.invited_at}".encode(), "sha256").hex()


async def _find(connection: AsyncConnection, organization_id: str, invite_id: str) -> Any:
    return await find_row(connection, invites, organization_id, invite_id, "Invite")


async def find_pending(connection: AsyncConnection, organization_id: str, email: str, now: float) -> Any:
    """The row of the pending invite of an address, or None."""
    where = (invites.c.organization_id == organization_id) & (invites.c.email_key == email_key(email))
    for row in (await connection.execute(select(invites).where(where))).all():
        if invite_status(row, now) == "pending" and same_address(row.email, email):
            return row
    return None


async def _refuse_pending(connection: AsyncConnection, organization_id: str, email: str, now: float) -> None:
    row = await find_pending(connection, organization_id, email, now)
    if row is not None:
        raise coded("invite_already_exists", f"A pending invite already exists for {email}: {row.id}")


async def _check_groups(connection: AsyncConnection, organization_id: str, groups: list[str]) -> None:
    where = (rbac_groups.c.organization_id == organization_id) & rbac_groups.c.id.in_(groups)
    known = set((await connection.execute(select(rbac_groups.c.id).where(where))).scalars().all())
    if known != set(groups):
        raise InvalidRequestError("rbac_group_ids: RBAC group not found")
