"""Abuse cases of the platform's list that are about files, and invariant 13."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from limits.limiters import Bench
from understudy.files.sources import FileSources
from understudy.wire.errors import NotFoundError

from .api import MEGABYTE, OLD, ORGANIZATION, FilesApi, Part, code_of, error_of, files_api

HTML = b"<script>alert(document.cookie)</script>"


@pytest.mark.parametrize("betas", [None, OLD])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("HEAD", ""), ("HEAD", "/content")]
)
async def test_invariant_13_a_foreign_id_is_answered_as_a_random_one(
    local: FilesApi, method: str, path: str, betas: str | None
) -> None:
    foreign = (await local.upload(type="text/plain", key="b"))["id"]
    random = "file_011C3jesTJ8wn21tkQ6hSm79"
    answers = [await local.ask(method, f"/v1/files/{name}{path}", betas=betas) for name in (foreign, random)]
    shown = [
        answer.body.replace(name.encode(), b"ID").replace(answer.headers["request-id"].encode(), b"REQ")
        for answer, name in zip(answers, (foreign, random), strict=True)
    ]
    assert [answer.status for answer in answers] == [404, 404]
    assert shown[0] == shown[1]
    assert answers[0].headers.keys() == answers[1].headers.keys()
    # It is still there for its own.
    assert (await local.ask("GET", f"/v1/files/{foreign}", key="b")).status == 200


async def test_invariant_13_lists_show_the_workspaces_own_files_only(local: FilesApi) -> None:
    own, foreign = (await local.upload())["id"], (await local.upload(key="b"))["id"]
    for query, betas in (("", None), (f"ids[]={own}&ids[]={foreign}", None), ("", OLD)):
        listed = (await local.ask("GET", "/v1/files", query=query, betas=betas)).json()["data"]
        assert [file["id"] for file in listed] == [own]


async def test_abuse_17_a_file_of_another_workspace_is_no_source_of_a_message(local: FilesApi) -> None:
    foreign = (await local.upload(key="b"))["id"]
    sources = FileSources(local.service)
    refusals: list[str] = []
    for file_id in (foreign, "file_011C3jesTJ8wn21tkQ6hSm79"):
        with pytest.raises(NotFoundError) as caught:
            await sources.resolve("wrkspc_a", file_id)
        refusals.append(caught.value.message.replace(file_id, "ID"))
    assert refusals == ["File `ID` not found."] * 2
    assert await (await sources.resolve("wrkspc_b", foreign)).read() == b"Example data"


@pytest.mark.parametrize("name", ['a%22; x="y.html', "evil.html", "%E2%80%AEgpj.exe", "'; drop--.html", "a;b=c.html"])
async def test_abuse_52_a_name_injects_neither_headers_nor_html(local: FilesApi, name: str) -> None:
    answer = await local.send(Part(HTML, filename=name, content_type="text/html"))
    if answer.status == 400:
        assert b"<script>" not in answer.body
        return
    file_id = answer.json()["id"]
    answer = await local.ask("GET", f"/v1/files/{file_id}/content")
    assert answer.body == HTML
    headers = answer.headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-disposition"].startswith('attachment; filename="')
    assert headers["content-disposition"].count('"') == 2
    assert "sandbox" in headers["content-security-policy"]
    assert not {character for value in headers.values() for character in value} & set("\r\n\0")


async def test_abuse_52_uploads_are_not_downloadable_by_default(data_dir: Path) -> None:
    async with files_api(data_dir, downloadable_uploads=False) as api:
        file_id = (await api.upload(HTML, "a.html"))["id"]
        answer = await api.ask("GET", f"/v1/files/{file_id}/content")
        assert (answer.status, code_of(answer)) == (400, "file_not_downloadable")
        assert HTML not in answer.body


@pytest.mark.each_database
async def test_abuse_53_the_organizations_quota_holds_against_uploads_at_once(tmp_path: Path) -> None:
    async with files_api(tmp_path, organization_bytes=5 * MEGABYTE + 1) as api:
        keys = "ab" * 10
        answers = await asyncio.gather(
            *(api.send(Part(b"x" * MEGABYTE, filename=f"{number}"), key=key) for number, key in enumerate(keys))
        )
        stored = [(answer, key) for answer, key in zip(answers, keys, strict=True) if answer.status == 200]
        refused = [answer for answer in answers if answer.status != 200]
        # Those that come in at once may refuse each other, but never is there room that stays empty afterwards.
        assert 1 <= len(stored) <= 5
        assert {(answer.status, code_of(answer)) for answer in refused} == {(400, "storage_quota_exceeded")}
        assert await api.used() == len(stored) * MEGABYTE
        assert len(await api.stored()) == len(stored)
        for _ in range(5 - len(stored)):
            answer = await api.send(Part(b"x" * MEGABYTE))
            assert answer.status == 200
            stored.append((answer, "a"))
        assert (await api.send(Part(b"x" * MEGABYTE))).status == 400
        assert (await api.send(Part(b"x"))).status == 200
        for answer, key in stored:
            assert (await api.ask("DELETE", f"/v1/files/{answer.json()['id']}", key=key)).status == 200
        assert await api.used() == 1
        assert await api.used("wrkspc_b") == 0


async def test_abuse_53_a_workspace_may_have_a_quota_of_its_own(data_dir: Path) -> None:
    async with files_api(data_dir, workspace_bytes=10) as api:
        await api.upload(b"x" * 10, key="a")
        answer = await api.send(Part(b"x"), key="a")
        assert (code_of(answer), "workspace" in error_of(answer)[2]) == ("storage_quota_exceeded", True)
        await api.upload(b"x" * 10, key="b")
        assert await api.used() == 20


async def test_abuse_53_bookings_at_the_last_moment_do_not_pass_the_quota(data_dir: Path) -> None:
    """What another server takes meanwhile is seen when the file is booked."""
    async with files_api(data_dir, organization_bytes=100) as one, files_api(data_dir, organization_bytes=100) as two:
        outcomes = await asyncio.gather(
            *(api.send(Part(b"x" * 30)) for _ in range(5) for api in (one, two)), return_exceptions=True
        )
        statuses = [answer.status for answer in outcomes if not isinstance(answer, BaseException)]
        assert len(statuses) == 10
        used = await one.used()
        assert used == 30 * statuses.count(200) <= 100
        assert len(await one.stored()) == statuses.count(200)


async def test_abuse_53_deleting_really_unlinks(api: FilesApi) -> None:
    file = await api.upload(b"secret" * 500_000)
    assert await api.stored() == [f"files/wrkspc_a/{file['id']}"]
    deleted = await api.ask("DELETE", f"/v1/files/{file['id']}")
    assert deleted.json() == {"id": file["id"], "type": "file_deleted"}
    await api.nothing_is_left()
    for path in ("", "/content"):
        assert error_of(await api.ask("GET", f"/v1/files/{file['id']}{path}"))[0] == 404
    assert (await api.ask("DELETE", f"/v1/files/{file['id']}")).status == 404
    assert await api.used(ORGANIZATION) == 0


async def test_abuse_53_what_is_deleted_twice_at_once_is_given_back_once(local: FilesApi) -> None:
    kept = await local.upload(b"x" * 7)
    file = await local.upload(b"x" * 100)
    answers = await asyncio.gather(*(local.ask("DELETE", f"/v1/files/{file['id']}") for _ in range(6)))
    assert sorted(answer.status for answer in answers) == [200, 404, 404, 404, 404, 404]
    assert await local.used() == kept["size_bytes"]


async def test_abuse_59_ids_are_not_read_as_sql_or_paths(local: FilesApi) -> None:
    await local.upload()
    for name in ("' OR '1'='1", "..", "%2e%2e", "file_%", "\0", "a" * 5_000):
        assert (await local.ask("GET", f"/v1/files/{name}")).status == 404
        assert (await local.ask("DELETE", f"/v1/files/{name}")).status == 404


async def test_abuse_31_files_have_a_rate_limit_of_their_own(data_dir: Path) -> None:
    bench = Bench(tier="tier_1")
    async with files_api(data_dir, limits=bench.limiter) as api:
        answers = [await api.ask("GET", "/v1/files") for _ in range(600)]
        statuses = [answer.status for answer in answers]
        allowed = statuses.count(200)
        assert 100 <= allowed < 600
        assert set(statuses[allowed:]) == {429}
        refused = answers[-1]
        assert error_of(refused)[1] == "rate_limit_error"
        assert int(refused.headers["retry-after"]) >= 1
        assert (await api.send(Part(b"x"))).status == 429
        bench.clock.wait(int(refused.headers["retry-after"]))
        assert (await api.ask("GET", "/v1/files")).status == 200
