"""A skill as the API shows it: today's shape, and the one of the beta.

Source: SDK 2.12 (Skill, SkillVersion), the API reference (2026-08), whose keys stand in this order.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from understudy.skills.skill import Skill, SkillVersion

OLD_BETA: Final = "skills-2025-10-02"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def is_old(betas: Sequence[str]) -> bool:
    """Whether a request's betas ask for the shapes of the beta."""
    return OLD_BETA in betas


def skill_object(skill: Skill, *, old: bool = False) -> dict[str, Any]:
    """The object of a skill."""
    created, updated = _time(skill.created_at), _time(skill.updated_at)
    if old:
        return {
            "id": skill.id,
            "created_at": created,
            "display_title": skill.display_name,
            "latest_version": skill.latest_version,
            "source": skill.source,
            "type": "skill",
            "updated_at": updated,
        }
    return {
        "id": skill.id,
        "created_at": created,
        "display_name": skill.display_name,
        # Never null (SDK 2.12). None are left only where the beta's rules took them away [guess].
        "latest_version_id": skill.latest_version_id or "",
        "source": {"type": skill.source},
        "type": "skill",
        "updated_at": updated,
    }


def version_object(version: SkillVersion, *, old: bool = False) -> dict[str, Any]:
    """The object of a version."""
    if old:
        return {
            "id": version.id,
            "created_at": _time(version.created_at),
            "description": version.description,
            "directory": version.directory,
            "name": version.name,
            "skill_id": version.skill_id,
            "type": "skill_version",
            "version": version.version,
        }
    return {
        "id": version.id,
        "created_at": _time(version.created_at),
        "description": version.description,
        "name": version.name,
        "skill_id": version.skill_id,
        "type": "skill_version",
    }


def page_object(data: list[dict[str, Any]], next_page: str | None, *, old: bool = False) -> dict[str, Any]:
    """A page of either."""
    if old:
        return {"data": data, "has_more": next_page is not None, "next_page": next_page}
    return {"data": data, "next_page": next_page}


def _time(seconds: float) -> str:
    told = _EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
    return told.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
