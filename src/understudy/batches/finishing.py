"""The end of a batch: its results are written together, in the order of its requests, and counted.

Whoever does it has a lease on it. All of it can be done again from the beginning, so it may stop anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from secrets import token_hex
from typing import Final, NamedTuple

import structlog
from sqlalchemy import delete, func, or_, select, update

from understudy.batches.batch import results_name
from understudy.batches.execution import Kind, custom_id_of, result_line
from understudy.batches.tables import NOT_ENDED, batch_chunks, batch_results, message_batches
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.wire.errors import InternalError

_B = message_batches.c
_C = batch_chunks.c
_R = batch_results.c

# Results that are read at once, at the most, and how many bytes of them if they are several.
_LARGEST_PAGE: Final = 1_000
_BYTES_OF_A_PAGE: Final = 2 * 1024 * 1024
_MOST_DELETED: Final = 2_000
# Seconds, at the most, between the clocks of two machines.
_CLOCKS_DIFFER: Final = 60.0

_log = structlog.stdlib.get_logger("understudy.batches")


class Ended(NamedTuple):
    """How many requests of a batch ended how."""

    batch_id: str
    workspace_id: str
    succeeded: int
    errored: int
    canceled: int
    expired: int


class _Batch(NamedTuple):
    id: str
    workspace_id: str
    status: str
    total: int
    expires_at: float
    requests_blob: str


class _Result(NamedTuple):
    place: int
    kind: str
    line: bytes


class _LostError(Exception):
    """Somebody else finishes the batch."""


async def chunk_lines(blobs: Blobs, name: str, offset: int, length: int) -> list[bytes]:
    """The lines of the requests in a chunk. Raises BlobsError."""
    pieces = [piece async for piece in await blobs.stream(name, offset, offset + length)]
    return b"".join(pieces).split(b"\n")[:-1]


def _missing(request: bytes, kind: Kind) -> bytes:
    """The line of a request that has no result."""
    result: dict[str, object] = {"type": kind}
    if kind == "errored":
        error = {"details": None, "type": InternalError.type, "message": InternalError.default_message}
        result["error"] = {"type": "error", "error": error, "request_id": None}
    return result_line(custom_id_of(request), result)


class Finisher:
    """`lease`: seconds after which somebody else may finish what is not finished. `owner` is told apart by it."""

    def __init__(self, db: Database, blobs: Blobs, clock: Callable[[], float], owner: str, lease: float) -> None:
        self._db = db
        self._blobs = blobs
        self._clock = clock
        self._owner = owner
        self._lease = lease

    async def finish(self, batch_id: str) -> Ended | None:
        """End a batch whose chunks are all worked off. None where somebody else does, or it has ended. Raises
        BlobsError, and what the database raises."""
        batch = await self._take(batch_id)
        if batch is None:
            return None
        # A name of its own: who has stalled, and ends writing when another is done, must not write over that.
        name = f"{results_name(batch.workspace_id, batch_id)}-{token_hex(8)}"
        counts: Counter[str] = Counter()
        try:
            async with self._blobs.writing(name) as writer:
                async for lines in self._lines(batch, counts):
                    await writer.write(b"\n".join(lines) + b"\n")
                    await self._keep(batch_id)
        except _LostError:
            return None
        ended = Ended(
            batch_id,
            batch.workspace_id,
            counts["succeeded"],
            counts["errored"],
            counts["canceled"],
            counts["expired"],
        )
        values = {**ended._asdict(), "status": "ended", "ended_at": round(self._clock(), 6), "results_blob": name}
        del values["batch_id"], values["workspace_id"]
        async with self._db.begin() as connection:
            statement = update(message_batches).where(_B.id == batch_id, _B.status != "ended")
            done = await connection.execute(statement.where(_B.finisher == self._owner).values(**values))
        if done.rowcount != 1:
            await self._blobs.delete([name])
            return None
        await self._clear(batch_id)
        return ended

    async def clear_leftovers(self) -> None:
        """Delete what a process that was killed left of batches that have ended."""
        going_on = select(_B.id).where(_B.status.in_(NOT_ENDED))
        query = select(_C.batch_id).where(_C.batch_id.not_in(going_on)).distinct()
        async with self._db.connect() as connection:
            ids = (await connection.execute(query)).scalars().all()
        for batch_id in ids:
            await self._clear(batch_id)

    async def _take(self, batch_id: str) -> _Batch | None:
        now = self._clock()
        free = or_(_B.finish_lease.is_(None), _B.finish_lease < now, _B.finisher == self._owner)
        statement = (
            update(message_batches)
            .where(_B.id == batch_id, _B.status != "ended", free)
            .values(finisher=self._owner, finish_lease=now + self._lease)
            .returning(_B.id, _B.workspace_id, _B.status, _B.total, _B.expires_at, _B.requests_blob)
        )
        self._renewed_at = now
        async with self._db.begin() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else _Batch(*row)

    async def _keep(self, batch_id: str) -> None:
        now = self._clock()
        if now - self._renewed_at < self._lease / 3:
            return
        statement = update(message_batches).where(_B.id == batch_id, _B.finisher == self._owner, _B.status != "ended")
        async with self._db.begin() as connection:
            kept = await connection.execute(statement.values(finish_lease=now + self._lease))
        if kept.rowcount != 1:
            raise _LostError
        self._renewed_at = now

    async def _lines(self, batch: _Batch, counts: Counter[str]) -> AsyncGenerator[Sequence[bytes]]:
        """All lines of the results, some at a time."""
        async with self._db.connect() as connection:
            there: int = (await connection.execute(select(func.count()).where(_R.batch_id == batch.id))).scalar_one()
        # What has no result was not begun, or not ended in time.
        kind: Kind = "canceled" if batch.status == "canceling" else "expired"
        if there < batch.total and kind == "expired" and self._clock() < batch.expires_at - _CLOCKS_DIFFER:
            kind = "errored"
            _log.error("results of a batch are missing", batch_id=batch.id, missing=batch.total - there)
        next_place = 0
        while next_place < batch.total:
            page = await self._page(batch.id, next_place)
            # Beyond the last page there is nothing more.
            last = page[-1].place if page else batch.total - 1
            if len(page) == last - next_place + 1:
                counts.update(row.kind for row in page)
                yield [row.line for row in page]
            else:
                found = {row.place: row for row in page}
                async for lines in self._with_missing(batch, next_place, last, found, kind, counts):
                    yield lines
            next_place = last + 1

    async def _page(self, batch_id: str, start: int) -> list[_Result]:
        """Results from a place on: some, of so many bytes that they may be held. Answers are of a hundred, or of a
        million."""
        place, length = _R["index"], func.length(_R.line)
        among = select(place, length).where(_R.batch_id == batch_id, place >= start).order_by(place)
        lines = select(place, _R.kind, _R.line).where(_R.batch_id == batch_id, place >= start).order_by(place)
        async with self._db.connect() as connection:
            end, size = start, 0
            for found, bytes_of in await connection.execute(among.limit(_LARGEST_PAGE)):
                if size and size + bytes_of > _BYTES_OF_A_PAGE:
                    break
                end, size = found, size + bytes_of
            return [_Result(*row) for row in await connection.execute(lines.where(place <= end))]

    async def _with_missing(
        self, batch: _Batch, start: int, last: int, found: dict[int, _Result], kind: Kind, counts: Counter[str]
    ) -> AsyncGenerator[Sequence[bytes]]:
        query = (
            select(_C["first"], _C["count"], _C.offset, _C.length)
            .where(_C.batch_id == batch.id, _C["first"] <= last, _C["first"] + _C["count"] > start)
            .order_by(_C.number)
        )
        async with self._db.connect() as connection:
            chunks = [(int(row[0]), int(row[1]), int(row[2]), int(row[3])) for row in await connection.execute(query)]
        for first, count, offset, length in chunks:
            requests = await chunk_lines(self._blobs, batch.requests_blob, offset, length)
            lines: list[bytes] = []
            for place in range(max(first, start), min(first + count, last + 1)):
                row = found.get(place)
                counts[kind if row is None else row.kind] += 1
                lines.append(_missing(requests[place - first], kind) if row is None else row.line)
            yield lines

    async def _clear(self, batch_id: str) -> None:
        """Delete the rows of a batch that has ended, a few at a time: others want to write too. Chunks come last, since
        by them the rest is found again."""
        async with self._db.connect() as connection:
            most: int | None = (
                await connection.execute(select(func.max(_R["index"])).where(_R.batch_id == batch_id))
            ).scalar()
        for end in range(_MOST_DELETED, (most or 0) + _MOST_DELETED + 1, _MOST_DELETED):
            async with self._db.begin() as connection:
                await connection.execute(delete(batch_results).where(_R.batch_id == batch_id, _R["index"] < end))
        async with self._db.begin() as connection:
            await connection.execute(delete(batch_chunks).where(_C.batch_id == batch_id))
