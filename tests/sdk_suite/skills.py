"""The Skills API and its versions, stable and beta."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

import httpx

from .table import DROP, Made, Resource, Rewrite


def _archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a-skill/SKILL.md", "---\nname: a-skill\ndescription: Does a thing.\n---\n")
    return out.getvalue()


_ARCHIVE = _archive()


async def _create(client: httpx.AsyncClient) -> Mapping[str, str]:
    files = {"files[]": ("a-skill.zip", _ARCHIVE)}
    skill_id = (await client.post("/v1/skills", files=files)).raise_for_status().json()["id"]
    # Another one, since the only version of a skill cannot be deleted.
    answer = await client.post(f"/v1/skills/{skill_id}/versions", files=files)
    return {"skill_id": skill_id, "version": answer.raise_for_status().json()["id"]}


SKILLS = Resource(
    name="skills",
    files=(
        "tests/api_resources/test_skills.py",
        "tests/api_resources/beta/test_skills.py",
        "tests/api_resources/skills/test_versions.py",
        "tests/api_resources/beta/skills/test_versions.py",
    ),
    routes=(
        ("POST", "/v1/skills"),
        ("GET", "/v1/skills"),
        ("GET", "/v1/skills/{skill_id}"),
        ("DELETE", "/v1/skills/{skill_id}"),
        ("POST", "/v1/skills/{skill_id}/versions"),
        ("GET", "/v1/skills/{skill_id}/versions"),
        ("GET", "/v1/skills/{skill_id}/versions/{version}"),
        ("DELETE", "/v1/skills/{skill_id}/versions/{version}"),
        ("GET", "/v1/skills/{skill_id}/versions/{version}/content"),
    ),
    rewrites=(
        Rewrite("path", "skill_id", "skill_id", Made("skill_id"), "a skill that there is"),
        Rewrite("path", "version", "version", Made("version"), "a version that there is"),
        Rewrite("query", "page", "page", DROP, "a cursor that an earlier answer gave"),
        Rewrite("form", "files[]", b"Example data", _ARCHIVE, "files with a SKILL.md, here as one zip (Skills guide)"),
    ),
    prepare=_create,
    fresh=True,
)
