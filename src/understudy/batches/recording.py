"""Results into the database, each with what it costs, in one transaction: so a result that is there was billed, and one
that is not was not, whatever crashes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.batches.execution import Outcome
from understudy.batches.leases import Claim, Leases
from understudy.batches.tables import batch_results
from understudy.http.record import RequestRecord
from understudy.storage.database import Database
from understudy.storage.insert import RowInsert

_log = structlog.stdlib.get_logger("understudy.batches")


class Billing(Protocol):
    """What of usage's recorder is needed."""

    async def record_in(self, connection: AsyncConnection, records: Sequence[RequestRecord]) -> Callable[[], None]: ...

    def begin(self) -> None: ...

    def record(self, record: RequestRecord) -> None: ...


@dataclass(frozen=True, slots=True)
class Brought:
    """What a chunk's owner brings: outcomes by the places of their requests in the batch. `done`: the chunk is worked
    off with them."""

    claim: Claim
    outcomes: Sequence[tuple[int, Outcome]]
    done: bool


class Recording:
    """Writes for one owner of chunks."""

    def __init__(self, db: Database, leases: Leases, billing: Billing, owner: str) -> None:
        self._db = db
        self._leases = leases
        self._billing = billing
        self._owner = owner
        self._insert = RowInsert(db, batch_results, ("batch_id", "index", "kind", "line"), ("batch_id", "index"))

    async def write(self, brought: Sequence[Brought], until: float) -> list[Brought]:
        """Write what is still the owner's to write, and keep those chunks until `until`. Returns what was not: somebody
        else has those chunks. Raises what the database raises while it cannot be used."""
        try:
            return await self._write(brought, until, self._bill)
        except Exception as error:
            if self._db.is_unavailable(error):
                raise
            _log.exception("results cannot be billed along with their writing")
        # Rows that spoil others are sorted out there.
        lost = await self._write(brought, until, None)
        dropped = {id(each) for each in lost}
        for each in brought:
            for _, outcome in each.outcomes if id(each) not in dropped else ():
                self._billing.begin()
                self._billing.record(outcome.record)
        return lost

    async def _bill(self, connection: AsyncConnection, records: Sequence[RequestRecord]) -> Callable[[], None]:
        return await self._billing.record_in(connection, records)

    async def _write(
        self,
        brought: Sequence[Brought],
        until: float,
        bill: Callable[[AsyncConnection, Sequence[RequestRecord]], Awaitable[Callable[[], None]]] | None,
    ) -> list[Brought]:
        lost: list[Brought] = []
        kept: list[Brought] = []
        billed = None
        async with self._db.begin() as connection:
            # In one order, as all who lock chunks do.
            for each in sorted(brought, key=lambda one: one.claim.key):
                ours = await self._leases.hold(connection, self._owner, each.claim, until, done=each.done)
                (kept if ours else lost).append(each)
            rows = [
                (each.claim.batch_id, place, outcome.kind, outcome.line)
                for each in kept
                for place, outcome in each.outcomes
            ]
            if rows:
                await self._insert.run(connection, rows)
                if bill is not None:
                    records = [outcome.record for each in kept for _, outcome in each.outcomes]
                    billed = await bill(connection, records)
        if billed is not None:
            billed()
        return lost
