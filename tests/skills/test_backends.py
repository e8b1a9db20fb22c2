"""The whole way of a skill on each database, and on S3."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from files.s3 import s3_server

from .api import MEGABYTE, OLD, SKILL, SkillsApi, skill_md, skills_api, unzipped
from .test_mounting import content, custom, mounted

LARGE = {**SKILL, "my-skill/noise": os.urandom(5 * MEGABYTE), "my-skill/zeros": b"\0" * MEGABYTE}


async def whole_way(api: SkillsApi) -> None:
    skill = await api.create(LARGE)
    number = (await api.get(f"/{skill['id']}", betas=OLD))["latest_version"]
    for wanted in (custom(skill["id"]), custom(skill["id"], skill["latest_version_id"]), custom(skill["id"], number)):
        (one,) = await mounted(api, wanted)
        assert one.version == skill["latest_version_id"]
    assert {f"my-skill/{file.path}": await content(file) for file in one.files} == LARGE
    path = f"/v1/skills/{skill['id']}/versions"
    downloaded = await api.ask("GET", f"{path}/latest/content")
    assert unzipped(downloaded.body) == LARGE
    more = [(await api.add(skill["id"], {"my-skill/SKILL.md": skill_md()}))["id"] for _ in range(3)]
    found: list[str] = []
    page = ""
    while page is not None:
        answer = await api.get(f"/{skill['id']}/versions", query=f"limit=2&page={page}")
        found += [version["id"] for version in answer["data"]]
        page = answer["next_page"]
    assert found == [*reversed(more), skill["latest_version_id"]]
    refused = await api.refused(SKILL, betas=OLD, fields={"display_title": "my-skill"})
    assert refused[0] == 400
    assert (await api.ask("DELETE", f"{path}/{more[-1]}")).status == 200
    assert (await api.get(f"/{skill['id']}"))["latest_version_id"] == more[-2]
    assert len(await api.stored()) == 3
    assert (await api.ask("DELETE", f"/v1/skills/{skill['id']}")).status == 200
    assert await api.stored() == []


@pytest.mark.each_database
async def test_a_skill_goes_the_whole_way_on_each_database(tmp_path: Path) -> None:
    async with skills_api(tmp_path) as api:
        await whole_way(api)


@pytest.mark.slow
async def test_a_skill_goes_the_whole_way_on_s3(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with s3_server() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        async with skills_api(data_dir, server.bucket()) as api:
            await whole_way(api)
            await api.service.blobs.put("skills/wrkspc_a/skver_orphan", b"x")
            api.clock.added = 3 * 3_600
            assert await api.sweeper.sweep() == 1
