"""Who works on which chunk of a batch, so that many processes on many machines share the work and none is done twice.

A chunk is leased for some seconds and renewed while its owner lives. Once the lease has run out anybody may take it,
and what the former owner still brings is dropped: each claim has a number of its own, an attempt.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.batches.tables import (
    DONE,
    LEASED,
    NOT_DONE,
    NOT_ENDED,
    WAITING,
    batch_chunks,
    batch_results,
    message_batches,
)
from understudy.storage.database import Database

_B = message_batches.c
_C = batch_chunks.c
# Where the index of states is the longer way, which SQLite would take.
_state: Final = _C.state + 0

MOST_BYTES: Final = 24 * 1024 * 1024
"""Of requests that one process holds."""

_OPEN: Final = _B.status.in_(NOT_ENDED)
_MOST_ENDING: Final = 1_000
# Chunks that are claimed at once, and workspaces that they are of.
_MOST_CLAIMED: Final = 64
_MOST_WORKSPACES: Final = 16
# How often those who want the same chunks at the same moment look for others.
_TRIES: Final = 4
_TRY_AGAIN: Final = 0.01


class OpenBatch(NamedTuple):
    """A batch that has not ended. `is_worked_off`: all of its chunks are done."""

    id: str
    status: str
    expires_at: float
    is_worked_off: bool

    def may_begin(self, now: float) -> bool:
        """Whether requests of it may be begun."""
        return self.status == "in_progress" and now < self.expires_at


@dataclass(frozen=True, slots=True)
class Claim:
    """A chunk that one owner has for now. Requests are counted from `first`; bytes are those of the requests' blob."""

    batch_id: str
    number: int
    workspace_id: str
    first: int
    count: int
    offset: int
    length: int
    attempt: int

    @property
    def key(self) -> tuple[str, int, int]:
        return self.batch_id, self.number, self.attempt


class Waiting(NamedTuple):
    """A chunk that may be claimed: its key, how many requests it has, and bytes of them."""

    batch_id: str
    number: int
    requests: int
    length: int


def pick(queues: Sequence[tuple[int, Sequence[Waiting]]], requests: int, most_bytes: int) -> list[Waiting]:
    """Of queues, each with how many of its requests are leased, chunks with `requests` together: always the first of
    the queue that has the fewest by then."""
    left = [deque(waiting) for _, waiting in queues]
    heap = [(has, place) for place, (has, waiting) in enumerate(queues) if waiting]
    heapq.heapify(heap)
    picked: list[Waiting] = []
    size = 0
    while heap and requests > 0 and len(picked) < _MOST_CLAIMED:
        has, place = heap[0]
        chunk = left[place].popleft()
        if picked and size + chunk.length > most_bytes:
            break
        picked.append(chunk)
        requests -= chunk.requests
        size += chunk.length
        if left[place]:
            heapq.heapreplace(heap, (has + chunk.requests, place))
        else:
            heapq.heappop(heap)
    return picked


def _among(keys: Sequence[tuple[str, int]]) -> ColumnElement[bool]:
    # For pairs alone SQLite uses no index.
    return and_(_C.batch_id.in_(sorted({batch_id for batch_id, _ in keys})), tuple_(_C.batch_id, _C.number).in_(keys))


def _claimable(now: float) -> ColumnElement[bool]:
    may_begin = select(_B.id).where(_B.id == _C.batch_id, _B.status == "in_progress", _B.expires_at > now)
    return and_(
        or_(_state == WAITING, and_(_state == LEASED, _C.lease_until < now)),
        _C.not_before <= now,
        may_begin.exists(),
    )


