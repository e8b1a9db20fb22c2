"""Sessions in the database, as several servers on one see them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select, update

from installations import installation
from understudy.console.links import LIFETIME, Links
from understudy.console.passwords import Passwords
from understudy.console.sessions import Sessions
from understudy.console.sign_in import SignIn
from understudy.console.tables import console_sessions
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.people.invites import Invites
from understudy.organization.service import Organizations
from understudy.organization.store import Actor, Store
from understudy.organization.tables import users
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import AuthenticationError, InvalidRequestError, NotFoundError, RateLimitError

DAY = 86_400.0
ACTOR = Actor("stranger", address="192.0.2.1")
PASSWORD = "correct horse battery"

pytestmark = pytest.mark.each_database


@dataclass
class Server:
    """One process of several. `now`: seconds since the epoch."""

    sessions: Sessions
    signing_in: SignIn
    links: Links
    following: Following
    now: float


@asynccontextmanager
async def server(db: Database, root: RootSecret, now: float = 2e9) -> AsyncGenerator[Server]:
    made = Server(None, None, None, None, now)  # pyright: ignore[reportArgumentType]

    def clock() -> float:
        return made.now

    following = made.following = Following(db)
    authenticator = KeyAuthenticator(db, root, following=following)
    store = Store(db, clock)
    made.sessions = Sessions(db, root, authenticator, following, clock, lifetime=7 * DAY, idle=DAY)
    made.links = Links(db, root)
    made.signing_in = SignIn(store, made.sessions, made.links, Invites(store, root), 8)
    await authenticator.start()
    await made.sessions.start()
    following.start()
    try:
        yield made
    finally:
        await following.stop()


async def first_user(it: Server, organization_id: str, email: str = "ada@example.com") -> str:
    link = await it.links.make(organization_id, it.now)
    secret = await it.signing_in.with_link(ACTOR, link.token, "Ada", email, PASSWORD)
    await it.sessions.settle()
    return secret


async def test_a_session_works_on_all_servers_and_ends_on_all(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as one, server(db, root) as other:
        there = await Organizations(db, root).ensure_installation()
        secret = await first_user(one, there.organization_id)
        found = await other.sessions.find(secret)
        assert found is not None
        assert found.person.principal.actor_id == found.session.user_id
        assert (found.person.principal.api_key_id, found.person.principal.kind) == (None, "api")
        await one.sessions.end(found.session)
        await other.following.next_look(2)
        assert await one.sessions.find(secret) is None
        assert await other.sessions.find(secret) is None


async def test_a_session_ends_after_its_lifetime_and_when_nothing_came_for_long(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        there = await Organizations(db, root).ensure_installation()
        secret = await first_user(it, there.organization_id)
        for _ in range(8):
            it.now += DAY * 0.8
            assert await it.sessions.find(secret) is not None
        it.now += DAY * 0.7
        assert await it.sessions.find(secret) is None, "older than its lifetime"
        second = await it.signing_in.with_password(ACTOR, "ADA@example.com", PASSWORD)
        await it.sessions.settle()
        it.now += DAY * 1.01
        assert await it.sessions.find(second) is None, "idle for too long"


async def test_what_another_server_was_asked_keeps_a_session_alive(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as one, server(db, root) as other:
        there = await Organizations(db, root).ensure_installation()
        secret = await first_user(one, there.organization_id)
        assert await other.sessions.find(secret) is not None
        for _ in range(3):
            one.now += DAY * 0.6
            other.now = one.now
            assert await one.sessions.find(secret) is not None
        assert await other.sessions.find(secret) is not None


async def test_seldom_is_written_when_a_session_was_seen(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        there = await Organizations(db, root).ensure_installation()
        secret = await first_user(it, there.organization_id)

        async def written() -> float:
            async with db.connect() as connection:
                return (await connection.execute(select(console_sessions.c.seen_at))).scalar_one()

        begun = await written()
        it.now += 30
        await it.sessions.find(secret)
        assert await written() == begun
        it.now += 31
        await it.sessions.find(secret)
        assert await written() == begun + 61


async def test_a_link_works_once_for_a_day_and_the_first_users_only_for_the_first(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        organization_id = (await Organizations(db, root).ensure_installation()).organization_id
        late = await it.links.make(organization_id, it.now)
        it.now += LIFETIME
        with pytest.raises(InvalidRequestError):
            await it.signing_in.with_link(ACTOR, late.token, "Ada", "ada@example.com", PASSWORD)
        unused = await it.links.make(organization_id, it.now)
        await first_user(it, organization_id)
        with pytest.raises(InvalidRequestError):
            await it.signing_in.with_link(ACTOR, unused.token, "Eve", "eve@example.com", PASSWORD)
        again = await it.links.make(organization_id, it.now)
        assert again.email == "ada@example.com"
        other = await it.links.make(organization_id, it.now)
        assert await it.signing_in.link_email(ACTOR, again.token) == "ada@example.com"
        await it.signing_in.with_link(ACTOR, again.token, None, None, None)
        for token in (again.token, other.token, "x", "A" * 43):
            with pytest.raises(InvalidRequestError):
                await it.signing_in.with_link(ACTOR, token, None, None, None)
        with pytest.raises(NotFoundError):
            await it.links.make(organization_id, it.now, "nobody@example.com")


async def test_a_password_that_is_changed_while_it_is_looked_at_begins_no_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        organization_id = (await Organizations(db, root).ensure_installation()).organization_id
        session = await it.sessions.find(await first_user(it, organization_id))
        assert session is not None
        verify = Passwords.verify

        async def late(self: Passwords, stored: str | None, password: str) -> bool:
            right = await verify(self, stored, password)
            link = await it.links.make(organization_id, it.now, "ada@example.com")
            await it.signing_in.with_link(ACTOR, link.token, None, None, "another good password")
            return right

        monkeypatch.setattr(Passwords, "verify", late)
        with pytest.raises(AuthenticationError):
            await it.signing_in.with_password(ACTOR, "ada@example.com", PASSWORD)
        with pytest.raises(InvalidRequestError, match="current"):
            await it.signing_in.change_password(ACTOR, session.session, "another good password", "a thief's password")
        monkeypatch.undo()
        assert await it.signing_in.with_password(ACTOR, "ada@example.com", "another good password")


async def test_signing_in_with_the_right_password_uses_up_no_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        organization_id = (await Organizations(db, root).ensure_installation()).organization_id
        await first_user(it, organization_id)

        async def quick(self: Passwords, stored: str | None, password: str) -> bool:
            return password == PASSWORD

        monkeypatch.setattr(Passwords, "verify", quick)
        for _ in range(40):
            await it.signing_in.with_password(ACTOR, "ada@example.com", PASSWORD)
        for number in range(30):
            with pytest.raises(AuthenticationError):
                await it.signing_in.with_password(ACTOR, f"{number}@example.com", "no")
        with pytest.raises(RateLimitError):
            await it.signing_in.with_password(ACTOR, "ada@example.com", PASSWORD)


async def test_two_who_use_a_link_at_once_are_one(tmp_path: Path) -> None:
    import asyncio

    async with installation(tmp_path) as (db, root), server(db, root) as it:
        organization_id = (await Organizations(db, root).ensure_installation()).organization_id
        link = await it.links.make(organization_id, it.now)
        both = [
            it.signing_in.with_link(ACTOR, link.token, name, f"{name}@example.com", PASSWORD) for name in ("a", "b")
        ]
        outcomes = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in outcomes) == ["InvalidRequestError", "str"]
        async with db.connect() as connection:
            assert len((await connection.execute(select(users.c.id))).all()) == 1


async def test_an_existing_user_who_claims_the_first_link_governs(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root), server(db, root) as it:
        organization_id = (await Organizations(db, root).ensure_installation()).organization_id
        await first_user(it, organization_id)
        async with db.begin() as connection:
            await connection.execute(update(users).values(role="user"))
            await connection.exec_driver_sql("DELETE FROM console_passwords")
        await first_user(it, organization_id, "Ada@Example.com")
        async with db.connect() as connection:
            (row,) = (await connection.execute(select(users))).all()
        assert (row.role, row.email) == ("primary_owner", "ada@example.com")


async def test_a_rotated_root_secret_keeps_sessions(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        old, new = RootSecret(["o" * 32]), RootSecret(["n" * 32, "o" * 32])
        organization_id = (await Organizations(db, old).ensure_installation()).organization_id
        async with server(db, old) as it:
            secret = await first_user(it, organization_id)
        async with server(db, new) as it:
            assert await it.sessions.find(secret) is not None
        async with server(db, RootSecret(["x" * 32])) as it:
            assert await it.sessions.find(secret) is None
