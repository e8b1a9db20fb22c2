"""Sessions: who is signed in, told from memory as keys are (organization/authenticator.py).

A session is one person's sign-in from one browser. It ends by signing out, after its lifetime, when nothing came for
the idle time, when the password is changed elsewhere, and with its user. Servers follow `console_changes`: one that
another process made works at once, one that was ended there is refused within POLL_INTERVAL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.console.secret import Secrets
from understudy.console.tables import console_changes, console_sessions
from understudy.organization.clock import Clock
from understudy.organization.snapshot import Person
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.storage.secrets import RootSecret
from understudy.wire.ids import new_id

# Seconds that an unknown session waits for a look before it is refused, and a known one for its last use to be written,
_WAIT: Final = 0.5
# … and that who changed something waits for it to be known.
_SETTLED: Final = 2.0
# A session's last use is written no oftener; what is not written yet is lost with the process.
_WRITTEN_EVERY: Final = 60.0

_log = logging.getLogger(__name__)


class People(Protocol):
    def person(self, user_id: str) -> Person | None: ...


@dataclass(slots=True)
class Session:
    """Times are seconds since the epoch."""

    id: str
    hash: str
    user_id: str
    created_at: float
    expires_at: float
    seen_at: float
    written_at: float


class SignedIn(NamedTuple):
    """A request's session and whose it is."""

    session: Session
    person: Person


class Sessions:
    """`lifetime`, `idle`: seconds. `following` is the server's own."""

    def __init__(
        self,
        db: Database,
        root: RootSecret,
        people: People,
        following: Following,
        clock: Clock,
        *,
        lifetime: float,
        idle: float,
    ) -> None:
        self._db = db
        self._secrets = Secrets(root, "console session")
        self._people = people
        self._following = following
        self._clock = clock
        self.lifetime = lifetime
        self._idle = idle
        self._revision = -1
        self._by_hash: dict[str, Session] = {}
        state = (select(console_changes.c.revision).scalar_subquery(),)
        following.add(state, self._take, _log, "sessions cannot be read, the last ones known go on")

    async def start(self) -> None:
        """Load the sessions there are. Raises what the database raises."""
        async with self._db.connect() as connection:
            revision = (await connection.execute(select(console_changes.c.revision))).scalar_one()
        await self._take((revision,))

    async def find(self, secret: str) -> SignedIn | None:
        """The session that `secret` stands for, which was used now; None for one that is over, or never was."""
        hashes = [one.hash for one in self._secrets.hashed(secret)]
        if not hashes:
            return None
        session = self._known(hashes)
        if session is None:
            await self._following.next_look(_WAIT)
            session = self._known(hashes)
        if session is None:
            return None
        now = self._clock()
        if now >= session.expires_at or (now >= session.seen_at + self._idle and not await self._seen(session, now)):
            return None
        person = self._people.person(session.user_id)
        if person is None or session.created_at <= person.signed_out_at:
            return None
        session.seen_at = now
        if now >= session.written_at + min(_WRITTEN_EVERY, self._idle / 4):
            session.written_at = now
            await self._write_seen(session)
        return SignedIn(session, person)

    async def begin(self, connection: AsyncConnection, user_id: str, now: float) -> str:
        """A new session's secret, in the connection's transaction."""
        secret, hashed = self._secrets.mint()
        # Nothing else takes away what nobody ended.
        await connection.execute(delete(console_sessions).where(console_sessions.c.expires_at <= now))
        values = {
            "id": new_id("session_"),
            "hash": hashed.hash,
            "hash_key_id": hashed.hash_key_id,
            "user_id": user_id,
            "created_at": now,
            "seen_at": now,
            "expires_at": now + self.lifetime,
        }
        await connection.execute(insert(console_sessions).values(values))
        await raise_console_revision(connection)
        return secret

    async def end(self, session: Session) -> None:
        """Sign out of one browser."""
        async with self._db.begin() as connection:
            await connection.execute(delete(console_sessions).where(console_sessions.c.id == session.id))
            await raise_console_revision(connection)
        await self.settle()

    async def end_all(self, connection: AsyncConnection, user_id: str, *, but: str | None = None) -> None:
        """End a user's sessions in the connection's transaction, but for one by its id."""
        theirs = console_sessions.c.user_id == user_id
        if but is not None:
            theirs &= console_sessions.c.id != but
        await connection.execute(delete(console_sessions).where(theirs))
        await raise_console_revision(connection)

    async def settle(self) -> None:
        """Wait until what was changed here is known here: sessions, and whose they are."""
        await self._following.next_look(_SETTLED)

    def _known(self, hashes: Sequence[str]) -> Session | None:
        # Looked up by a keyed hash: how long that takes tells nothing of the secret.
        return next((self._by_hash[one] for one in hashes if one in self._by_hash), None)

    async def _seen(self, session: Session, now: float) -> bool:
        """Whether another process saw the session of late."""
        query = select(console_sessions.c.seen_at).where(console_sessions.c.id == session.id)
        async with self._db.connect() as connection:
            seen_at: float | None = (await connection.execute(query)).scalar()
        session.seen_at = max(session.seen_at, seen_at or 0.0)
        return now < session.seen_at + self._idle

    async def _write_seen(self, session: Session) -> None:
        of = console_sessions.c
        written = (
            update(console_sessions)
            .where(of.id == session.id, of.seen_at < session.seen_at)
            .values(seen_at=session.seen_at)
        )
        try:
            async with asyncio.timeout(_WAIT), self._db.begin() as connection:
                await connection.execute(written)
        except Exception as error:
            if not isinstance(error, TimeoutError) and not self._db.is_unavailable(error):
                raise
            _log.warning("a session's last use cannot be written: %s", type(error).__name__)

    async def _take(self, state: Sequence[Any]) -> None:
        (revision,) = state
        if revision == self._revision:
            return
        of, now = console_sessions.c, self._clock()
        query = select(console_sessions).where(of.expires_at > now)
        found: dict[str, Session] = {}
        async with self._db.connect() as connection:
            for row in (await connection.execute(query)).all():
                before = self._by_hash.get(row.hash)
                seen_at = max(row.seen_at, 0.0 if before is None else before.seen_at)
                found[row.hash] = Session(
                    row.id, row.hash, row.user_id, row.created_at, row.expires_at, seen_at, row.seen_at
                )
        self._by_hash, self._revision = found, revision


async def raise_console_revision(connection: AsyncConnection) -> None:
    """Let servers notice what the connection's transaction changed."""
    await connection.execute(update(console_changes).values(revision=console_changes.c.revision + 1))
