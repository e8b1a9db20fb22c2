"""The skills that are there from the start: `pptx`, `xlsx`, `docx` and `pdf`.

Each is a directory beside this file, as a skill that is uploaded is: SKILL.md and scripts. They are read when somebody
first asks for one.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Final

from understudy.skills.archives import Source, pack
from understudy.skills.bundle import SKILL
from understudy.skills.config import SkillsConfig
from understudy.skills.front_matter import MOST_BYTES, read_front_matter
from understudy.skills.skill import PackedFile, Skill, SkillVersion

IDS: Final = ("docx", "pdf", "pptx", "xlsx")

VERSION: Final = "20251013"
"""The version of all of them: the one that the Skills guide names, and that clients have pinned."""

_MADE: Final = 1_760_313_600.0  # 2025-10-13
_DISPLAYED: Final = {"docx": "Word", "pdf": "PDF", "pptx": "PowerPoint", "xlsx": "Excel"}
_HERE: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Prebuilt:
    """A skill of ours, its one version and the archive of that."""

    skill: Skill
    version: SkillVersion
    files: list[PackedFile]
    archive: bytes


def prebuilt(skill_id: str) -> Prebuilt | None:
    """None for an id that is none of theirs."""
    return _read(skill_id) if skill_id in IDS else None


@cache
def _read(skill_id: str) -> Prebuilt:
    folder = _HERE / skill_id
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in {".md", ".py"})
    paths.sort(key=lambda path: path.name != SKILL)
    sources = [Source(path.relative_to(folder).as_posix(), partial(path.open, "rb")) for path in paths]
    archive = io.BytesIO()
    files = pack(sources, skill_id, archive, SkillsConfig().max_bytes)
    found = read_front_matter((folder / SKILL).read_bytes()[:MOST_BYTES])
    skill = Skill(
        id=skill_id,
        display_name=_DISPLAYED[skill_id],
        created_at=_MADE,
        updated_at=_MADE,
        latest_version_id=VERSION,
        latest_version=VERSION,
        source="anthropic",
    )
    version = SkillVersion(VERSION, skill_id, VERSION, skill_id, found.description, skill_id, _MADE)
    return Prebuilt(skill, version, files, archive.getvalue())
