"""Deletes the results of old batches, and blobs that no batch has any more."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import select, update

from understudy.batches.batch import PREFIX
from understudy.batches.service import BatchService
from understudy.batches.tables import message_batches
from understudy.storage.blobs import BlobsError
from understudy.storage.database import Database

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which a blob without a batch is not about to get one any more; as in files/sweeper.py."""

_EVERY: Final = 300.0
_ORPHANS_EVERY: Final = 6 * 3_600.0
_AT_ONCE: Final = 500

_B = message_batches.c
_log = structlog.stdlib.get_logger("understudy.batches")


class BatchSweeper:
    """Every server may run one: what one has removed the others do not find. Times in seconds."""

    def __init__(self, db: Database, service: BatchService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="batches sweeper")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        orphans_at = loop.time() + _EVERY
        failing = False
        while True:
            await asyncio.sleep(_EVERY)
            try:
                await self.archive()
                if loop.time() >= orphans_at:
                    await self.sweep_orphans()
                    orphans_at = loop.time() + _ORPHANS_EVERY
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning("batches cannot be swept", reason=f"{type(error).__name__}: {error}"[:300])
                failing = True

    async def archive(self) -> int:
        """Delete the results of batches that were made long ago. Returns how many batches."""
        archived = 0
        kept = self._service.config.results_kept
        while True:
            old = (_B.status == "ended", _B.archived_at.is_(None), _B.created_at <= self._service.clock() - kept)
            async with self._db.connect() as connection:
                ids = (await connection.execute(select(_B.id).where(*old).limit(_AT_ONCE))).scalars().all()
            if not ids:
                return archived
            statement = update(message_batches).where(_B.id.in_(ids), *old).values(archived_at=_B.created_at + kept)
            async with self._db.begin() as connection:
                rows = (await connection.execute(statement.returning(_B.requests_blob, _B.results_blob))).all()
            # Whatever is left where the store is away now is swept as an orphan.
            await self._service.blobs.delete([name for row in rows for name in row if name is not None])
            archived += len(rows)

    async def sweep_orphans(self) -> int:
        """Delete blobs that no batch needs. Returns how many. Raises BlobsError."""
        before = self._service.clock() - self._abandoned
        swept = await self._service.blobs.clear_unfinished(PREFIX, self._abandoned)
        some: list[str] = []
        async for blob in self._service.blobs.list(PREFIX):
            if blob.modified < before:
                some.append(blob.name)
            if len(some) >= _AT_ONCE:
                swept += await self._delete_orphans(some)
                some.clear()
        swept += await self._delete_orphans(some)
        if swept:
            _log.info("blobs without a batch were deleted", count=swept)
        return swept

    async def _delete_orphans(self, names: list[str]) -> int:
        if not names:
            return 0
        # …/<batch>/requests, …/<batch>/results-<number>
        ids = {name.split("/")[-2] for name in names}
        query = select(_B.id, _B.workspace_id, _B.status, _B.requests_blob, _B.results_blob)
        kept: set[str] = set()
        async with self._db.connect() as connection:
            rows = await connection.execute(query.where(_B.id.in_(ids), _B.archived_at.is_(None)))
            for row in rows:
                # Until it ends its results may be just being written; after that nobody needs its requests.
                if row.status == "ended":
                    kept.add(row.results_blob)
                else:
                    kept.update((row.requests_blob, row.requests_blob.rpartition("/")[0] + "/results"))
        orphans = [name for name in names if name not in kept]
        try:
            await self._service.blobs.delete(orphans)
        except BlobsError as error:
            _log.warning("blobs could not be deleted", reason=str(error)[:300])
            return 0
        return len(orphans)
