"""Signing in: by password, one-time link, invite, or what an OpenID Connect provider says.

Each gives a new session, whatever cookie came with the request, so that nobody can be made to use one that somebody
else knows.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.console.links import Links
from understudy.console.passwords import LONGEST, Passwords
from understudy.console.sessions import Session, Sessions
from understudy.console.tables import console_passwords
from understudy.organization.attempts import FailedAttempts
from understudy.organization.people.emails import email_key
from understudy.organization.people.invites import Invites, admit, find_pending
from understudy.organization.people.users import GOVERNING, change_role, find_by_email, find_user, insert_user
from understudy.organization.store import Actor, Change, Store
from understudy.organization.tables import organizations, users
from understudy.wire.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError

_REFUSAL: Final = "The e-mail address or the password is not right."

_log = logging.getLogger(__name__)


class SignIn:
    """`least`: characters of a new password. Methods give the secret of a new session."""

    def __init__(self, store: Store, sessions: Sessions, links: Links, accepting: Invites, least: int) -> None:
        self._store = store
        self._sessions = sessions
        self._links = links
        self._invites = accepting
        self._least = least
        self._passwords = Passwords()
        # A person mistypes a few times; whoever guesses gets twelve more an hour. An account is guarded by itself,
        # since addresses are many: a one-time link passes by a guard that others keep busy.
        self._of_address = FailedAttempts(burst=30, rate=1 / 30)
        self._of_account = FailedAttempts(burst=10, rate=1 / 300)

    async def with_password(self, actor: Actor, email: str, password: str) -> str:
        """401, the same for whatever is wrong; 429 after too many that were."""
        account, address = _account(email), actor.address or ""
        organization_id = await self.organization_id()
        async with self._store.connect() as connection:
            # No address holds what PostgreSQL takes in no text.
            user = await find_by_email(connection, organization_id, email if email.isprintable() else "")
            # Asked for nobody too: who is there is not to be told by the time that it takes.
            stored = await _stored_password(connection, "" if user is None else user.id)
        self._of_address.check(address)
        self._of_account.check(account)
        # Counted before it is known to be wrong: many at once are no way around.
        self._of_address.note(address)
        self._of_account.note(account)
        if not await self._passwords.verify(stored, password) or user is None or stored is None:
            _log.warning("a sign-in to the Console was refused, from %s", address)
            raise AuthenticationError(_REFUSAL)
        self._of_account.forget(account)
        self._of_address.excuse(address)
        renewed = await self._passwords.hash(password) if self._passwords.is_old(stored) else None
        async with self._store.change(organization_id, _as(actor, user.id)) as change:
            # It may have been changed meanwhile, which has ended all sessions: this one must not begin after that.
            if await _stored_password(change.connection, user.id) != stored:
                raise AuthenticationError(_REFUSAL)
            if renewed is not None:
                await _store_password(change, user.id, renewed)
            return await self._begin(change, user.id, "password")

    async def with_link(
        self, actor: Actor, token: str, name: str | None, email: str | None, password: str | None
    ) -> str:
        """Claims the link. 400 for one that is not valid, and for the first user's without a name, an address and a
        password. Others may choose a new password, or none."""
        organization_id = await self.organization_id()
        link = await self._find_link(actor, organization_id, token)
        if link.user_id is None and (not name or not email or not password):
            raise InvalidRequestError("name, email, password: Field required")
        stored = None if password is None else await self._hashed(password)
        async with self._store.change(organization_id, actor) as change:
            # Once more: now nobody else can use it.
            link = await self._links.find(change.connection, organization_id, token, change.now)
            await self._links.use(change.connection, link)
            if link.user_id is None:
                assert email is not None and name is not None
                user_id = await _first_user(change, email, name)
            else:
                user_id = (await find_user(change.connection, organization_id, link.user_id)).id
            change.actor = _as(actor, user_id)
            if stored is not None:
                await self._set_password(change, user_id, stored)
            return await self._begin(change, user_id, "link")

    async def link_email(self, actor: Actor, token: str) -> str | None:
        """Whose link it is; None for the first user's. 400 for one that is not valid."""
        link = await self._find_link(actor, await self.organization_id(), token)
        if link.user_id is None:
            return None
        async with self._store.connect() as connection:
            return (await connection.execute(select(users.c.email).where(users.c.id == link.user_id))).scalar_one()

    async def with_invite(self, actor: Actor, token: str, name: str, password: str) -> str:
        """Accepts an invite. 400 for one that is not valid."""
        self._of_address.check(actor.address or "")
        try:
            invited = await self._invites.find(token)
        except InvalidRequestError:
            self._of_address.note(actor.address or "")
            raise
        stored = await self._hashed(password)
        async with self._store.change(invited.organization_id, actor) as change:
            user_id: str = (await admit(change, invited.id, name))["id"]
            change.actor = _as(actor, user_id)
            await self._set_password(change, user_id, stored)
            return await self._begin(change, user_id, "invite")

    async def with_provider(self, actor: Actor, email: str, name: str) -> str:
        """The user whose address an OpenID Connect provider has verified, or whoever was invited by it. 403 for all
        others."""
        organization_id = await self.organization_id()
        async with self._store.change(organization_id, actor) as change:
            user = await find_by_email(change.connection, organization_id, email)
            if user is not None:
                user_id: str = user.id
            else:
                invited = await find_pending(change.connection, organization_id, email, change.now)
                if invited is None:
                    raise PermissionDeniedError("Nobody here has this address, and nobody was invited by it.")
                user_id = (await admit(change, invited.id, name))["id"]
            change.actor = _as(actor, user_id)
            return await self._begin(change, user_id, "single_sign_on")

    async def change_password(self, actor: Actor, session: Session, current: str, new: str) -> None:
        """Ends the user's other sessions. 400 where the current password is wrong, 429 after too many that were."""
        account = f"change:{session.user_id}"
        self._of_account.check(account)
        async with self._store.connect() as connection:
            stored = await _stored_password(connection, session.user_id)
        self._of_account.note(account)
        if not await self._passwords.verify(stored, current):
            raise InvalidRequestError("current: The password is not right.")
        self._of_account.forget(account)
        hashed = await self._hashed(new, "new")
        async with self._store.change(await self.organization_id(), actor) as change:
            if await _stored_password(change.connection, session.user_id) != stored:
                raise InvalidRequestError("current: The password is not right.")
            await self._set_password(change, session.user_id, hashed, but=session.id)
        await self._sessions.settle()

    async def organization_id(self) -> str:
        """The one organization of this installation."""
        query = select(organizations.c.id).order_by(organizations.c.created_at, organizations.c.id).limit(1)
        async with self._store.connect() as connection:
            return (await connection.execute(query)).scalar_one()

    async def _find_link(self, actor: Actor, organization_id: str, token: str) -> Any:
        self._of_address.check(actor.address or "")
        try:
            async with self._store.connect() as connection:
                return await self._links.find(connection, organization_id, token, self._store.clock())
        except InvalidRequestError:
            self._of_address.note(actor.address or "")
            raise

    async def _hashed(self, password: str, field: str = "password") -> str:
        if not self._least <= len(password) <= LONGEST:
            raise InvalidRequestError(f"{field}: must be {self._least} to {LONGEST} characters")
        return await self._passwords.hash(password)

    async def _set_password(self, change: Change, user_id: str, stored: str, *, but: str | None = None) -> None:
        await _store_password(change, user_id, stored)
        await self._sessions.end_all(change.connection, user_id, but=but)
        await change.log("user_password_set", "user", user_id)

    async def _begin(self, change: Change, user_id: str, by: str) -> str:
        secret = await self._sessions.begin(change.connection, user_id, change.now)
        await change.log("user_signed_in", "user", user_id, after={"by": by})
        return secret


def _as(actor: Actor, user_id: str) -> Actor:
    return Actor("user", user_id, None, actor.address, actor.user_agent, actor.request_id)


def _account(email: str) -> str:
    return hashlib.sha256(email_key(email[:320]).encode("utf-8", "surrogatepass")).hexdigest()


async def _stored_password(connection: AsyncConnection, user_id: str) -> str | None:
    query = select(console_passwords.c.hash).where(console_passwords.c.user_id == user_id)
    return (await connection.execute(query)).scalar()


async def _store_password(change: Change, user_id: str, stored: str) -> None:
    await change.connection.execute(delete(console_passwords).where(console_passwords.c.user_id == user_id))
    values = {"user_id": user_id, "hash": stored, "set_at": change.now}
    await change.connection.execute(insert(console_passwords).values(values))


async def _first_user(change: Change, email: str, name: str) -> str:
    """The user who governs from now on: one of that address, or a new one."""
    user = await find_by_email(change.connection, change.organization_id, email)
    if user is None:
        return (await insert_user(change, email, name, "primary_owner"))["id"]
    if user.role not in GOVERNING:
        await change_role(change, user, "primary_owner")
    return user.id
