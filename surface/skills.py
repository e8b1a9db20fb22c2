"""What the Skills API takes, and examples of its answers, made by the code that makes the real ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from understudy.skills.prebuilt import prebuilt
from understudy.skills.reading import SkillListParams, VersionListParams
from understudy.skills.shapes import page_object, skill_object, version_object
from understudy.skills.skill import Skill, SkillVersion
from understudy.skills.uploads import SkillCreateParams, VersionCreateParams

_ONE = "/v1/skills/{}"
_VERSIONS = f"{_ONE}/versions"


def _skills() -> list[Any]:
    skills = [Skill("skill_0", "A skill", 1.8e9, 1.8e9, "skver_0", "1800000000000000")]
    skills += [found.skill for found in (prebuilt("pdf"),) if found is not None]
    return [skill_object(skill) for skill in skills]


def _skill_versions() -> list[Any]:
    return [version_object(SkillVersion("skver_0", "skill_0", "1", "a-skill", "Does a thing.", "a-skill", 1.8e9))]


def _pages(examples: Callable[[], list[Any]]) -> Callable[[], list[Any]]:
    return lambda: [page_object(examples(), next_page) for next_page in (None, "page_x")]


def _deleted_skills() -> list[Any]:
    return [{"id": "skill_0", "type": "skill_deleted"}]


def _deleted_versions() -> list[Any]:
    return [{"id": "skver_0", "type": "skill_version_deleted"}]


ROWS: dict[tuple[str, str], tuple[Any, Any, Callable[[], list[Any]]]] = {
    ("POST", "/v1/skills"): (SkillCreateParams, None, _skills),
    ("GET", "/v1/skills"): (None, SkillListParams, _pages(_skills)),
    ("GET", _ONE): (None, None, _skills),
    ("DELETE", _ONE): (None, None, _deleted_skills),
    ("POST", _VERSIONS): (VersionCreateParams, None, _skill_versions),
    ("GET", _VERSIONS): (None, VersionListParams, _pages(_skill_versions)),
    ("GET", f"{_VERSIONS}/{{}}"): (None, None, _skill_versions),
    ("DELETE", f"{_VERSIONS}/{{}}"): (None, None, _deleted_versions),
    ("GET", f"{_VERSIONS}/{{}}/content"): (None, None, list),
}
"""Method and path → body, query, examples of the answer."""
