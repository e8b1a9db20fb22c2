"""A skill, its versions and their files, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

import orjson

Source: TypeAlias = Literal["custom", "anthropic"]

PREFIX: Final = "skills"
"""Below this all blobs of skills lie."""


class OfWorkspace(Protocol):
    """Whoever asks: any room's owner will do."""

    @property
    def workspace_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Skill:
    """Times are seconds since the epoch. `latest_*` are None when the old API has taken the last version away."""

    id: str
    display_name: str
    created_at: float
    updated_at: float
    latest_version_id: str | None
    latest_version: str | None
    source: Source = "custom"


@dataclass(frozen=True, slots=True)
class SkillVersion:
    """`id` addresses it; `version` did so in the API of old: microseconds since the epoch, or a date of a prebuilt one.

    `directory` is what its files' directory was called when they came; they are kept below `name`.
    """

    id: str
    skill_id: str
    version: str
    name: str
    description: str
    directory: str
    created_at: float


@dataclass(frozen=True, slots=True)
class PackedFile:
    """A file in a version's archive. `path` is relative to the skill; `start` and `packed` say where its bytes lie.

    `size`: uncompressed; all in bytes. `deflated`: how it is kept; else as it is.
    """

    path: str
    size: int
    start: int
    packed: int
    deflated: bool
    executable: bool


def index_text(files: list[PackedFile]) -> str:
    """As it is stored."""
    return orjson.dumps([[f.path, f.size, f.start, f.packed, f.deflated, f.executable] for f in files]).decode()


def read_index(text: str) -> list[PackedFile]:
    return [PackedFile(*row) for row in orjson.loads(text)]


def blob_name(workspace_id: str, version_id: str) -> str:
    return f"{PREFIX}/{workspace_id}/{version_id}"
