"""Skills of workspaces: rows in the database and a blob for each version, made and deleted together."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.cursors import Cursors
from understudy.http.principal import Owner
from understudy.skills.bundle import Bundle
from understudy.skills.config import SkillsConfig
from understudy.skills.errors import (
    has_versions,
    last_version,
    read_only,
    skill_not_found,
    title_taken,
    version_not_found,
    wrong_name,
)
from understudy.skills.mounting import MountedSkill, Mounting
from understudy.skills.prebuilt import IDS, Prebuilt
from understudy.skills.reading import Addressed, Reading, SkillListParams, VersionListParams, addressed_by
from understudy.skills.skill import OfWorkspace, Skill, SkillVersion, blob_name, index_text
from understudy.skills.store import Archives, Stored
from understudy.skills.tables import skill_versions, skills
from understudy.skills.uploads import Uploads
from understudy.storage.blobs import BlobNotFoundError, Blobs
from understudy.storage.database import Database
from understudy.storage.finishing import to_the_end
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import ApiError
from understudy.wire.ids import new_id

_T = TypeVar("_T")

_MICROSECONDS: Final = 1_000_000


class SkillService:
    """`clock` tells seconds since the epoch. Errors are the API's.

    `old`: by the rules of the beta `skills-2025-10-02`.
    """

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        root: RootSecret,
        config: SkillsConfig,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._db = db
        self._reading = Reading(db, Cursors(root))
        self._archives = Archives(blobs)
        self._mounting = Mounting(db, self._archives)
        self.blobs = blobs
        self.config = config
        self.uploads = Uploads(config)
        self.clock = clock

    # --- reading ---

    async def list(self, workspace_id: str, params: SkillListParams) -> tuple[list[Skill], str | None]:
        """A page, newest first, prebuilt ones last, and the cursor of the next."""
        return await self._reading.list(workspace_id, params)

    async def retrieve(self, workspace_id: str, skill_id: str) -> Skill:
        """A skill of another workspace is not found."""
        return await self._reading.skill(workspace_id, skill_id)

    async def versions(
        self, workspace_id: str, skill_id: str, params: VersionListParams
    ) -> tuple[Sequence[SkillVersion], str | None]:
        """A page, newest first, and the cursor of the next."""
        return await self._reading.versions(workspace_id, skill_id, params)

    async def version(self, workspace_id: str, skill_id: str, version: str, *, old: bool = False) -> SkillVersion:
        """By its id or as `latest`; under the beta by its number."""
        return (await self._reading.version(workspace_id, skill_id, version, old=old)).version

    async def content(
        self, workspace_id: str, skill_id: str, version: str, *, old: bool = False
    ) -> tuple[SkillVersion, int, AsyncGenerator[bytes]]:
        """A version, the size of its zip archive in bytes, and that in pieces; opened before it returns."""
        found = await self._reading.version(workspace_id, skill_id, version, old=old)
        if isinstance(found, Prebuilt):
            return found.version, len(found.archive), _whole(found.archive)
        try:
            pieces = await self._archives.stream(blob_name(workspace_id, found.version.id))
        except BlobNotFoundError:
            # It was deleted a moment ago, or somebody took its blob away.
            await self._reading.version(workspace_id, skill_id, version, old=old)
            raise self._archives.missing(found.version.id) from None
        return found.version, found.size, pieces

    async def resolve(self, owner: OfWorkspace, wanted: Sequence[Mapping[str, Any]]) -> Sequence[MountedSkill]:
        """What the `container.skills` of a message name, in that order.

        Raises InvalidRequestError for what is unknown, another workspace's or deleted, and for names that are given
        twice.
        """
        return await self._mounting.resolve(owner.workspace_id, wanted)

    # --- making ---

    async def create(
        self, owner: Owner, bundle: Bundle, display_name: str | None = None, *, old: bool = False
    ) -> Skill:
        """A skill with its first version. If it fails, or is cancelled, nothing is left."""
        skill_id, version_id = new_id("skill_"), new_id("skver_")
        stored = await self._archives.write(blob_name(owner.workspace_id, version_id), bundle.archive)
        label = display_name or bundle.name

        async def keep(connection: AsyncConnection) -> Skill:
            if old:
                same = select(skills.c.id).where(
                    skills.c.workspace_id == owner.workspace_id, skills.c.display_name == label
                )
                if (await connection.execute(same.limit(1))).first() is not None:
                    raise title_taken(label)
            number = round(self.clock() * _MICROSECONDS)
            created_at = number / _MICROSECONDS
            await connection.execute(
                insert(skills).values(
                    id=skill_id,
                    organization_id=owner.organization_id,
                    workspace_id=owner.workspace_id,
                    name=bundle.name,
                    display_name=label,
                    created_at=created_at,
                    updated_at=created_at,
                    latest_version_id=version_id,
                    latest_version=number,
                )
            )
            await _insert(connection, owner.workspace_id, skill_id, version_id, number, bundle, stored)
            return Skill(skill_id, label, created_at, created_at, version_id, str(number))

        return await to_the_end(self._keep(owner.workspace_id, version_id, keep))

    async def create_version(self, owner: Owner, skill_id: str, bundle: Bundle) -> SkillVersion:
        """The newest version of a skill from now on."""
        if skill_id in IDS:
            raise read_only(skill_id)
        version_id = new_id("skver_")
        stored = await self._archives.write(blob_name(owner.workspace_id, version_id), bundle.archive)

        async def keep(connection: AsyncConnection) -> SkillVersion:
            name = await self._lock(connection, owner.workspace_id, skill_id)
            if name != bundle.name:
                raise wrong_name(bundle.name, name)
            newest = select(func.max(skill_versions.c.version)).where(skill_versions.c.skill_id == skill_id)
            last = (await connection.execute(newest)).scalar() or 0
            number = max(round(self.clock() * _MICROSECONDS), last + 1)
            await _insert(connection, owner.workspace_id, skill_id, version_id, number, bundle, stored)
            await _set_latest(connection, skill_id, version_id, number)
            return SkillVersion(
                *(version_id, skill_id, str(number), name, bundle.description, bundle.directory),
                number / _MICROSECONDS,
            )

        return await to_the_end(self._keep(owner.workspace_id, version_id, keep))

    async def _keep(self, workspace_id: str, version_id: str, keep: Callable[[AsyncConnection], Awaitable[_T]]) -> _T:
        names = [blob_name(workspace_id, version_id)]
        try:
            async with self._db.begin() as connection:
                return await keep(connection)
        except ApiError:
            await self._archives.unlink(names)
            raise
        except Exception:
            # Whether it was committed only the database knows; where that is silent the sweeper asks again later.
            if not await self._is_there(version_id):
                await self._archives.unlink(names)
            raise

    async def _is_there(self, version_id: str) -> bool:
        query = select(skill_versions.c.id).where(skill_versions.c.id == version_id)
        try:
            async with self._db.connect() as connection:
                return (await connection.execute(query)).first() is not None
        except Exception:
            return True

    async def _lock(self, connection: AsyncConnection, workspace_id: str, skill_id: str) -> str:
        """Keep everybody else from changing a skill until the transaction ends. Returns its name."""
        statement = update(skills).where(skills.c.id == skill_id, skills.c.workspace_id == workspace_id)
        changed = statement.values(updated_at=round(self.clock(), 6)).returning(skills.c.name)
        name = (await connection.execute(changed)).scalar()
        if name is None:
            raise skill_not_found()
        return name

    # --- deleting ---

    async def delete(self, workspace_id: str, skill_id: str, *, old: bool = False) -> None:
        """Delete a skill with all its versions; under the beta only one that has none."""
        if skill_id in IDS:
            raise read_only(skill_id)
        await to_the_end(self._delete(workspace_id, skill_id, old=old))

    async def _delete(self, workspace_id: str, skill_id: str, *, old: bool) -> None:
        async with self._db.begin() as connection:
            await self._lock(connection, workspace_id, skill_id)
            gone = delete(skill_versions).where(skill_versions.c.skill_id == skill_id).returning(skill_versions.c.id)
            ids = (await connection.execute(gone)).scalars().all()
            if old and ids:
                raise has_versions()
            await connection.execute(delete(skills).where(skills.c.id == skill_id))
        await self._archives.unlink([blob_name(workspace_id, one) for one in ids])

    async def delete_version(self, workspace_id: str, skill_id: str, version: str, *, old: bool = False) -> str:
        """Delete a version by its id, under the beta by its number. Returns the id that the answer shows."""
        addressed = addressed_by(version, old=old)
        if skill_id in IDS:
            raise read_only(skill_id)
        if addressed.id is None and addressed.number is None:
            # The documentation has `latest` for reading only.
            raise version_not_found()
        deleted = await to_the_end(self._delete_version(workspace_id, skill_id, addressed, old=old))
        return version if old else deleted

    async def _delete_version(self, workspace_id: str, skill_id: str, addressed: Addressed, *, old: bool) -> str:
        of_skill = skill_versions.c.skill_id == skill_id
        async with self._db.begin() as connection:
            await self._lock(connection, workspace_id, skill_id)
            found = addressed(select(skill_versions.c.id).where(of_skill))
            version_id = (await connection.execute(found)).scalar()
            if version_id is None:
                raise version_not_found()
            await connection.execute(delete(skill_versions).where(skill_versions.c.id == version_id))
            newest = select(skill_versions.c.id, skill_versions.c.version).where(of_skill)
            left = (await connection.execute(newest.order_by(skill_versions.c.version.desc()).limit(1))).first()
            if left is None and not old:
                raise last_version()
            await _set_latest(connection, skill_id, *((None, None) if left is None else (left.id, left.version)))
        await self._archives.unlink([blob_name(workspace_id, version_id)])
        return version_id


async def _insert(
    connection: AsyncConnection,
    workspace_id: str,
    skill_id: str,
    version_id: str,
    number: int,
    bundle: Bundle,
    stored: Stored,
) -> None:
    await connection.execute(
        insert(skill_versions).values(
            id=version_id,
            skill_id=skill_id,
            workspace_id=workspace_id,
            version=number,
            name=bundle.name,
            description=bundle.description,
            directory=bundle.directory,
            created_at=number / _MICROSECONDS,
            size_bytes=stored.size,
            sha256=stored.sha256,
            files=index_text(bundle.files),
        )
    )


async def _set_latest(connection: AsyncConnection, skill_id: str, version_id: str | None, number: int | None) -> None:
    statement = update(skills).where(skills.c.id == skill_id)
    await connection.execute(statement.values(latest_version_id=version_id, latest_version=number))


async def _whole(content: bytes) -> AsyncGenerator[bytes]:
    yield content
