"""Who works on which chunk of a batch, so that many processes on many machines share the work and none is done twice.

A chunk is leased for some seconds and renewed while its owner lives. Once the lease has run out anybody may take it,
and what the former owner still brings is dropped: each claim has a number of its own, an attempt.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.batches.tables import DONE, LEASED, WAITING, batch_chunks, batch_results, message_batches
from understudy.storage.database import Database

_B = message_batches.c
_C = batch_chunks.c

_OPEN: Final = _B.status != "ended"
_MOST_BATCHES: Final = 1_000


class OpenBatch(NamedTuple):
    """A batch that has not ended. `finish_lease`: until when somebody writes its results together. `is_worked_off`: all
    of its chunks are done."""

    id: str
    status: str
    expires_at: float
    finish_lease: float | None
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


class Leases(Protocol):
    """What the runner asks. Another queue could stand behind it."""

    async def open_batches(self) -> list[OpenBatch]:
        """Batches that have not ended, the oldest first."""
        ...

    async def claim(self, owner: str, now: float, until: float, most: int) -> list[Claim]:
        """Lease at most `most` chunks whose requests may be begun, for whichever workspace has the fewest first."""
        ...

    async def done_of(self, claim: Claim) -> set[int]:
        """The places of the requests of a chunk whose results are there, from an earlier attempt."""
        ...

    async def renew(self, owner: str, claims: Collection[Claim], until: float) -> set[tuple[str, int, int]]:
        """Lease chunks anew. Returns the keys of the claims that are still the owner's."""
        ...

    async def hold(self, connection: AsyncConnection, owner: str, claim: Claim, until: float, *, done: bool) -> bool:
        """In the connection's transaction, see that the chunk is still the owner's, and keep it so until its end; with
        `done` it is worked off."""
        ...

    async def release(self, owner: str, claims: Collection[Claim], not_before: float) -> None:
        """Give chunks back, to be claimed from `not_before` on."""
        ...

    async def give_up(self, batch_id: str, now: float) -> bool:
        """Close the chunks of a batch, none of whose requests may be begun any more, that nobody works on. Returns
        whether there were any."""
        ...


def _claimable(now: float) -> ColumnElement[bool]:
    may_begin = select(_B.id).where(_OPEN, _B.status == "in_progress", _B.expires_at > now)
    return and_(
        _C.state < DONE,
        or_(_C.state == WAITING, _C.lease_until < now),
        _C.not_before <= now,
        _C.batch_id.in_(may_begin),
    )


def share(leased: Sequence[tuple[str, int, int]], most: int) -> dict[str, int]:
    """How many chunks each workspace gets: of (workspace, chunks it has leased, chunks that wait), those with the
    fewest leased first."""
    heap = [(has, place) for place, (_, has, waits) in enumerate(leased) if waits]
    heapq.heapify(heap)
    left = [waits for _, _, waits in leased]
    given: dict[str, int] = {}
    while heap and most > 0:
        has, place = heap[0]
        workspace = leased[place][0]
        given[workspace] = given.get(workspace, 0) + 1
        most -= 1
        left[place] -= 1
        if left[place]:
            heapq.heapreplace(heap, (has + 1, place))
        else:
            heapq.heappop(heap)
    return given


class DatabaseLeases:
    """Implements Leases in the database: under SQLite's write lock, and on PostgreSQL past rows that others lock."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._skips = db.dialect != "sqlite"

    async def open_batches(self) -> list[OpenBatch]:
        async with self._db.connect() as connection:
            return [OpenBatch(*row) for row in await connection.execute(_OPEN_BATCHES)]

    async def claim(self, owner: str, now: float, until: float, most: int) -> list[Claim]:
        claimable = _claimable(now)
        has = func.sum(case((and_(_C.state == LEASED, _C.lease_until >= now), 1), else_=0))
        waits = func.sum(case((claimable, 1), else_=0))
        counts = select(_C.workspace_id, has, waits).where(_C.state < DONE).group_by(_C.workspace_id)
        claims: list[Claim] = []
        async with self._db.begin() as connection:
            found = [(str(row[0]), int(row[1]), int(row[2])) for row in await connection.execute(counts)]
            for workspace, count in share(found, most).items():
                some = (
                    select(_C.batch_id, _C.number)
                    .where(claimable, _C.workspace_id == workspace)
                    .order_by(_C.batch_id, _C.number)
                    .limit(count)
                )
                if self._skips:
                    some = some.with_for_update(skip_locked=True)
                keys = [(row.batch_id, row.number) for row in await connection.execute(some)]
                if not keys:
                    continue
                statement = (
                    update(batch_chunks)
                    .where(tuple_(_C.batch_id, _C.number).in_(keys))
                    .values(state=LEASED, owner=owner, lease_until=until, attempt=_C.attempt + 1)
                    .returning(*_CLAIMED)
                )
                claims += [Claim(*row) for row in await connection.execute(statement)]
        return sorted(claims, key=lambda claim: (claim.batch_id, claim.number))

    async def done_of(self, claim: Claim) -> set[int]:
        place = batch_results.c.index
        query = select(place).where(
            batch_results.c.batch_id == claim.batch_id, place >= claim.first, place < claim.first + claim.count
        )
        async with self._db.connect() as connection:
            return set((await connection.execute(query)).scalars())

    async def renew(self, owner: str, claims: Collection[Claim], until: float) -> set[tuple[str, int, int]]:
        keys = sorted((claim.batch_id, claim.number) for claim in claims)
        statement = (
            update(batch_chunks)
            .where(tuple_(_C.batch_id, _C.number).in_(keys), _C.state == LEASED, _C.owner == owner)
            .values(lease_until=until)
            .returning(_C.batch_id, _C.number, _C.attempt)
        )
        async with self._db.begin() as connection:
            return {(row.batch_id, row.number, row.attempt) for row in await connection.execute(statement)}

    async def hold(self, connection: AsyncConnection, owner: str, claim: Claim, until: float, *, done: bool) -> bool:
        statement = (
            update(batch_chunks).where(_owned(owner, claim)).values(state=DONE if done else LEASED, lease_until=until)
        )
        return (await connection.execute(statement)).rowcount == 1

    async def release(self, owner: str, claims: Collection[Claim], not_before: float) -> None:
        async with self._db.begin() as connection:
            for claim in claims:
                await connection.execute(
                    update(batch_chunks)
                    .where(_owned(owner, claim))
                    .values(state=WAITING, owner=None, lease_until=None, not_before=not_before)
                )

    async def give_up(self, batch_id: str, now: float) -> bool:
        idle = or_(_C.state == WAITING, and_(_C.state == LEASED, _C.lease_until < now))
        async with self._db.begin() as connection:
            closed = await connection.execute(
                update(batch_chunks).where(_C.batch_id == batch_id, idle).values(state=DONE, owner=None)
            )
            return closed.rowcount > 0


_OPEN_BATCHES: Final = (
    select(
        _B.id,
        _B.status,
        _B.expires_at,
        _B.finish_lease,
        ~select(_C.number).where(_C.batch_id == _B.id, _C.state < DONE).exists(),
    )
    .where(_OPEN)
    .order_by(_B.id)
    .limit(_MOST_BATCHES)
)
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


def _owned(owner: str, claim: Claim) -> ColumnElement[bool]:
    return and_(
        _C.batch_id == claim.batch_id,
        _C.number == claim.number,
        _C.state == LEASED,
        _C.owner == owner,
        _C.attempt == claim.attempt,
    )
