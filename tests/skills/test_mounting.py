"""Skills for a message's container."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import pytest

from understudy.http.principal import Owner
from understudy.skills.mounting import MountedFile, MountedSkill
from understudy.wire.errors import ApiError, InvalidRequestError

from .api import MEGABYTE, OLD, ORGANIZATION, RANDOM, SKILL, SkillsApi, skill_md

A, B = Owner(ORGANIZATION, "wrkspc_a"), Owner(ORGANIZATION, "wrkspc_b")


async def mounted(api: SkillsApi, *wanted: dict[str, Any], owner: Owner = A) -> Sequence[MountedSkill]:
    return await api.service.resolve(owner, wanted)


async def refusal(api: SkillsApi, *wanted: dict[str, Any], owner: Owner = A) -> str:
    with pytest.raises(InvalidRequestError) as caught:
        await api.service.resolve(owner, wanted)
    return caught.value.message


async def content(file: MountedFile) -> bytes:
    return b"".join([piece async for piece in file.open()])


def custom(skill_id: str, version: str | None = None) -> dict[str, Any]:
    named = {"type": "custom", "skill_id": skill_id}
    return named if version is None else {**named, "version": version}


def anthropic(skill_id: str, version: str = "latest") -> dict[str, Any]:
    return {"type": "anthropic", "skill_id": skill_id, "version": version}


async def test_a_skill_is_mounted_with_its_files(api: SkillsApi) -> None:
    files = {**SKILL, "my-skill/empty": b"", "my-skill/tiny": b"x", "my-skill/run.sh": b"#!/bin/sh\n"}
    skill = await api.create(files)
    (one,) = await mounted(api, custom(skill["id"]))
    assert (one.type, one.skill_id, one.version) == ("custom", skill["id"], skill["latest_version_id"])
    assert (one.name, one.description) == ("my-skill", "Does a thing.")
    assert {f"my-skill/{file.path}": await content(file) for file in one.files} == files
    assert {file.path: file.size for file in one.files} == {
        path.removeprefix("my-skill/"): len(data) for path, data in files.items()
    }
    assert [file.path for file in one.files if file.executable] == ["run.sh"]
    assert one.files[0].path == "SKILL.md"


async def test_files_of_a_large_skill_are_read_where_they_lie(api: SkillsApi) -> None:
    noise, text = os.urandom(6 * MEGABYTE), b"0123456789" * 300_000
    files = {"my-skill/SKILL.md": skill_md(), "my-skill/noise": noise, "my-skill/ü.txt": text, "my-skill/z": b"z"}
    skill = await api.create(files)
    (one,) = await mounted(api, custom(skill["id"]))
    found = {file.path: await content(file) for file in one.files}
    assert found == {path.removeprefix("my-skill/"): data for path, data in files.items()}


async def test_versions_are_named_by_id_by_number_or_as_latest(api: SkillsApi) -> None:
    skill = await api.create()
    first = await api.get(f"/{skill['id']}/versions/latest")
    second = await api.add(skill["id"], {"my-skill/SKILL.md": skill_md(description="Newer.")}, betas=OLD)
    for version, shown in (
        *((None, "Newer."), ("latest", "Newer."), (second["id"], "Newer."), (second["version"], "Newer.")),
        (first["id"], "Does a thing."),
    ):
        (one,) = await mounted(api, custom(skill["id"], version))
        assert one.description == shown
        assert one.number.isdigit()
    await api.ask("DELETE", f"/v1/skills/{skill['id']}/versions/{second['id']}")
    (one,) = await mounted(api, custom(skill["id"]))
    assert one.version == first["id"]


async def test_they_come_in_the_order_that_they_were_asked_for(api: SkillsApi) -> None:
    skill = await api.create()
    found = await mounted(api, anthropic("xlsx"), custom(skill["id"]), anthropic("pdf", "20251013"))
    assert [one.skill_id for one in found] == ["xlsx", skill["id"], "pdf"]
    assert [one.type for one in found] == ["anthropic", "custom", "anthropic"]
    for one in found:
        for file in one.files:
            assert len(await content(file)) == file.size
    assert await mounted(api) == []


async def test_what_there_is_not_is_refused_by_its_place(api: SkillsApi) -> None:
    skill, other = await api.create(), await api.create()
    assert await refusal(api, anthropic("xlsx"), custom(RANDOM)) == f"container.skills.1: Skill `{RANDOM}` not found."
    for wanted in (
        *(custom("xlsx"), anthropic(skill["id"]), anthropic("doc"), anthropic("xlsx", "20251014")),
        *(custom(skill["id"], "skver_x"), custom(skill["id"], "17"), custom(skill["id"], "9" * 60)),
        *(custom(skill["id"], other["latest_version_id"]), {"type": "other", "skill_id": "xlsx"}),
    ):
        assert (await refusal(api, wanted)).startswith("container.skills.0: Skill `")


async def test_a_skill_of_another_workspace_is_as_unknown_as_none(api: SkillsApi) -> None:
    foreign = await api.create(key="b")
    told = {
        (await refusal(api, custom(skill_id, version))).replace(skill_id, "ID")
        for skill_id in (foreign["id"], RANDOM)
        for version in (None, "latest")
    }
    assert told == {"container.skills.0: Skill `ID` not found."}
    assert await mounted(api, custom(foreign["id"]), owner=B)


async def test_two_of_one_name_have_no_place_beside_each_other(api: SkillsApi) -> None:
    skill, other = await api.create(), await api.create()
    assert "given already" in await refusal(api, custom(skill["id"]), custom(other["id"]))
    assert "given already" in await refusal(api, anthropic("pdf"), anthropic("pdf"))
    pdf = await api.create({"pdf/SKILL.md": skill_md("pdf")})
    assert "given already" in await refusal(api, anthropic("pdf"), custom(pdf["id"]))


async def test_twenty_are_taken_and_one_more_is_not(api: SkillsApi) -> None:
    made = [(await api.create({"SKILL.md": skill_md(f"skill-{number}")}))["id"] for number in range(21)]
    assert len(await mounted(api, *map(custom, made[:20]))) == 20
    assert "at most 20" in await refusal(api, *map(custom, made))


async def test_a_version_deleted_while_it_is_mounted_is_told(api: SkillsApi) -> None:
    skill = await api.create()
    (one,) = await mounted(api, custom(skill["id"]))
    await api.ask("DELETE", f"/v1/skills/{skill['id']}")
    with pytest.raises(ApiError) as caught:
        await content(one.files[0])
    assert (caught.value.status, "was deleted" in caught.value.message) == (400, True)
    assert "not found" in await refusal(api, custom(skill["id"]))
    # What was read before goes on.
    kept = await api.create()
    (one,) = await mounted(api, custom(kept["id"]))
    first = await content(one.files[0])
    await api.ask("DELETE", f"/v1/skills/{kept['id']}")
    assert await content(one.files[0]) == first
    assert [f"my-skill/{file.path}" for file in one.files] == list(SKILL)
