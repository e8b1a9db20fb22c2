"""Skills and versions: made, read, listed and deleted, in both shapes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from .api import OLD, RANDOM, SKILL, SkillsApi, form, message_of, skill_md, skills_api, unzipped, zipped

# --- the objects ---


async def test_a_new_skill_is_answered_in_todays_shape(api: SkillsApi) -> None:
    skill = await api.create()
    assert list(skill) == ["id", "created_at", "display_name", "latest_version_id", "source", "type", "updated_at"]
    assert skill["id"].startswith("skill_")
    assert skill["latest_version_id"].startswith("skver_")
    assert (skill["display_name"], skill["source"], skill["type"]) == ("my-skill", {"type": "custom"}, "skill")
    assert skill["created_at"] == skill["updated_at"]
    assert skill["created_at"].endswith("Z")
    assert await api.get(f"/{skill['id']}") == skill


async def test_its_version_is_answered_in_todays_shape(api: SkillsApi) -> None:
    skill = await api.create()
    version = await api.get(f"/{skill['id']}/versions/{skill['latest_version_id']}")
    assert list(version) == ["id", "created_at", "description", "name", "skill_id", "type"]
    assert (version["id"], version["skill_id"]) == (skill["latest_version_id"], skill["id"])
    assert (version["name"], version["description"]) == ("my-skill", "Does a thing.")
    assert version["type"] == "skill_version"
    assert await api.get(f"/{skill['id']}/versions/latest") == version


async def test_the_beta_of_old_gets_the_shapes_of_old(api: SkillsApi) -> None:
    skill = await api.create(betas=OLD, fields={"display_title": "My Skill"}, anthropic_version="2023-06-01")
    assert list(skill) == ["id", "created_at", "display_title", "latest_version", "source", "type", "updated_at"]
    assert (skill["display_title"], skill["source"]) == ("My Skill", "custom")
    assert len(skill["latest_version"]) == 16
    path = f"/{skill['id']}/versions/{skill['latest_version']}"
    version = await api.get(path, betas=OLD)
    assert list(version) == [
        *("id", "created_at", "description", "directory", "name", "skill_id", "type", "version"),
    ]
    assert (version["version"], version["directory"]) == (skill["latest_version"], "my-skill")
    assert (await api.get(f"/{skill['id']}"))["latest_version_id"] == version["id"]
    # A version is addressed by its number there, and by its id today.
    answer = await api.ask("GET", f"/v1/skills/{skill['id']}/versions/{version['id']}", betas=OLD)
    assert (answer.status, message_of(answer)) == (400, "Invalid version format")
    assert (await api.ask("GET", "/v1/skills" + path)).status == 404


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
async def test_without_the_beta_both_versions_get_todays_shape(api: SkillsApi, version: str) -> None:
    skill = await api.create(anthropic_version=version)
    assert "display_name" in skill
    assert set(await api.get(anthropic_version=version)) == {"data", "next_page"}
    assert set(await api.get(anthropic_version=version, betas=OLD)) == {"data", "has_more", "next_page"}


async def test_a_display_name_is_the_forms_or_the_skills(api: SkillsApi) -> None:
    assert (await api.create(fields={"display_name": "Geld ü €"}))["display_name"] == "Geld ü €"
    assert (await api.create(fields={"display_name": ""}))["display_name"] == "my-skill"
    # The name of old is none of today's fields, and what is unknown is passed over.
    assert (await api.create(fields={"display_title": "x", "other": "y"}))["display_name"] == "my-skill"
    assert (await api.create(fields={"display_name": "x" * 255}))["display_name"] == "x" * 255
    for bad in ("x" * 256, "a\nb"):
        status, message = await api.refused(SKILL, fields={"display_name": bad})
        assert (status, message.startswith("display_name: ")) == (400, True)


async def test_display_names_need_not_differ_but_display_titles_must(api: SkillsApi) -> None:
    await api.create(fields={"display_name": "One"})
    await api.create(fields={"display_name": "One"})
    refused = await api.refused(SKILL, betas=OLD, fields={"display_title": "One"})
    assert refused == (400, "Skill cannot reuse an existing display_title: One")
    await api.create(betas=OLD, fields={"display_title": "One"}, key="b")


# --- versions ---


async def test_a_new_version_is_the_latest(api: SkillsApi) -> None:
    skill = await api.create()
    first = skill["latest_version_id"]
    second = await api.add(skill["id"], {"my-skill/SKILL.md": skill_md(description="Does another.")})
    assert second["description"] == "Does another."
    now = await api.get(f"/{skill['id']}")
    assert now["latest_version_id"] == second["id"]
    assert now["updated_at"] > now["created_at"] == skill["created_at"]
    listed = (await api.get(f"/{skill['id']}/versions"))["data"]
    assert [version["id"] for version in listed] == [second["id"], first]
    assert (await api.get(f"/{skill['id']}/versions/latest"))["id"] == second["id"]


async def test_versions_keep_the_name_of_their_skill(api: SkillsApi) -> None:
    skill = await api.create()
    status, message = await api.refused(
        {"other/SKILL.md": skill_md("other")}, path=f"/v1/skills/{skill['id']}/versions"
    )
    assert (status, message) == (400, "The name 'other' in SKILL.md must match the name of the skill, 'my-skill'.")
    assert (await api.send(SKILL, f"/v1/skills/{RANDOM}/versions")).status == 404


async def test_the_latest_version_deleted_makes_the_one_before_it_the_latest(api: SkillsApi) -> None:
    skill = await api.create()
    second = await api.add(skill["id"])
    path = f"/v1/skills/{skill['id']}/versions/"
    deleted = await api.ask("DELETE", path + second["id"])
    assert deleted.json() == {"id": second["id"], "type": "skill_version_deleted"}
    assert (await api.get(f"/{skill['id']}"))["latest_version_id"] == skill["latest_version_id"]
    assert (await api.ask("DELETE", path + second["id"])).status == 404
    assert (await api.ask("DELETE", path + "latest")).status == 404
    # One is always left.
    refused = await api.ask("DELETE", path + skill["latest_version_id"])
    assert (refused.status, "only version" in message_of(refused)) == (400, True)
    assert len(await api.stored()) == 1


async def test_versions_made_at_once_all_stand(api: SkillsApi) -> None:
    skill = await api.create()
    made = await asyncio.gather(*(api.add(skill["id"], betas=OLD) for _ in range(6)))
    numbers = [int(version["version"]) for version in made]
    assert len(set(numbers)) == 6
    shown = await api.get(f"/{skill['id']}", betas=OLD)
    assert shown["latest_version"] == str(max(numbers))


# --- deleting ---


async def test_deleting_a_skill_deletes_its_versions_and_their_bytes(api: SkillsApi) -> None:
    skill = await api.create()
    await api.add(skill["id"])
    kept = await api.create()
    assert len(await api.stored()) == 3
    answer = await api.ask("DELETE", f"/v1/skills/{skill['id']}")
    assert answer.json() == {"id": skill["id"], "type": "skill_deleted"}
    assert await api.stored() == [f"skills/wrkspc_a/{kept['latest_version_id']}"]
    for path in ("", "/versions", "/versions/latest", "/versions/latest/content"):
        answer = await api.ask("GET", f"/v1/skills/{skill['id']}{path}")
        assert (answer.status, message_of(answer)) == (404, "Skill not found")
    assert (await api.ask("DELETE", f"/v1/skills/{skill['id']}")).status == 404


async def test_under_the_beta_versions_are_deleted_first(api: SkillsApi) -> None:
    skill = await api.create(betas=OLD)
    await api.add(skill["id"], betas=OLD)
    path = f"/v1/skills/{skill['id']}"
    refused = await api.ask("DELETE", path, betas=OLD)
    told = (400, "Cannot delete skill with existing versions. Delete all versions first.")
    assert (refused.status, message_of(refused)) == told
    for version in (await api.get(f"/{skill['id']}/versions", betas=OLD))["data"]:
        deleted = await api.ask("DELETE", f"{path}/versions/{version['version']}", betas=OLD)
        assert deleted.json() == {"id": version["version"], "type": "skill_version_deleted"}
    assert (await api.get(f"/{skill['id']}", betas=OLD))["latest_version"] is None
    assert await api.stored() == []
    # Where the rules of old left none, today's shape has a text all the same.
    assert (await api.get(f"/{skill['id']}"))["latest_version_id"] == ""
    assert (await api.ask("GET", f"{path}/versions/latest")).status == 404
    assert (await api.ask("DELETE", path, betas=OLD)).status == 200
    assert (await api.get(betas=OLD, query="source=custom"))["data"] == []


async def test_a_skill_deleted_many_times_at_once_is_deleted_once(api: SkillsApi) -> None:
    skill = await api.create()
    answers = await asyncio.gather(*(api.ask("DELETE", f"/v1/skills/{skill['id']}") for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200, *[404] * 5]
    assert await api.stored() == []


@pytest.mark.each_database
async def test_versions_that_come_while_their_skill_goes_leave_nothing(tmp_path: Path) -> None:
    async with skills_api(tmp_path) as api:
        skill = await api.create()
        path = f"/v1/skills/{skill['id']}"
        answers = await asyncio.gather(
            *(api.send(SKILL, f"{path}/versions") for _ in range(4)),
            api.ask("DELETE", path),
            *(api.send(SKILL, f"{path}/versions") for _ in range(4)),
        )
        assert {answer.status for answer in answers} <= {200, 404}
        assert (await api.ask("GET", path)).status == 404
        assert await api.stored() == []
        await api.create()


# --- lists ---


async def test_lists_go_on_from_page_to_page_and_end_with_what_is_prebuilt(api: SkillsApi) -> None:
    made = [(await api.create())["id"] for _ in range(5)]
    whole = [skill["id"] for skill in (await api.get())["data"]]
    assert whole == [*reversed(made), "xlsx", "pptx", "pdf", "docx"]
    for betas in (None, OLD):
        for limit in (1, 2, 3, 5, 7, 9, 10):
            found: list[str] = []
            page = ""
            while True:
                answer = await api.get(query=f"limit={limit}&page={page}", betas=betas)
                found += [skill["id"] for skill in answer["data"]]
                page = answer["next_page"]
                assert len(answer["data"]) == limit or page is None
                if betas:
                    assert answer["has_more"] is (page is not None)
                if page is None:
                    break
            assert found == whole


async def test_lists_are_filtered_by_source(api: SkillsApi) -> None:
    skill = await api.create()

    async def listed(source: str) -> list[str]:
        return [one["id"] for one in (await api.get(query=f"source={source}"))["data"]]

    assert await listed("custom") == [skill["id"]]
    assert await listed("anthropic") == ["xlsx", "pptx", "pdf", "docx"]
    assert await listed("plugin") == await listed("anthropic_example") == []
    first = await api.get(query="source=anthropic&limit=1")
    # A cursor is of its list.
    assert (await api.ask("GET", "/v1/skills", query=f"page={first['next_page']}")).status == 400
    for query in ("limit=0", "limit=1001", "limit=x", "page=page_x"):
        assert (await api.ask("GET", "/v1/skills", query=query)).status == 400


async def test_versions_are_listed_page_by_page(api: SkillsApi) -> None:
    skill = await api.create()
    made = [skill["latest_version_id"], *[(await api.add(skill["id"]))["id"] for _ in range(3)]]
    path, found, page = f"/{skill['id']}/versions", list[str](), ""
    while page is not None:
        answer = await api.get(path, query=f"limit=3&page={page}")
        found += [version["id"] for version in answer["data"]]
        page = answer["next_page"]
    assert found == made[::-1]
    other = await api.create()
    cursor = (await api.get(path, query="limit=1"))["next_page"]
    assert (await api.ask("GET", f"/v1/skills/{other['id']}/versions", query=f"page={cursor}")).status == 400


# --- downloading ---


async def test_a_download_is_a_zip_that_can_be_uploaded_again(api: SkillsApi) -> None:
    skill = await api.create()
    path = f"/v1/skills/{skill['id']}/versions/{skill['latest_version_id']}/content"
    answer = await api.ask("GET", path)
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == 'attachment; filename="my-skill.zip"'
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert unzipped(answer.body) == SKILL
    again = await api.create([(None, answer.body)])
    same = await api.ask("GET", f"/v1/skills/{again['id']}/versions/latest/content")
    # The same files are the same bytes.
    assert same.body == answer.body
    head = await api.ask("HEAD", path)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(answer.body)))


async def test_under_the_beta_a_download_is_addressed_by_the_number(api: SkillsApi) -> None:
    skill = await api.create(betas=OLD)
    path = f"/v1/skills/{skill['id']}/versions/{skill['latest_version']}/content"
    assert unzipped((await api.ask("GET", path, betas=OLD)).body) == SKILL


async def test_a_blob_that_was_taken_away_is_a_503_and_no_half_answer(api: SkillsApi) -> None:
    skill = await api.create()
    await api.service.blobs.delete(await api.stored())
    answer = await api.ask("GET", f"/v1/skills/{skill['id']}/versions/latest/content")
    assert answer.status == 503


# --- prebuilt ones ---


async def test_prebuilt_skills_are_read_only_and_of_everybody(api: SkillsApi) -> None:
    for key in "ab":
        skill = await api.get("/pptx", key=key)
        assert (skill["source"], skill["latest_version_id"]) == ({"type": "anthropic"}, "20251013")
    old = await api.get("/pptx", betas=OLD)
    assert (old["source"], old["latest_version"]) == ("anthropic", "20251013")
    (version,) = (await api.get("/pptx/versions"))["data"]
    assert version == await api.get("/pptx/versions/20251013") == await api.get("/pptx/versions/latest")
    assert version["name"] == "pptx"
    assert (await api.get("/pptx/versions/20251013", betas=OLD))["directory"] == "pptx"
    content = await api.ask("GET", "/v1/skills/pptx/versions/20251013/content")
    assert unzipped(content.body)["pptx/SKILL.md"].startswith(b"---\nname: pptx\n")
    assert (await api.ask("GET", "/v1/skills/pptx/versions/20251014")).status == 404
    for method, path in (("DELETE", ""), ("DELETE", "/versions/20251013")):
        assert (await api.ask(method, "/v1/skills/pptx" + path)).status == 400
    assert (await api.send(SKILL, "/v1/skills/pptx/versions")).status == 400
    assert await api.stored() == []


# --- what is no upload ---


async def test_other_bodies_are_refused(api: SkillsApi) -> None:
    json = await api.ask("POST", "/v1/skills", body=b"{}", content_type="application/json")
    assert (json.status, message_of(json)) == (400, "content-type: must be multipart/form-data")
    for body in (b"", b"x" * 100_000, form(SKILL)[:-20]):
        answer = await api.ask("POST", "/v1/skills", body=body, content_type="multipart/form-data; boundary=a-boundary")
        assert answer.status == 400, body[:20]
    missing = await api.ask("POST", "/v1/skills", body=b"", content_type="multipart/form-data")
    assert missing.status == 400
    encoded = await api.ask(
        "POST", "/v1/skills", body=form(SKILL), content_type="multipart/form-data; boundary=x", content_encoding="gzip"
    )
    assert encoded.status == 400
    none = await api.refused({}, fields={"file": "x", "files": "y"})
    assert none == (400, "No files provided. Please provide files using 'files[]' field.")
    assert await api.stored() == []


async def test_an_upload_is_read_as_it_comes(api: SkillsApi) -> None:
    body = form([(None, zipped(SKILL))], {"display_name": "Slow"})
    answer = await api.ask(
        "POST",
        "/v1/skills",
        body=[body[place : place + 7] for place in range(0, len(body), 7)],
        content_type="multipart/form-data; boundary=a-boundary",
    )
    assert answer.json()["display_name"] == "Slow"
