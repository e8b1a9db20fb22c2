"""Skills that a message asks for, ready to be put into its container."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import and_, or_, select

from understudy.skills.prebuilt import Prebuilt, prebuilt
from understudy.skills.reading import KEPT, LATEST, Kept, kept_of, number_of
from understudy.skills.skill import PackedFile, Source, blob_name, read_index
from understudy.skills.store import Archives
from understudy.skills.tables import skill_versions, skills
from understudy.storage.blobs import BlobNotFoundError
from understudy.storage.database import Database
from understudy.wire.errors import InvalidRequestError

MOST_SKILLS: Final = 20
"""Of a request (Skills guide, 2026-08; 8 before that)."""

# Bytes of an archive that is held whole while it is mounted: one request to the store instead of one for each file.
_HELD: Final = 4 * 1024 * 1024
_OUT: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class MountedFile:
    """A file of a skill. `path` is relative to the skill's directory, and plain; `size` in bytes."""

    path: str
    size: int
    executable: bool
    _packed: PackedFile = field(repr=False)
    _archive: _Archive = field(repr=False)

    async def open(self) -> AsyncGenerator[bytes]:
        """Its bytes in pieces. Raises the API's errors: the version may have been deleted meanwhile."""
        left = self.size
        unpack = zlib.decompressobj(-zlib.MAX_WBITS) if self._packed.deflated else None
        async for piece in self._archive.pieces(self._packed.start, self._packed.start + self._packed.packed):
            pending = piece
            while pending:
                if unpack is None:
                    out, pending = pending, b""
                else:
                    out = unpack.decompress(pending, _OUT)
                    pending = unpack.unconsumed_tail
                left -= len(out)
                if left < 0:
                    raise self._archive.broken()
                if out:
                    yield out
        if left:
            raise self._archive.broken()


@dataclass(frozen=True, slots=True)
class MountedSkill:
    """A skill of a request. Its files belong below `/skills/{name}/`.

    `version`: what was resolved, as `container.skills` of an answer shows it; `number` the same under the beta.
    """

    type: Source
    skill_id: str
    version: str
    number: str
    name: str
    description: str
    files: Sequence[MountedFile]


class Mounting:
    def __init__(self, db: Database, archives: Archives) -> None:
        self._db = db
        self._archives = archives

    async def resolve(self, workspace_id: str, wanted: Sequence[Mapping[str, Any]]) -> list[MountedSkill]:
        """In the order that they are given in. Whatever is wrong is a 400 (Skills guide); the words are a guess."""
        if len(wanted) > MOST_SKILLS:
            raise InvalidRequestError(
                f"container.skills: List should have at most {MOST_SKILLS} items after validation, not {len(wanted)}"
            )
        asked = [(str(one.get("type")), str(one.get("skill_id")), str(one.get("version") or LATEST)) for one in wanted]
        kept = await self._kept(workspace_id, [(skill, version) for kind, skill, version in asked if kind == "custom"])
        mounted: list[MountedSkill] = []
        names: dict[str, int] = {}
        for place, (kind, skill_id, version) in enumerate(asked):
            found = prebuilt(skill_id) if kind == "anthropic" else kept.get((skill_id, version))
            if isinstance(found, Prebuilt) and version not in {LATEST, found.version.id}:
                found = None
            if found is None:
                at = "" if version == LATEST else f" version `{version}`"
                raise InvalidRequestError(f"container.skills.{place}: Skill `{skill_id}`{at} not found.")
            one = self._mounted(workspace_id, found)
            if one.name in names:
                raise InvalidRequestError(
                    f"container.skills.{place}: a skill named `{one.name}` is given already (container.skills."
                    f"{names[one.name]})"
                )
            names[one.name] = place
            mounted.append(one)
        return mounted

    async def _kept(self, workspace_id: str, asked: list[tuple[str, str]]) -> dict[tuple[str, str], Kept]:
        """What of the skills and versions that are asked for there is, under the words that they were asked by."""
        if not asked:
            return {}
        conditions = [and_(skills.c.id == skill_id, _is(version)) for skill_id, version in dict.fromkeys(asked)]
        query = (
            select(*KEPT, skills.c.latest_version_id)
            .join(skills, skills.c.id == skill_versions.c.skill_id)
            .where(skills.c.workspace_id == workspace_id, or_(*conditions))
        )
        found: dict[tuple[str, str], Kept] = {}
        async with self._db.connect() as connection:
            for row in await connection.execute(query):
                kept = kept_of(row)
                words = [kept.version.id, kept.version.version]
                if row.latest_version_id == kept.version.id:
                    words.append(LATEST)
                found.update({(kept.version.skill_id, word): kept for word in words})
        return found

    def _mounted(self, workspace_id: str, found: Kept | Prebuilt) -> MountedSkill:
        version = found.version
        if isinstance(found, Prebuilt):
            source, files = "anthropic", found.files
            archive = _Archive(self._archives, "", version.id, len(found.archive), found.archive)
        else:
            source, files = "custom", read_index(found.files)
            archive = _Archive(self._archives, blob_name(workspace_id, version.id), version.id, found.size)
        return MountedSkill(
            type=source,
            skill_id=version.skill_id,
            version=version.id,
            number=version.version,
            name=version.name,
            description=version.description,
            files=[MountedFile(file.path, file.size, file.executable, file, archive) for file in files],
        )


def _is(version: str) -> Any:
    if version == LATEST:
        return skill_versions.c.id == skills.c.latest_version_id
    number = number_of(version)
    return skill_versions.c.id == version if number is None else skill_versions.c.version == number


@dataclass(slots=True)
class _Archive:
    """Where the files of a version come from."""

    archives: Archives
    name: str
    version_id: str
    size: int
    held: bytes | None = None

    async def pieces(self, start: int, end: int) -> AsyncGenerator[bytes]:
        if end <= start:
            return
        if self.held is None and self.size <= _HELD:
            self.held = b"".join([piece async for piece in await self._stream(0, self.size)])
        if self.held is not None:
            yield self.held[start:end]
            return
        async for piece in await self._stream(start, end):
            yield piece

    async def _stream(self, start: int, end: int) -> AsyncGenerator[bytes]:
        try:
            return await self.archives.stream(self.name, start, end)
        except BlobNotFoundError:
            raise InvalidRequestError(f"container.skills: the version `{self.version_id}` was deleted.") from None

    def broken(self) -> Exception:
        return self.archives.missing(self.version_id)
