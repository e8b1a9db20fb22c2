"""Removes archives that a killed server left without a version."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from sqlalchemy import select

from understudy.skills.service import SkillService
from understudy.skills.skill import PREFIX, blob_name
from understudy.skills.tables import skill_versions
from understudy.storage.blobs import BlobsError
from understudy.storage.database import Database

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which an archive without a version is nobody's upload any more: it is written in one go."""

_FIRST: Final = 120.0
_EVERY: Final = 6 * 3_600.0
_AT_ONCE: Final = 500

_log = structlog.stdlib.get_logger("understudy.skills")


class SkillSweeper:
    """Every server may run one: what one has removed the others do not find. Times in seconds."""

    def __init__(self, db: Database, service: SkillService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="skills")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task})

    async def _run(self) -> None:
        wait = _FIRST
        while True:
            await asyncio.sleep(wait)
            wait = _EVERY
            try:
                await self.sweep()
            except Exception as error:
                _log.warning("skills cannot be swept", reason=f"{type(error).__name__}: {error}"[:300])

    async def sweep(self) -> int:
        """Delete archives that belong to no version. Returns how many. Raises BlobsError."""
        blobs = self._service.blobs
        before = self._service.clock() - self._abandoned
        swept = await blobs.clear_unfinished(PREFIX, self._abandoned)
        some: list[str] = []
        async for blob in blobs.list(PREFIX):
            if blob.modified < before:
                some.append(blob.name)
            if len(some) >= _AT_ONCE:
                swept += await self._delete_orphans(some)
                some.clear()
        swept += await self._delete_orphans(some)
        if swept:
            _log.info("archives without a skill were deleted", count=swept)
        return swept

    async def _delete_orphans(self, names: list[str]) -> int:
        if not names:
            return 0
        ids = {name.rpartition("/")[2] for name in names}
        query = select(skill_versions.c.workspace_id, skill_versions.c.id).where(skill_versions.c.id.in_(ids))
        async with self._db.connect() as connection:
            kept = {blob_name(row.workspace_id, row.id) for row in await connection.execute(query)}
        orphans = [name for name in names if name not in kept]
        try:
            await self._service.blobs.delete(orphans)
        except BlobsError as error:
            _log.warning("blobs could not be deleted", reason=str(error)[:300])
            return 0
        return len(orphans)
