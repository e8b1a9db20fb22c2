"""Removes archives that a killed server left without a version."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from understudy.skills.service import SkillService
from understudy.skills.skill import PREFIX, blob_name
from understudy.skills.tables import skill_versions
from understudy.storage.database import Database
from understudy.storage.sweeping import Sweep, Sweeps, delete_orphans

ABANDONED: Final = 2 * 3_600.0
"""Seconds after which an archive without a version is nobody's upload any more: it is written in one go."""

_FIRST: Final = 120.0
_EVERY: Final = 6 * 3_600.0


class SkillSweeper:
    """Times in seconds."""

    def __init__(self, db: Database, service: SkillService, *, abandoned: float = ABANDONED) -> None:
        self._db = db
        self._service = service
        self._abandoned = abandoned
        self._sweeps = Sweeps("skills")

    def start(self) -> None:
        self._sweeps.start(Sweep(self.sweep, _FIRST, _EVERY))

    async def stop(self) -> None:
        await self._sweeps.stop()

    async def sweep(self) -> int:
        """Delete archives that belong to no version. Returns how many. Raises BlobsError."""
        service = self._service
        return await delete_orphans(service.blobs, PREFIX, self._needed, now=service.clock(), abandoned=self._abandoned)

    async def _needed(self, names: list[str]) -> set[str]:
        ids = {name.rpartition("/")[2] for name in names}
        query = select(skill_versions.c.workspace_id, skill_versions.c.id).where(skill_versions.c.id.in_(ids))
        async with self._db.connect() as connection:
            return {blob_name(row.workspace_id, row.id) for row in await connection.execute(query)}
