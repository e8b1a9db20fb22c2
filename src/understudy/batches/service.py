"""Batches of workspaces: their rows, and the blobs of their requests and results, made and deleted together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson
import structlog
from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.batches.batch import PROCESSED_WITHIN, Batch, requests_name
from understudy.batches.caller import caller_text
from understudy.batches.config import BatchesConfig
from understudy.batches.errors import (
    batch_not_found,
    no_results,
    not_cancelable,
    not_deletable,
)
from understudy.batches.pace import Pace, Traffic
from understudy.batches.queue import Queue
from understudy.batches.tables import batch_chunks, batch_results, message_batches
from understudy.http.pagination import PageParams
from understudy.http.principal import Principal
from understudy.http.row_pages import Order, rows_by_id
from understudy.http.storing import StorageUnavailableError, storage_unavailable
from understudy.storage.blob_writer import BlobWriter
from understudy.storage.blobs import BlobNotFoundError, Blobs, BlobsError
from understudy.storage.database import Database
from understudy.storage.finishing import to_the_end
from understudy.storage.insert import RowInsert
from understudy.wire.errors import ApiError, InvalidRequestError
from understudy.wire.ids import new_id

if TYPE_CHECKING:
    from understudy.batches.requests import Chunk, RequestReader


_log = structlog.stdlib.get_logger("understudy.batches")

_COLUMNS: Final = [message_batches.c[field.name] for field in fields(Batch)]
_ORDER: Final = Order(message_batches.c.created_at, message_batches.c.id)
_CHUNK_COLUMNS: Final = ("batch_id", "number", "workspace_id", "first", "count", "offset", "length")
# Bytes of a body between which others get a turn: with nobody there, and while others are served.
_SLICE: Final = 32 * 1024
_SMALL_SLICE: Final = 8 * 1024
# Seconds between two of these.
_PAUSE: Final = 0.001


class Page(NamedTuple):
    """`more` lie behind it, in its direction."""

    batches: list[Batch]
    more: bool


class Made(NamedTuple):
    """`exceeded`: the limit that would have refused the batch if it were enforced."""

    batch: Batch
    exceeded: str | None


def _nobody() -> None: ...


class BatchService:
    """`clock` tells seconds since the epoch. `on_changed` is called when there is a batch to be worked off, or to end
    early. `traffic` goes first while a body is read. Errors are the API's."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        config: BatchesConfig,
        *,
        clock: Callable[[], float] = time.time,
        on_changed: Callable[[], None] = _nobody,
        traffic: Traffic | None = None,
    ) -> None:
        self._db = db
        self.blobs = blobs
        self.config = config
        self.clock = clock
        self.on_changed = on_changed
        self.traffic = traffic
        self._queue = Queue(db, config)

    # --- making ---

    async def create(self, caller: Principal, version: str, betas: Sequence[str], body: AsyncGenerator[bytes]) -> Made:
        """A batch of the requests in `body`, the JSON of the API. If it raises, or is cancelled, nothing is left of it.

        Raises also LimitExceededError, RequestTooLargeError and StorageUnavailableError.
        """
        # Only who sends one pays for what reads it.
        from understudy.batches.requests import RequestReader

        workspace_id = workspace_of(caller)
        limit = self.config.limit_of(caller.organization_id, workspace_id)
        await self._queue.check(caller.organization_id, limit)
        batch_id = new_id("msgbatch_")
        name = requests_name(workspace_id, batch_id)
        reader = RequestReader(limit.per_batch, self.config.max_request_bytes)
        try:
            async with aclosing(body) as pieces, self.blobs.writing(name) as writer:
                await _fill(reader, pieces, writer, Pace(self.traffic))
        except BlobsError as error:
            raise storage_unavailable(error, "storage") from error
        created_at = round(self.clock(), 6)
        batch = Batch(
            id=batch_id,
            organization_id=caller.organization_id,
            workspace_id=workspace_id,
            api_key_id=caller.api_key_id,
            caller=caller_text(caller),
            anthropic_version=version,
            betas=orjson.dumps(list(betas)).decode(),
            status="in_progress",
            total=reader.total,
            created_at=created_at,
            expires_at=created_at + PROCESSED_WITHIN,
            ended_at=None,
            cancel_initiated_at=None,
            archived_at=None,
            succeeded=0,
            errored=0,
            canceled=0,
            expired=0,
            requests_blob=name,
            results_blob=None,
        )
        # From here on the batch is there or it is not, whoever goes away meanwhile.
        exceeded = await to_the_end(self._keep(batch, reader.chunks))
        self.on_changed()
        return Made(batch, exceeded)

    async def _keep(self, batch: Batch, chunks: Sequence[Chunk]) -> str | None:
        rows = [(batch.id, number, batch.workspace_id, *chunk) for number, chunk in enumerate(chunks)]
        limit = self.config.limit_of(batch.organization_id, batch.workspace_id)
        try:
            async with self._db.begin() as connection:
                exceeded = await self._queue.book(connection, batch.organization_id, limit, batch.total)
                values = {column.name: getattr(batch, column.name) for column in _COLUMNS}
                await connection.execute(insert(message_batches).values(values))
                into = RowInsert(self._db, batch_chunks, _CHUNK_COLUMNS, ("batch_id", "number"))
                await into.run(connection, rows)
                return exceeded
        except ApiError:
            await self._unlink([batch.requests_blob])
            raise
        except Exception:
            # Whether it was committed only the database knows; where that is silent the sweeper asks again later.
            if not await self._is_there(batch.id):
                await self._unlink([batch.requests_blob])
            raise

    async def _is_there(self, batch_id: str) -> bool:
        query = select(message_batches.c.id).where(message_batches.c.id == batch_id)
        try:
            async with self._db.connect() as connection:
                return (await connection.execute(query)).first() is not None
        except Exception:
            return True

    # --- reading ---

    async def retrieve(self, workspace_id: str, batch_id: str) -> Batch:
        """A batch of another workspace is not found."""
        async with self._db.connect() as connection:
            return await _find(connection, workspace_id, batch_id)

    async def list(self, workspace_id: str, params: PageParams) -> Page:
        """A page, newest first."""
        within = message_batches.c.workspace_id == workspace_id
        async with self._db.connect() as connection:
            rows, more = await rows_by_id(connection, select(*_COLUMNS), params, _ORDER, within)
        return Page([_batch(row) for row in rows], more)

    async def answered(self, batch: Batch) -> int:
        """How many of its requests have a result by now. The API does not tell; the operator may know."""
        if batch.status == "ended":
            return batch.total
        query = select(func.count()).select_from(batch_results).where(batch_results.c.batch_id == batch.id)
        async with self._db.connect() as connection:
            return (await connection.execute(query)).scalar_one()

    def archived_at(self, batch: Batch) -> float | None:
        """When its results were, or should have been, deleted; None before."""
        due = batch.created_at + self.config.results_kept
        return batch.archived_at or (due if batch.status == "ended" and self.clock() >= due else None)

    async def results(self, workspace_id: str, batch_id: str) -> AsyncGenerator[bytes]:
        """The results of a batch, as JSON lines, in pieces; opened before it returns."""
        batch = await self.retrieve(workspace_id, batch_id)
        if batch.results_blob is None or batch.status != "ended" or self.archived_at(batch) is not None:
            raise no_results(batch_id)
        try:
            return await self.blobs.stream(batch.results_blob)
        except BlobNotFoundError:
            # It was deleted or archived a moment ago, or somebody took its blob away.
            if self.archived_at(await self.retrieve(workspace_id, batch_id)) is not None:
                raise no_results(batch_id) from None
            _log.error("the results of a batch are missing", batch_id=batch_id)
            raise StorageUnavailableError(
                "The server's storage is not available. Please try again.", retry=False
            ) from None
        except BlobsError as error:
            raise storage_unavailable(error, "storage") from error

    # --- ending ---

    async def cancel(self, workspace_id: str, batch_id: str) -> Batch:
        """Have a batch end early: requests that were not begun are canceled. Another time does nothing."""
        running = message_batches.c.status == "in_progress"
        statement = (
            update(message_batches)
            .where(message_batches.c.id == batch_id, message_batches.c.workspace_id == workspace_id, running)
            .values(status="canceling", cancel_initiated_at=round(self.clock(), 6))
        )
        async with self._db.begin() as connection:
            row = (await connection.execute(statement.returning(*_COLUMNS))).first()
            batch = await _find(connection, workspace_id, batch_id) if row is None else _batch(row)
        if batch.status == "ended":
            raise not_cancelable(batch_id)
        self.on_changed()
        return batch

    async def delete(self, workspace_id: str, batch_id: str) -> None:
        """Delete a batch that has ended, and its results."""
        await to_the_end(self._delete(workspace_id, batch_id))

    async def _delete(self, workspace_id: str, batch_id: str) -> None:
        statement = delete(message_batches).where(
            message_batches.c.id == batch_id,
            message_batches.c.workspace_id == workspace_id,
            message_batches.c.status == "ended",
        )
        async with self._db.begin() as connection:
            row = (await connection.execute(statement.returning(*_COLUMNS))).first()
            if row is None:
                await _find(connection, workspace_id, batch_id)
                raise not_deletable()
            batch = _batch(row)
            # What is left of its execution, where that was killed at its end.
            await connection.execute(delete(batch_results).where(batch_results.c.batch_id == batch_id))
            await connection.execute(delete(batch_chunks).where(batch_chunks.c.batch_id == batch_id))
        await self._unlink([name for name in (batch.requests_blob, batch.results_blob) if name is not None])

    async def _unlink(self, names: Sequence[str]) -> None:
        try:
            await self.blobs.delete(names)
        except BlobsError as error:
            # Nobody can reach them any more; the sweeper deletes them when the store is back.
            _log.warning("blobs could not be deleted", names=list(names), reason=str(error)[:300])


