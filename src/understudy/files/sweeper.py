"""Removes what has expired, and blobs that a killed server left without a file."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

import structlog
from sqlalchemy import delete, select, true, update

from understudy.files.file import PREFIX, blob_name
from understudy.files.service import FileService
from understudy.files.tables import files
from understudy.http.principal import Owner
from understudy.storage.blobs import BlobsError
from understudy.storage.database import Database

METADATA_KEPT: Final = 30 * 86_400.0
"""Seconds that the metadata of an expired file stay readable (Files guide)."""

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which a blob without a file is nobody's upload any more. The slowest that is let through writes its
next piece within 70 minutes (http/protocol.py, and the size of a part)."""

_EVERY: Final = 60.0
_ORPHANS_EVERY: Final = 6 * 3_600.0
_AT_ONCE: Final = 500

_log = structlog.stdlib.get_logger("understudy.files")


class Sweeper:
    """Every server may run one: what one has removed the others do not find. Times in seconds."""

    def __init__(self, db: Database, service: FileService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="files")

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
                await self.sweep_expired()
                if loop.time() >= orphans_at:
                    await self.sweep_orphans()
                    orphans_at = loop.time() + _ORPHANS_EVERY
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning("files cannot be swept", reason=f"{type(error).__name__}: {error}"[:300])
                failing = True

    async def sweep_expired(self) -> int:
        """Delete the bytes of expired files, and the metadata of those that expired long ago. Returns how many of the
        former."""
        swept = 0
        while True:
            names = await self._expire_some()
            await self._service.blobs.delete(names)
            swept += len(names)
            if len(names) < _AT_ONCE:
                break
        before = self._service.clock() - METADATA_KEPT
        async with self._db.connect() as connection:
            some = select(files.c.id).where(files.c.expires_at <= before).limit(1)
            if (await connection.execute(some)).first() is None:
                return swept
        async with self._db.begin() as connection:
            await connection.execute(delete(files).where(files.c.expires_at <= before, files.c.stored != true()))
        return swept

    async def _expire_some(self) -> list[str]:
        """Take some expired files out of the quota. Their blobs are orphans from then on."""
        expired = files.c.expires_at <= self._service.clock()
        some = select(files.c.id).where(expired, files.c.stored == true()).limit(_AT_ONCE)
        async with self._db.connect() as connection:
            ids = (await connection.execute(some)).scalars().all()
        if not ids:
            return []
        statement = update(files).where(files.c.id.in_(ids), files.c.stored == true()).values(stored=False)
        freed: Counter[Owner] = Counter()
        names: list[str] = []
        async with self._db.begin() as connection:
            rows = await connection.execute(
                statement.returning(files.c.id, files.c.organization_id, files.c.workspace_id, files.c.size_bytes)
            )
            for row in rows:
                freed[Owner(row.organization_id, row.workspace_id)] += row.size_bytes
                names.append(blob_name(row.workspace_id, row.id))
            for owner in sorted(freed, key=lambda one: (one.organization_id, one.workspace_id)):
                await self._service.quota.release(connection, owner, freed[owner])
        return names

    async def sweep_orphans(self) -> int:
        """Delete blobs that belong to no file. Returns how many. Raises BlobsError."""
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
            _log.info("blobs without a file were deleted", count=swept)
        return swept

    async def _delete_orphans(self, names: list[str]) -> int:
        if not names:
            return 0
        ids = {name.rpartition("/")[2] for name in names}
        async with self._db.connect() as connection:
            query = select(files.c.workspace_id, files.c.id).where(files.c.id.in_(ids), files.c.stored == true())
            kept = {blob_name(row.workspace_id, row.id) for row in await connection.execute(query)}
        orphans = [name for name in names if name not in kept]
        try:
            await self._service.blobs.delete(orphans)
        except BlobsError as error:
            _log.warning("blobs could not be deleted", reason=str(error)[:300])
            return 0
        return len(orphans)
