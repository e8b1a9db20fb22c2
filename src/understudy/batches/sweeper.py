"""Deletes the results of old batches, and blobs that no batch has any more."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select, update

from understudy.batches.batch import PREFIX, requests_name
from understudy.batches.service import BatchService
from understudy.batches.tables import message_batches
from understudy.storage.database import Database
from understudy.storage.sweeping import Sweep, Sweeps, delete_orphans

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which a blob without a batch is not about to get one any more; as in files/sweeper.py."""

_EVERY: Final = 300.0
_ORPHANS_EVERY: Final = 6 * 3_600.0
_AT_ONCE: Final = 500

_B = message_batches.c


class BatchSweeper:
    """Times in seconds."""

    def __init__(self, db: Database, service: BatchService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._sweeps = Sweeps("batches")

    def start(self) -> None:
        self._sweeps.start(Sweep(self.archive, _EVERY, _EVERY), Sweep(self.sweep_orphans, _EVERY, _ORPHANS_EVERY))

    async def stop(self) -> None:
        await self._sweeps.stop()

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
        service = self._service
        return await delete_orphans(service.blobs, PREFIX, self._needed, now=service.clock(), abandoned=self._abandoned)

    async def _needed(self, names: list[str]) -> set[str]:
        # …/<batch>/requests, …/<batch>/results-<number>
        batches = {name: name.split("/")[-2] for name in names}
        query = select(_B.id, _B.workspace_id, _B.status, _B.results_blob)
        query = query.where(_B.id.in_(set(batches.values())), _B.archived_at.is_(None))
        async with self._db.connect() as connection:
            found = {row.id: row for row in await connection.execute(query)}
        kept: set[str] = set()
        for name, batch_id in batches.items():
            row = found.get(batch_id)
            # Until it ends its results may be just being written; after that nobody needs its requests.
            if row is not None and (
                name == row.results_blob
                if row.status == "ended"
                else name.startswith(requests_name(row.workspace_id, row.id).removesuffix("requests"))
            ):
                kept.add(name)
        return kept