def workspace_of(caller: Principal | None) -> str:
    """The workspace of a request's caller. Raises InvalidRequestError for a caller in none."""
    if caller is None or caller.workspace_id is None:
        raise InvalidRequestError("anthropic-workspace-id: header is required")
    return caller.workspace_id


async def _fill(reader: RequestReader, pieces: AsyncIterator[bytes], writer: BlobWriter, pace: Pace) -> None:
    async for piece in pieces:
        start = 0
        while start < len(piece):
            # A body that is here already comes without a pause, and others first.
            way = pace.way()
            await asyncio.sleep(way and _PAUSE)
            end = start + (_SMALL_SLICE if way else _SLICE)
            lines = reader.feed(piece[start:end])
            start = end
            if lines:
                await writer.write(lines)
    lines = reader.close()
    if lines:
        await writer.write(lines)


async def _find(connection: AsyncConnection, workspace_id: str, batch_id: str) -> Batch:
    query = select(*_COLUMNS).where(message_batches.c.id == batch_id, message_batches.c.workspace_id == workspace_id)
    row = (await connection.execute(query)).first()
    if row is None:
        raise batch_not_found(batch_id)
    return _batch(row)


def _batch(row: Row[Any]) -> Batch:
    # In the order of the columns, which is that of the fields.
    return Batch(*row)
