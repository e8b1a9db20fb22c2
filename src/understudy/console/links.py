"""One-time links: how the first user gets in, and everybody who has forgotten a password.

A link is made on the machine itself (`understudy serve`, `understudy console link`). Its secret stands behind the `#`
of the address, so that it is in no log of any server or proxy. It works once, for a day.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.console.secret import Secrets
from understudy.console.tables import console_links, console_passwords
from understudy.organization.people.users import GOVERNING, find_by_email
from understudy.organization.tables import users
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError, NotFoundError

LIFETIME: Final = 86_400.0
"""Seconds."""


class NewLink(NamedTuple):
    """`token` is what the address ends with; `email` is whose it is, None for the first user's."""

    token: str
    email: str | None


class Links:
    def __init__(self, db: Database, root: RootSecret) -> None:
        self._db = db
        self._secrets = Secrets(root, "console link")

    async def make(self, organization_id: str, now: float, email: str | None = None) -> NewLink:
        """A link for the user with that address; without one, for the first user while nobody has a password, and then
        for the administrator who has been there longest. NotFoundError where there is no such user."""
        async with self._db.begin() as connection:
            user = None
            if email is not None:
                user = await find_by_email(connection, organization_id, email)
                if user is None:
                    raise NotFoundError(f"No user has the address {email}")
            elif not await is_setup(connection, organization_id):
                user = await _oldest_administrator(connection, organization_id)
                if user is None:
                    raise NotFoundError("There is no administrator. Say whose link it shall be.")
            token, hashed = self._secrets.mint()
            await connection.execute(delete(console_links).where(console_links.c.expires_at <= now))
            values = {
                "hash": hashed.hash,
                "hash_key_id": hashed.hash_key_id,
                "user_id": None if user is None else user.id,
                "created_at": now,
                "expires_at": now + LIFETIME,
            }
            await connection.execute(insert(console_links).values(values))
        return NewLink(token, None if user is None else user.email)

    async def find(self, connection: AsyncConnection, organization_id: str, token: str, now: float) -> Any:
        """The link's row. InvalidRequestError for one that is not, or no longer, valid: the first user's is not once
        there is one."""
        hashes = [one.hash for one in self._secrets.hashed(token)]
        query = select(console_links).where(console_links.c.hash.in_(hashes), console_links.c.expires_at > now)
        row = (await connection.execute(query)).one_or_none() if hashes else None
        if row is None or (row.user_id is None and not await is_setup(connection, organization_id)):
            raise InvalidRequestError("The link is not valid, or no longer so")
        return row

    async def use(self, connection: AsyncConnection, row: Any) -> None:
        """It does not work again; nor, once one was used, do the others of the same user."""
        of = console_links.c
        same = of.user_id.is_(None) if row.user_id is None else of.user_id == row.user_id
        await connection.execute(delete(console_links).where(or_(of.hash == row.hash, same)))


async def is_setup(connection: AsyncConnection, organization_id: str) -> bool:
    """Whether nobody has a password yet."""
    query = (
        select(users.c.id)
        .join(console_passwords, console_passwords.c.user_id == users.c.id)
        .where(users.c.organization_id == organization_id, users.c.removed_at.is_(None))
        .limit(1)
    )
    return (await connection.execute(query)).first() is None


async def _oldest_administrator(connection: AsyncConnection, organization_id: str) -> Any:
    query = select(users).where(
        users.c.organization_id == organization_id, users.c.removed_at.is_(None), users.c.role.in_(GOVERNING)
    )
    return (await connection.execute(query.order_by(users.c.added_at, users.c.id).limit(1))).one_or_none()
