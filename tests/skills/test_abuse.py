"""Abuse cases of the platform's list that are about skills, and invariant 13; archives: test_uploads.py."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from limits.limiters import Bench

from .api import OLD, RANDOM, SKILL, SkillsApi, message_of, skills_api

VERSION = "skver_011C3jesTJ8wn21tkQ6hSm79"


@pytest.mark.parametrize("betas", [None, OLD])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("GET", ""), ("HEAD", ""), ("DELETE", ""), ("GET", "/versions"), ("POST", "/versions")),
        *(("GET", "/versions/VERSION"), ("DELETE", "/versions/VERSION"), ("GET", "/versions/VERSION/content")),
        *(("HEAD", "/versions/VERSION/content"), ("GET", "/versions/latest"), ("DELETE", "/versions/latest")),
    ],
)
async def test_abuse_15_a_foreign_id_is_answered_as_a_random_one(
    api: SkillsApi, method: str, path: str, betas: str | None
) -> None:
    foreign = await api.create(key="b")
    number = (await api.get(f"/{foreign['id']}", key="b", betas=OLD))["latest_version"]
    version = number if betas else foreign["latest_version_id"]
    answers = [
        await api.ask(method, f"/v1/skills/{name}{path}".replace("VERSION", version), betas=betas)
        for name in (foreign["id"], RANDOM)
    ]
    shown = [
        answer.body.replace(name.encode(), b"ID").replace(answer.headers["request-id"].encode(), b"REQ")
        for answer, name in zip(answers, (foreign["id"], RANDOM), strict=True)
    ]
    assert [answer.status for answer in answers] in (
        [404, 404],
        [400, 400] if betas and "latest" in path else [404] * 2,
    )
    assert shown[0] == shown[1]
    assert answers[0].headers.keys() == answers[1].headers.keys()
    # It is still there for its own.
    assert await api.get(f"/{foreign['id']}", key="b") == foreign


async def test_abuse_15_a_version_of_a_foreign_skill_is_not_reached_by_an_own_one(api: SkillsApi) -> None:
    foreign, own = await api.create(key="b"), await api.create()
    path = f"/v1/skills/{own['id']}/versions/"
    for method in ("GET", "DELETE"):
        told = [await api.ask(method, path + name) for name in (foreign["latest_version_id"], VERSION)]
        assert [(answer.status, message_of(answer)) for answer in told] == [(404, "Skill version not found")] * 2
    assert (await api.ask("GET", f"{path}{foreign['latest_version_id']}/content")).status == 404
    assert await api.get(f"/{foreign['id']}/versions/latest", key="b")


async def test_abuse_15_lists_show_the_workspaces_own_skills_only(api: SkillsApi) -> None:
    own = await api.create()
    await api.create(key="b")
    for betas in (None, OLD):
        listed = (await api.get(query="source=custom", betas=betas))["data"]
        assert [skill["id"] for skill in listed] == [own["id"]]
    for _ in range(2):
        await api.create(key="b")
    theirs = (await api.get(query="source=custom&limit=1", key="b"))["next_page"]
    assert (await api.ask("GET", "/v1/skills", query=f"source=custom&page={theirs}")).status == 400


async def test_abuse_59_ids_are_not_read_as_sql_or_paths(api: SkillsApi) -> None:
    skill = await api.create()
    for name in ("' OR '1'='1", "..", "%2e%2e", "skill_%", "\0", "a" * 5_000, "prebuilt", "__init__"):
        assert (await api.ask("GET", f"/v1/skills/{name}")).status == 404
        assert (await api.ask("DELETE", f"/v1/skills/{name}")).status == 404
        path = f"/v1/skills/{skill['id']}/versions/{name}"
        assert (await api.ask("GET", path)).status == 404
        assert (await api.ask("GET", path, betas=OLD)).status == 400
    for number in ("0", "00", "9" * 18, "9" * 19, "9" * 4_000):
        path = f"/v1/skills/{skill['id']}/versions/{number}"
        assert (await api.ask("GET", path, betas=OLD)).status == 404
    assert (await api.ask("GET", f"/v1/skills/{skill['id']}/versions/²", betas=OLD)).status == 400


async def test_abuse_31_skills_have_a_rate_limit_of_their_own(data_dir: Path) -> None:
    bench = Bench(tier="tier_1")
    async with skills_api(data_dir, limits=bench.limiter) as api:
        statuses = [(await api.ask("GET", "/v1/skills/pdf")).status for _ in range(600)]
        allowed = statuses.count(200)
        assert 50 <= allowed < 600
        assert set(statuses[allowed:]) == {429}
        assert (await api.send(SKILL)).status == 429


# --- what nobody can reach any more ---


async def test_archives_without_a_version_go_once_they_are_old(api: SkillsApi) -> None:
    skill = await api.create()
    for name in (f"skills/wrkspc_a/{VERSION}", f"skills/wrkspc_gone/{VERSION}", "files/wrkspc_a/file_x"):
        await api.service.blobs.put(name, b"x")
    assert await api.sweeper.sweep() == 0
    api.clock.added = 3 * 3_600
    assert await api.sweeper.sweep() == 2
    assert await api.stored() == [f"skills/wrkspc_a/{skill['latest_version_id']}"]
    assert await api.service.blobs.read("files/wrkspc_a/file_x") == b"x"


async def test_what_a_killed_server_had_half_written_goes_once_it_is_old(api: SkillsApi) -> None:
    await api.create()
    half = api.db.data_dir / "skills" / "wrkspc_a" / "skver_x#1"
    half.write_bytes(b"half")
    assert await api.sweeper.sweep() == 0
    os.utime(half, (0, time.time() - 3 * 3_600))
    assert await api.sweeper.sweep() == 1
    assert not half.exists()


async def test_the_sweeper_runs_by_itself_and_survives_an_outage(
    api: SkillsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.skills.sweeper._FIRST", 0.0)
    monkeypatch.setattr("understudy.skills.sweeper._EVERY", 0.01)
    await api.service.blobs.put(f"skills/wrkspc_a/{VERSION}", b"x")
    api.clock.added = 3 * 3_600
    outages = [OSError("away")]
    sweep = api.sweeper.sweep

    async def sometimes() -> int:
        if outages:
            raise outages.pop()
        return await sweep()

    monkeypatch.setattr(api.sweeper, "sweep", sometimes)
    api.sweeper.start()
    try:
        for _ in range(500):
            if not await api.stored():
                break
            await asyncio.sleep(0.01)
    finally:
        await api.sweeper.stop()
    assert await api.stored() == []
