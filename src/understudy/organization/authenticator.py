"""Who a credential stands for, from memory: nothing on a request's path asks the database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Any

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.attempts import FailedAttempts
from understudy.organization.clock import SharedClock, database_time
from understudy.organization.keys import HASH_PURPOSE, KeyHash
from understudy.organization.service import live
from understudy.organization.snapshot import Person, Snapshot, load
from understudy.organization.tables import api_keys, organization_changes
from understudy.organization.tokens import PREFIX, Tokens
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.storage.secrets import RootSecret

REFRESH_WAIT = 0.5
"""Seconds that an unknown key waits for a look before it is refused."""

_log = logging.getLogger(__name__)


class KeyAuthenticator:
    """Implements http's Authenticator over a snapshot of all live keys and of whom they act as.

    It follows the changes number (storage/following.py) and loads the keys anew when that has moved; `following` is
    the server's own, which who made it starts. A secret that is not in the snapshot waits for the next look, shared by
    all that wait, and is looked up once more: a key that another process made a moment ago works at once, and every
    kind of bad key takes the same way. While the database does not answer, the last snapshot serves. What has expired
    is told by the database's clock: servers agree.

    `used` holds when a key was last accepted (key id → seconds since the epoch) until `write_last_used` has run.
    """

    def __init__(
        self,
        db: Database,
        root: RootSecret,
        attempts: FailedAttempts | None = None,
        following: Following | None = None,
    ) -> None:
        self._db = db
        self._hashes = [KeyHash(key_id, key) for key_id, key in root.derive_all(HASH_PURPOSE)]
        self._tokens = Tokens(root)
        self._attempts = FailedAttempts() if attempts is None else attempts
        self._snapshot = Snapshot()
        self.clock = SharedClock()
        self._revision: int = -1
        self._is_following = False
        self._following = Following(db) if following is None else following
        self._own = self._following if following is None else None
        self._state = select(organization_changes.c.revision).scalar_subquery(), database_time(db.dialect)
        self._following.add(self._state, self._take, _log, "keys cannot be read, the last ones known go on serving")
        self.used: dict[str, float] = {}

    async def start(self) -> None:
        """Load the keys and begin to follow changes. Raises what the database raises."""
        async with self._db.connect() as connection:
            state = (await connection.execute(select(*self._state))).one()
        await self._take(state)
        self._is_following = True
        if self._own is not None:
            self._own.start()

    async def stop(self) -> None:
        """Stop following changes. The snapshot goes on serving."""
        self._is_following = False
        if self._own is not None:
            await self._own.stop()

    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        """The principal that `secret` stands for, or None. RateLimitError if `address` has sent too many bad ones."""
        found = self._find(secret)
        if found is not None:
            return found
        if address:
            self._attempts.check(address)
        if self._is_following:
            await self._following.next_look(REFRESH_WAIT)
            found = self._find(secret)
        if found is None and address:
            self._attempts.note(address)
        return found

    def of_workspace(self, workspace_id: str | None) -> Principal | None:
        """Who may develop in a workspace that is not archived, in the default one if None, with a credential that is
        kept elsewhere."""
        return self._snapshot.in_workspace.get(workspace_id)

    def person(self, user_id: str) -> Person | None:
        """A user who is signed in without any key; None once removed."""
        return self._snapshot.person(user_id)

    async def write_last_used(self, connection: AsyncConnection) -> Callable[[], None]:
        """Write `used` to the keys in the connection's transaction. Call what is returned once that has committed."""
        # In the order of ids: two servers that update the same rows must not wait for each other.
        written = sorted(self.used.items())
        if written:
            await connection.execute(_WRITE_LAST_USED, [{"key_id": key_id, "at": at} for key_id, at in written])

        def committed() -> None:
            for key_id, at in written:
                if self.used.get(key_id) == at:
                    del self.used[key_id]

        return committed

    def _find(self, secret: str) -> Principal | None:
        if secret.startswith(PREFIX):
            token = self._tokens.read(secret)
            if token is None or self.clock() >= token.expires_at:
                return None
            return self._snapshot.principal_of(token)
        encoded = secret.encode("utf-8", "surrogatepass")
        for key_hash in self._hashes:
            digest = key_hash.digest(encoded)
            entry = self._snapshot.entries.get(digest)
            if entry is not None and compare_digest(entry.digest, digest):
                now = self.clock()
                if now < entry.expires_at:
                    self.used[entry.api_key_id] = now
                    return entry.principal
        return None

    async def _take(self, state: Sequence[Any]) -> None:
        revision, now = state
        self.clock.hear(now)
        if revision != self._revision:
            # The number was read before the keys: what is committed in between is loaded once more, never missed.
            known = {key_hash.key_id for key_hash in self._hashes}
            async with self._db.connect() as connection:
                self._snapshot = await load(connection, known, live(self.clock()))
            self._revision = int(revision)


_WRITE_LAST_USED = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at < bindparam("at")),
    )
    .values(last_used_at=bindparam("at"))
)
