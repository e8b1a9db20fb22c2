"""What the database knows of skills: lists, single ones, and the versions that requests address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Annotated, Any, Final, NamedTuple, NotRequired

from pydantic import Field
from sqlalchemy import Row, Select, select
from typing_extensions import TypedDict

from understudy.http.cursors import Cursors
from understudy.http.pagination import DEFAULT_LIMIT, MAX_LIMIT
from understudy.http.row_pages import Order, rows_by_cursor
from understudy.skills.errors import skill_not_found, version_malformed, version_not_found
from understudy.skills.prebuilt import IDS, Prebuilt, prebuilt
from understudy.skills.skill import Skill, SkillVersion
from understudy.skills.tables import skill_versions, skills
from understudy.storage.database import Database

LATEST: Final = "latest"

# Digits of a number that the database takes.
_MOST_DIGITS: Final = 18


class VersionListParams(TypedDict):
    """The query of a list of versions."""

    limit: NotRequired[Annotated[int, Field(ge=1, le=MAX_LIMIT)]]
    page: NotRequired[str]


class SkillListParams(VersionListParams):
    """The query of GET /v1/skills."""

    source: NotRequired[str]


class Kept(NamedTuple):
    """A version and its archive: bytes, and their SHA-256 in hexadecimal. `files`: where each lies in it, as stored."""

    version: SkillVersion
    size: int
    sha256: str
    files: str


_SKILL: Final = [
    *(skills.c.id, skills.c.display_name, skills.c.created_at, skills.c.updated_at),
    *(skills.c.latest_version_id, skills.c.latest_version),
]
VERSION: Final = [skill_versions.c[field.name] for field in fields(SkillVersion)]
KEPT: Final = [*VERSION, skill_versions.c.size_bytes, skill_versions.c.sha256, skill_versions.c.files]


def skill_of(row: Row[Any]) -> Skill:
    number = row.latest_version
    return Skill(
        row.id,
        row.display_name,
        row.created_at,
        row.updated_at,
        row.latest_version_id,
        None if number is None else str(number),
    )


def version_of(row: Row[Any]) -> SkillVersion:
    return SkillVersion(
        row.id, row.skill_id, str(row.version), row.name, row.description, row.directory, row.created_at
    )


def kept_of(row: Row[Any]) -> Kept:
    return Kept(version_of(row), row.size_bytes, row.sha256, row.files)


def number_of(version: str) -> int | None:
    """A version as the beta's API addresses it; None for one that there cannot be."""
    return int(version) if version.isascii() and version.isdigit() and len(version) <= _MOST_DIGITS else None


class Reading:
    """Skills of workspaces and the prebuilt ones, which are in each."""

    def __init__(self, db: Database, cursors: Cursors) -> None:
        self._db = db
        self._cursors = cursors

    async def list(self, workspace_id: str, params: SkillListParams) -> tuple[list[Skill], str | None]:
        """A page of skills, newest first, and the cursor of the next."""
        source, page, limit = params.get("source") or None, params.get("page"), params.get("limit", DEFAULT_LIMIT)
        bound = ["skills", workspace_id, source]
        order = Order(skills.c.created_at, skills.c.id)
        found: list[Skill] = []
        more = False
        if source in {None, "custom"}:
            query = select(*_SKILL).where(skills.c.workspace_id == workspace_id)
            async with self._db.connect() as connection:
                rows, more = await rows_by_cursor(connection, query, page, limit, self._cursors, order, bound)
            found = [skill_of(row) for row in rows]
        place = self._cursors.read(bound, page) if page else None
        if not more and source in {None, "anthropic"}:
            # All that is uploaded is newer.
            ours = [one.skill for one in map(prebuilt, reversed(IDS)) if one is not None]
            found += [skill for skill in ours if place is None or (skill.created_at, skill.id) < place]
            more = len(found) > limit
            found = found[:limit]
        last = found[-1] if more else None
        return found, None if last is None else self._cursors.make(bound, last.created_at, last.id)

    async def skill(self, workspace_id: str, skill_id: str) -> Skill:
        """Raises NotFoundError, also for a skill of another workspace."""
        ours = prebuilt(skill_id)
        if ours is not None:
            return ours.skill
        query = select(*_SKILL).where(skills.c.id == skill_id, skills.c.workspace_id == workspace_id)
        async with self._db.connect() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise skill_not_found()
        return skill_of(row)

    async def versions(
        self, workspace_id: str, skill_id: str, params: VersionListParams
    ) -> tuple[Sequence[SkillVersion], str | None]:
        """A page of a skill's versions, newest first, and the cursor of the next."""
        page, bound = params.get("page"), ["skill_versions", workspace_id, skill_id]
        ours = prebuilt(skill_id)
        if ours is not None:
            if page:
                self._cursors.read(bound, page)
            return [ours.version], None
        await self.skill(workspace_id, skill_id)
        order = Order(skill_versions.c.created_at, skill_versions.c.id)
        limit = params.get("limit", DEFAULT_LIMIT)
        query = select(*VERSION).where(skill_versions.c.skill_id == skill_id)
        async with self._db.connect() as connection:
            rows, more = await rows_by_cursor(connection, query, page, limit, self._cursors, order, bound)
        found = [version_of(row) for row in rows]
        return found, self._cursors.make(bound, found[-1].created_at, found[-1].id) if more and found else None

    async def version(self, workspace_id: str, skill_id: str, version: str, *, old: bool) -> Kept | Prebuilt:
        """The version that a path names: by its id or as `latest`, under the beta by its number.

        Raises NotFoundError; InvalidRequestError for what is no number there.
        """
        addressed = addressed_by(version, old=old)
        ours = prebuilt(skill_id)
        if ours is not None:
            if version not in {ours.version.id, LATEST}:
                raise version_not_found()
            return ours
        await self.skill(workspace_id, skill_id)
        query = select(*KEPT).where(
            skill_versions.c.skill_id == skill_id, skill_versions.c.workspace_id == workspace_id
        )
        async with self._db.connect() as connection:
            row = (await connection.execute(addressed(query))).first()
        if row is None:
            raise version_not_found()
        return kept_of(row)


class Addressed(NamedTuple):
    """How a version is found among those of its skill. None, None: the newest."""

    id: str | None
    number: int | None

    def __call__(self, query: Select[Any]) -> Select[Any]:
        if self.id is not None:
            return query.where(skill_versions.c.id == self.id)
        if self.number is not None:
            return query.where(skill_versions.c.version == self.number)
        return query.order_by(skill_versions.c.version.desc()).limit(1)


def addressed_by(version: str, *, old: bool) -> Addressed:
    """Raises InvalidRequestError under the beta for what is no number."""
    if old:
        if not (version.isascii() and version.isdigit()):
            raise version_malformed()
        return Addressed(None, number_of(version) or 0)
    return Addressed(None, None) if version == LATEST else Addressed(version, None)
