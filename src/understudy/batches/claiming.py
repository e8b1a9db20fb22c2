"""Takes chunks to work on: leases them and reads their requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import select

from understudy.batches.batch import Batch
from understudy.batches.config import RunnerConfig
from understudy.batches.execution import Sender, sender_of
from understudy.batches.finishing import chunk_lines
from understudy.batches.leases import MOST_BYTES, Claim, Leases
from understudy.batches.tables import message_batches
from understudy.batches.work import Work
from understudy.batches.works import Works
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

# Attempts of a request after which what breaks inside of an engine counts as its own fault; and requests of which that
# is remembered. Those of another process are not counted.
_MOST_BREAKS: Final = 8
_MOST_BROKEN: Final = 10_000

_COLUMNS: Final = [message_batches.c[name] for name in Batch.__slots__]

_log = structlog.stdlib.get_logger("understudy.batches")


@dataclass(slots=True)
class Known:
    """What is remembered of a batch while it is worked on. `broken`: how often an engine broke, by request."""

    sender: Sender
    requests_blob: str
    broken: Counter[int] = field(default_factory=Counter[int])

    def broke(self, place: int) -> bool:
        """An engine broke at a request. Returns whether it has too often."""
        if len(self.broken) > _MOST_BROKEN:
            self.broken.clear()
        self.broken[place] += 1
        return self.broken[place] >= _MOST_BREAKS


class Claiming:
    """For one owner. `renew` is awaited before anything is claimed, so that nothing of its own seems to have run out.
    `on_taken` is called with each new work, and the former one of the same chunk."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        leases: Leases,
        works: Works,
        config: RunnerConfig,
        owner: str,
        clock: Callable[[], float],
        renew: Callable[[], Awaitable[None]],
        on_taken: Callable[[Work, Work | None], None],
    ) -> None:
        self._db = db
        self._blobs = blobs
        self._leases = leases
        self._works = works
        self._config = config
        self._owner = owner
        self._clock = clock
        self._renew = renew
        self._on_taken = on_taken
        self._known: dict[str, Known] = {}
        self._task: asyncio.Task[None] | None = None
        # False once there was nothing more, until somebody looks again.
        self.may_claim = True

    def known(self, batch_id: str) -> Known:
        return self._known[batch_id]

    def batch_ids(self) -> set[str]:
        """Batches that something is remembered of beyond their requests under way."""
        return {batch_id for batch_id, known in self._known.items() if known.broken}

    def forget(self, but: Collection[str]) -> None:
        """Of all batches `but` these."""
        for batch_id in self._known.keys() - but:
            del self._known[batch_id]

    def claim_if_short(self, done: Callable[[], None]) -> None:
        """Begin to claim where too few requests wait; `done` is called when that has come to an end."""
        if not self.may_claim or self._task is not None:
            return
        short = self._config.concurrency - self._works.waiting
        if short > 0 and self._works.size < MOST_BYTES:
            self._task = asyncio.create_task(self._claim(short + self._config.concurrency, done), name="batches_claim")

    async def wait(self, timeout: float) -> None:  # noqa: ASYNC109 nothing is cancelled by it
        """For what is being claimed."""
        self.may_claim = False
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout)

    async def _claim(self, requests: int, done: Callable[[], None]) -> None:
        try:
            await self._renew()
            now = self._clock()
            crowded = self._works.crowded()
            until, left = now + self._config.lease, MOST_BYTES - self._works.size
            claims = await self._leases.claim(self._owner, now, until, requests, most_bytes=left, without=crowded)
            # Where there were some there may be more; they are few where bytes bound them.
            self.may_claim = bool(claims)
            for claim in claims:
                await self._take_up(claim)
        except Exception as error:
            self.may_claim = False
            _log.warning("chunks of batches cannot be claimed", reason=short_reason(error))
        finally:
            self._task = None
            done()

    async def _take_up(self, claim: Claim) -> None:
        try:
            known = self._known.get(claim.batch_id) or await self._learn(claim.batch_id)
            done = await self._leases.done_of(claim) if claim.attempt > 1 else set[int]()
            lines = await chunk_lines(self._blobs, known.requests_blob, claim.offset, claim.length)
            if len(lines) != claim.count:
                raise ValueError(f"{len(lines)} requests where {claim.count} were written")
            work = Work(claim, known.sender, lines, done)
        except Exception as error:
            _log.error(
                "a chunk of a batch cannot be read",
                batch_id=claim.batch_id,
                chunk=claim.number,
                reason=short_reason(error),
            )
            delay = self._config.delay(claim.attempt, 0.0)
            await self._leases.release(self._owner, [claim], self._clock() + delay)
            return
        # Before there was a work of it, it may have been forgotten again.
        self._known.setdefault(claim.batch_id, known)
        self._on_taken(work, self._works.add(work))

    async def _learn(self, batch_id: str) -> Known:
        query = select(*_COLUMNS).where(message_batches.c.id == batch_id)
        async with self._db.connect() as connection:
            batch = Batch(*(await connection.execute(query)).one())
        known = self._known[batch_id] = Known(sender_of(batch), batch.requests_blob)
        return known


def short_reason(error: BaseException) -> str:
    """For a line of the log."""
    return f"{type(error).__name__}: {error}"[:300]
