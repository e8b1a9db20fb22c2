"""Who a credential stands for, from memory: nothing on a request's path asks the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from hmac import compare_digest

from sqlalchemy import bindparam, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.principal import Principal
from understudy.organization.attempts import FailedAttempts
from understudy.organization.clock import SharedClock, database_time
from understudy.organization.keys import HASH_PURPOSE, KeyHash
from understudy.organization.service import live
from understudy.organization.snapshot import Snapshot, load
from understudy.organization.tables import api_keys, organization_changes
from understudy.organization.tokens import PREFIX, Tokens
from understudy.storage.database import Database
from understudy.storage.secrets import RootSecret

POLL_INTERVAL = 0.25
"""Seconds between two looks at the changes number: the longest that a revoked key goes on being accepted."""

REFRESH_INTERVAL = 0.1
"""Least seconds between two looks that unknown keys ask for, however many of them come."""

REFRESH_WAIT = 0.5
"""Seconds that an unknown key waits for a look before it is refused."""

_REFRESH_TIMEOUT = 10.0  # after which a look is given up, and the next one takes another connection

_log = logging.getLogger(__name__)


class KeyAuthenticator:
    """Implements http's Authenticator over a snapshot of all live keys and of whom they act as.

    A background task reads the changes number every POLL_INTERVAL and loads the keys anew when it has moved. A secret
    that is not in the snapshot waits for the next look, shared by all that wait, and is looked up once more: a key
    that another process made a moment ago works at once, and every kind of bad key takes the same way. While the
    database does not answer, the last snapshot serves. What has expired is told by the database's clock: servers agree.

    `used` holds when a key was last accepted (key id → seconds since the epoch) until `write_last_used` has run.
    """

    def __init__(self, db: Database, root: RootSecret, attempts: FailedAttempts | None = None) -> None:
        self._db = db
        self._hashes = [KeyHash(key_id, key) for key_id, key in root.derive_all(HASH_PURPOSE)]
        self._tokens = Tokens(root)
        self._attempts = FailedAttempts() if attempts is None else attempts
        self._snapshot = Snapshot()
        self.clock = SharedClock()
        self._state = select(organization_changes.c.revision, database_time(db.dialect))
        self._revision: int = -1
        self._asked = asyncio.Event()
        self._looked: asyncio.Future[None] | None = None  # resolved by the next look that begins
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self.used: dict[str, float] = {}

    async def start(self) -> None:
        """Load the keys and begin to follow changes. Raises what the database raises."""
        await self._look()
        self._task = asyncio.create_task(self._follow(), name="keys")

    async def stop(self) -> None:
        """Stop following changes. The snapshot goes on serving."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._looked is not None and not self._looked.done():
            self._looked.set_result(None)

    async def authenticate(self, secret: str, address: str = "", /) -> Principal | None:
        """The principal that `secret` stands for, or None. RateLimitError if `address` has sent too many bad ones."""
        found = self._find(secret)
        if found is not None:
            return found
        if address:
            self._attempts.check(address)
        if self._task is not None:
            await self._wait_for_look()
            found = self._find(secret)
        if found is None and address:
            self._attempts.note(address)
        return found

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

    async def _wait_for_look(self) -> None:
        if self._looked is None:
            self._looked = asyncio.get_running_loop().create_future()
            self._asked.set()
        # wait() leaves the shared future alone when this request is cancelled or out of time.
        await asyncio.wait([self._looked], timeout=REFRESH_WAIT)

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            try:
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._asked.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(max(0.0, begun + REFRESH_INTERVAL - clock()))
            looked, self._looked = self._looked, None
            self._asked.clear()
            try:
                async with asyncio.timeout(_REFRESH_TIMEOUT):
                    await self._look()
                self._failing = False
            except Exception as error:
                if not self._failing:  # one line an outage
                    _log.warning("keys cannot be read, the last ones known go on serving: %s", type(error).__name__)
                self._failing = True
            if looked is not None and not looked.done():
                looked.set_result(None)

    async def _look(self) -> None:
        async with self._db.connect() as connection:
            # First the number, then the keys: what is committed in between is loaded once more, never missed.
            revision, now = (await connection.execute(self._state)).one()
            self.clock.hear(now)
            if revision != self._revision:
                known = {key_hash.key_id for key_hash in self._hashes}
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
