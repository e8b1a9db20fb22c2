"""Removes what has expired, and blobs that a killed server left without a file."""

from __future__ import annotations

from collections import Counter
from typing import Final

from sqlalchemy import delete, select, true, update

from understudy.files.file import PREFIX, blob_name
from understudy.files.service import FileService
from understudy.files.tables import files
from understudy.http.principal import Owner
from understudy.storage.database import Database
from understudy.storage.sweeping import Sweep, Sweeps, delete_orphans

METADATA_KEPT: Final = 30 * 86_400.0
"""Seconds that the metadata of an expired file stay readable (Files guide)."""

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which a blob without a file is nobody's upload any more. The slowest that is let through writes its
next piece within 70 minutes (http/protocol.py, and the size of a part)."""

_EVERY: Final = 60.0
_ORPHANS_EVERY: Final = 6 * 3_600.0
_AT_ONCE: Final = 500


class Sweeper:
    """Times in seconds."""

    def __init__(self, db: Database, service: FileService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._sweeps = Sweeps("files")

    def start(self) -> None:
        self._sweeps.start(Sweep(self.sweep_expired, _EVERY, _EVERY), Sweep(self.sweep_orphans, _EVERY, _ORPHANS_EVERY))

    async def stop(self) -> None:
        await self._sweeps.stop()

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
        service = self._service
        return await delete_orphans(service.blobs, PREFIX, self._needed, now=service.clock(), abandoned=self._abandoned)

    async def _needed(self, names: list[str]) -> set[str]:
        ids = {name.rpartition("/")[2] for name in names}
        query = select(files.c.workspace_id, files.c.id).where(files.c.id.in_(ids), files.c.stored == true())
        async with self._db.connect() as connection:
            return {blob_name(row.workspace_id, row.id) for row in await connection.execute(query)}