class Leases:
    """In the database: under SQLite's write lock, and on PostgreSQL past rows that others lock."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def is_open(self) -> bool:
        """Whether there is a batch that has not ended."""
        async with self._db.connect() as connection:
            return bool((await connection.execute(select(IS_OPEN))).scalar_one())

    async def open_batches(self, ids: Collection[str]) -> list[OpenBatch]:
        """Those of `ids` that have not ended."""
        if not ids:
            return []
        async with self._db.connect() as connection:
            query = _BATCHES.where(_B.id.in_(sorted(ids)), _OPEN)
            return [OpenBatch(*row) for row in await connection.execute(query)]

    async def ending(self, now: float) -> list[OpenBatch]:
        """Batches that have not ended, of which no request may be begun any more or all are answered, and whose results
        nobody is writing together."""
        query = (
            _BATCHES.where(_OPEN, or_(_B.status == "canceling", _B.expires_at <= now, ~_HAS_WORK))
            .where(or_(_B.finish_lease.is_(None), _B.finish_lease < now))
            .order_by(_B.created_at)
            .limit(_MOST_ENDING)
        )
        async with self._db.connect() as connection:
            return [OpenBatch(*row) for row in await connection.execute(query)]

    async def claim(
        self,
        owner: str,
        now: float,
        until: float,
        requests: int,
        *,
        most_bytes: int = MOST_BYTES,
        without: Collection[str] = (),
    ) -> list[Claim]:
        """Lease chunks that may be begun and have so many requests together, or somewhat more: of whichever workspace
        has the fewest requests leased first, and none of the workspaces `without`. If they are several, they have at
        most `most_bytes`."""
        for attempt in range(_TRIES):
            wanted = [(one.batch_id, one.number) for one in await self._choose(now, requests, most_bytes, without)]
            if not wanted:
                return []
            # What somebody else takes at this moment is passed over.
            free = select(_C.batch_id, _C.number).where(_among(wanted), _claimable(now))
            async with self._db.begin() as connection:
                locked = await connection.execute(free.with_for_update(skip_locked=True))
                ours = [(row.batch_id, row.number) for row in locked]
                if ours:
                    statement = (
                        update(batch_chunks)
                        .where(_among(ours))
                        .values(state=LEASED, owner=owner, lease_until=until, attempt=_C.attempt + 1)
                        .returning(*_CLAIMED)
                    )
                    claims = [Claim(*row) for row in await connection.execute(statement)]
                    return sorted(claims, key=lambda claim: (claim.batch_id, claim.number))
            await asyncio.sleep(_TRY_AGAIN * (attempt + 1))
        return []

    async def _choose(self, now: float, requests: int, most_bytes: int, without: Collection[str]) -> list[Waiting]:
        """What to claim, as it looks before anything is locked: a long queue takes a while to be looked through."""
        claimable = _claimable(now)
        leased = func.sum(case((and_(_C.state == LEASED, _C.lease_until >= now), _C["count"]), else_=0))
        waits = func.sum(case((claimable, 1), else_=0))
        of_workspaces = (
            select(_C.workspace_id, leased)
            .where(_C.state.in_(NOT_DONE), _C.workspace_id.not_in(sorted(without)))
            .group_by(_C.workspace_id)
            .having(waits > 0)
            .order_by(leased)
            .limit(_MOST_WORKSPACES)
        )
        queues: list[tuple[int, list[Waiting]]] = []
        async with self._db.connect() as connection:
            found: list[tuple[str, int]] = [(row[0], int(row[1])) for row in await connection.execute(of_workspaces)]
            for workspace, has in found:
                waiting = list[Waiting]()
                # In this order each is read from the index, the first few of however many.
                for state in (WAITING, LEASED):
                    if len(waiting) < _MOST_CLAIMED:
                        query = _waiting(workspace, state, claimable).limit(_MOST_CLAIMED - len(waiting))
                        waiting += [Waiting(*row) for row in await connection.execute(query)]
                queues.append((has, waiting))
        return pick(queues, requests, most_bytes)

    async def done_of(self, claim: Claim) -> set[int]:
        """The places of the requests of a chunk whose results are there, from an earlier attempt."""
        place = batch_results.c.index
        query = select(place).where(
            batch_results.c.batch_id == claim.batch_id, place >= claim.first, place < claim.first + claim.count
        )
        async with self._db.connect() as connection:
            return set((await connection.execute(query)).scalars())

    async def renew(self, owner: str, claims: Collection[Claim], until: float) -> set[tuple[str, int, int]]:
        """Lease chunks anew. Returns the keys of the claims that are still the owner's."""
        keys = sorted((claim.batch_id, claim.number) for claim in claims)
        among = and_(_among(keys), _state == LEASED, _C.owner == owner)
        statement = (
            update(batch_chunks).where(among).values(lease_until=until).returning(_C.batch_id, _C.number, _C.attempt)
        )
        async with self._db.begin() as connection:
            # In one order, as all who lock several chunks do: an update alone has its own.
            await connection.execute(_locked(among))
            return {(row.batch_id, row.number, row.attempt) for row in await connection.execute(statement)}

    async def hold(self, connection: AsyncConnection, owner: str, claim: Claim, until: float, *, done: bool) -> bool:
        """In the connection's transaction, see that the chunk is still the owner's, and keep it so until its end; with
        `done` it is worked off."""
        statement = (
            update(batch_chunks).where(_owned(owner, claim)).values(state=DONE if done else LEASED, lease_until=until)
        )
        return (await connection.execute(statement)).rowcount == 1

    async def release(self, owner: str, claims: Collection[Claim], not_before: float) -> None:
        """Give chunks back, to be claimed from `not_before` on."""
        async with self._db.begin() as connection:
            for claim in sorted(claims, key=lambda one: one.key):
                await connection.execute(
                    update(batch_chunks)
                    .where(_owned(owner, claim))
                    .values(state=WAITING, owner=None, lease_until=None, not_before=not_before)
                )

    async def give_up(self, batch_id: str, now: float) -> bool:
        """Close the chunks of a batch, none of whose requests may be begun any more, that nobody works on. Returns
        whether there were any."""
        idle = or_(_C.state == WAITING, and_(_C.state == LEASED, _C.lease_until < now))
        among = and_(_C.batch_id == batch_id, idle)
        async with self._db.connect() as connection:
            if (await connection.execute(select(_C.number).where(among).limit(1))).first() is None:
                return False
        async with self._db.begin() as connection:
            await connection.execute(_locked(among))
            closed = await connection.execute(update(batch_chunks).where(among).values(state=DONE, owner=None))
            return closed.rowcount > 0


IS_OPEN: Final = select(_B.id).where(_OPEN).exists().label("is_open")
"""A column: whether there is a batch that has not ended."""

_HAS_WORK: Final = select(_C.number).where(_C.batch_id == _B.id, _state < DONE).exists()
_BATCHES: Final = select(_B.id, _B.status, _B.expires_at, ~_HAS_WORK)
_CLAIMED: Final = (
    _C.batch_id,
    _C.number,
    _C.workspace_id,
    _C["first"],
    _C["count"],
    _C.offset,
    _C.length,
    _C.attempt,
)


def _waiting(workspace: str, state: int, claimable: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return (
        select(_C.batch_id, _C.number, _C["count"], _C.length)
        .where(_C.state == state, _C.workspace_id == workspace, claimable)
        .order_by(_C.batch_id, _C.number)
    )


def _locked(among: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    return select(_C.number).where(among).order_by(_C.batch_id, _C.number).with_for_update()


def _owned(owner: str, claim: Claim) -> ColumnElement[bool]:
    return and_(
        _C.batch_id == claim.batch_id,
        _C.number == claim.number,
        _C.state == LEASED,
        _C.owner == owner,
        _C.attempt == claim.attempt,
    )
