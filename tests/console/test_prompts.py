from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select

from installations import installation
from understudy.console.prompts import service
from understudy.console.prompts.service import Prompts
from understudy.console.tables import console_evaluations, console_prompt_versions, console_prompts
from understudy.http.principal import Principal, WorkspaceGrant
from understudy.organization.pages import Cursors
from understudy.organization.service import Organizations
from understudy.organization.store import Actor, Store
from understudy.wire.errors import InvalidRequestError, NotFoundError

from .browser import CONSOLE
from .conftest import Console

PROMPTS = CONSOLE + "/prompts"
REQUEST: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 64,
    "messages": [{"role": "user", "content": "Hello {{name}} \u0000 <script>"}],
}
ACTOR = Actor("user", "user_01ada")


def _nested(times: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(times):
        value = {"a": value}
    return value


def _caller(organization_id: str, workspace_id: str) -> Principal:
    grants = {workspace_id: WorkspaceGrant()}
    return Principal(organization_id, workspace_id, None, actor_id="user_01ada", workspaces=grants)


@pytest.mark.each_database
async def test_versions_are_numbered_and_stay_as_they_are(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        there = await Organizations(db, root).ensure_installation()
        prompts, caller = Prompts(Store(db), Cursors(root)), _caller(there.organization_id, there.workspace_id)
        made = await prompts.create(caller, ACTOR, {"name": "Greeting", "request": REQUEST})
        assert (made["latest_version"], made["created_by"], made["type"]) == (1, "user_01ada", "prompt")
        id_ = made["id"]
        second = await prompts.add_version(
            caller, ACTOR, id_, {"request": {**REQUEST, "max_tokens": 5}, "variables": {"name": "Ada"}}
        )
        assert second["version"] == 2
        first = await prompts.version(caller, id_, "1")
        assert (first["request"], first["variables"]) == (REQUEST, {})
        assert (await prompts.version(caller, id_, "latest"))["variables"] == {"name": "Ada"}
        page = await prompts.versions(caller, id_, {"limit": 1})
        assert ([one["version"] for one in page["data"]], page["has_more"]) == ([2], True)
        page = await prompts.versions(caller, id_, {"limit": 1, "page": page["next_page"]})
        assert ([one["version"] for one in page["data"]], page["has_more"]) == ([1], False)
        assert "request" not in page["data"][0]
        assert (await prompts.rename(caller, ACTOR, id_, "Salutation"))["name"] == "Salutation"
        for number in ("0", "3", "-1", "x", "999999999999", "²"):
            with pytest.raises(NotFoundError):
                await prompts.version(caller, id_, number)
        await prompts.delete(caller, ACTOR, id_)
        with pytest.raises(NotFoundError):
            await prompts.retrieve(caller, id_)


@pytest.mark.each_database
async def test_an_evaluation_is_kept_as_it_was_last_put(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        there = await Organizations(db, root).ensure_installation()
        prompts, caller = Prompts(Store(db), Cursors(root)), _caller(there.organization_id, there.workspace_id)
        id_ = (await prompts.create(caller, ACTOR, {"name": "Evaluated"}))["id"]
        assert (await prompts.evaluation(caller, id_, "results"))["data"] == []
        cases = [{"id": "1", "variables": {"name": "Ada"}, "ideal": None}]
        results = [{"test_case_id": "1", "model": "m", "output": "Hi\u0000", "grade": 5}]
        await prompts.set_evaluation(caller, id_, "test_cases", cases)
        await prompts.set_evaluation(caller, id_, "results", results)
        assert (await prompts.evaluation(caller, id_, "test_cases"))["data"] == cases
        assert (await prompts.evaluation(caller, id_, "results"))["data"] == results
        await prompts.set_evaluation(caller, id_, "test_cases", [])
        assert (await prompts.evaluation(caller, id_, "test_cases"))["data"] == []
        assert (await prompts.evaluation(caller, id_, "results"))["data"] == results
        await prompts.delete(caller, ACTOR, id_)


@pytest.mark.each_database
async def test_an_evaluation_of_a_prompt_that_is_deleted_at_that_moment_finds_none(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        there = await Organizations(db, root).ensure_installation()
        prompts, caller = Prompts(Store(db), Cursors(root)), _caller(there.organization_id, there.workspace_id)
        id_ = (await prompts.create(caller, ACTOR, {"name": "Deleted"}))["id"]
        async with db.begin() as connection:
            await connection.execute(delete(console_prompts).where(console_prompts.c.id == id_))
            putting = asyncio.create_task(prompts.set_evaluation(caller, id_, "results", []))
            # It has come as far as it can before this is over.
            await asyncio.wait({putting}, timeout=0.3)
        with pytest.raises(NotFoundError):
            await putting


@pytest.mark.each_database
async def test_prompts_are_deleted_while_their_evaluations_are_put(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        there = await Organizations(db, root).ensure_installation()
        prompts, caller = Prompts(Store(db), Cursors(root)), _caller(there.organization_id, there.workspace_id)
        for _ in range(5):
            id_ = (await prompts.create(caller, ACTOR, {"name": "Deleted", "request": REQUEST}))["id"]
            puts = [prompts.set_evaluation(caller, id_, "results", []) for _ in range(8)]
            calls = [*puts[:4], prompts.delete(caller, ACTOR, id_), *puts[4:]]
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert all(isinstance(one, NotFoundError | dict) for one in results), results
            assert {"id": id_, "type": "prompt_deleted"} in results
        async with db.connect() as connection:
            for table in (console_prompts, console_prompt_versions, console_evaluations):
                assert (await connection.execute(select(table))).all() == []


@pytest.mark.each_database
async def test_there_are_so_many_prompts_and_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MOST_PROMPTS", 2)
    monkeypatch.setattr(service, "MOST_VERSIONS", 2)
    async with installation(tmp_path) as (db, root):
        there = await Organizations(db, root).ensure_installation()
        prompts, caller = Prompts(Store(db), Cursors(root)), _caller(there.organization_id, there.workspace_id)
        id_ = (await prompts.create(caller, ACTOR, {"name": "a", "request": REQUEST}))["id"]
        await prompts.create(caller, ACTOR, {"name": "b"})
        with pytest.raises(InvalidRequestError):
            await prompts.create(caller, ACTOR, {"name": "c"})
        await prompts.add_version(caller, ACTOR, id_, {"request": REQUEST})
        with pytest.raises(InvalidRequestError):
            await prompts.add_version(caller, ACTOR, id_, {"request": REQUEST})
        await prompts.delete(caller, ACTOR, id_)
        await prompts.create(caller, ACTOR, {"name": "c"})


def test_a_prompt_is_saved_and_listed_in_its_workspace(console: Console) -> None:
    person = console.person("developer")
    workspace = console.workspace("prompts", person)
    made = [
        person.ours("POST", f"{PROMPTS}?workspace_id={workspace}", {"name": f"P{number}", "request": REQUEST})
        for number in range(3)
    ]
    page = person.ours("GET", f"{PROMPTS}?workspace_id={workspace}&limit=2")
    following = person.ours("GET", f"{PROMPTS}?workspace_id={workspace}&limit=2&page={page['next_page']}")
    ids = [one["id"] for one in (*page["data"], *following["data"])]
    assert set(ids) == {one["id"] for one in made}
    assert (page["has_more"], following["has_more"], following["next_page"]) == (True, False, None)
    by_header = person.get(PROMPTS, **{"anthropic-workspace-id": workspace}).json()
    assert len(by_header["data"]) == 3
    one = made[0]["id"]
    cases = [{"id": "a", "variables": {"name": "=1+1"}, "ideal": "x"}, {"id": "b", "variables": {}}]
    assert person.ours("PUT", f"{PROMPTS}/{one}/test_cases", {"data": cases})["data"] == cases
    results = [{"test_case_id": "a", "model": "m", "output": "<b>", "grade": 3, "duration": 1, "version": 1}]
    assert person.ours("PUT", f"{PROMPTS}/{one}/results", {"data": results})["data"] == results
    assert person.ours("GET", f"{PROMPTS}/{one}/results")["data"] == results


def test_abuse_15_prompts_of_another_workspace_are_answered_as_none(console: Console) -> None:
    person, other = console.person("developer"), console.person("developer")
    mine, theirs = console.workspace("mine", person), console.workspace("theirs", other)
    made = other.ours("POST", f"{PROMPTS}?workspace_id={theirs}", {"name": "Theirs", "request": REQUEST})
    version = {"request": REQUEST}
    calls: list[tuple[str, str, Any]] = [
        ("GET", "", None),
        ("POST", "", {"name": "Mine"}),
        ("DELETE", "", None),
        ("GET", "/versions", None),
        ("GET", "/versions/1", None),
        ("GET", "/versions/latest", None),
        ("POST", "/versions", version),
        ("GET", "/test_cases", None),
        ("PUT", "/test_cases", {"data": []}),
        ("GET", "/results", None),
        ("PUT", "/results", {"data": []}),
    ]
    headers = {"anthropic-workspace-id": mine}
    for method, below, body in calls:
        answers = [
            person.call(method, f"{PROMPTS}/{id_}{below}", body, headers=headers)
            for id_ in (made["id"], "prompt_011CUnknown", "prompt_%00", "..")
        ]
        assert answers[0].status_code == 404, (method, below)
        assert answers[0].json()["error"] == answers[1].json()["error"]
        assert {answer.status_code for answer in answers[2:]} <= {404, 405, 400}
    assert person.call("GET", f"{PROMPTS}?workspace_id={theirs}").status_code == 403
    assert person.call("POST", f"{PROMPTS}?workspace_id={theirs}", {"name": "x"}).status_code == 403
    assert person.ours("GET", f"{PROMPTS}?workspace_id={mine}")["data"] == []
    # A place in one list is none in another.
    for number in range(2):
        other.ours("POST", f"{PROMPTS}?workspace_id={theirs}", {"name": f"{number}"})
    page = other.ours("GET", f"{PROMPTS}?workspace_id={theirs}&limit=1")["next_page"]
    assert person.call("GET", f"{PROMPTS}?workspace_id={mine}&page={page}").status_code == 400
    assert other.ours("GET", f"{PROMPTS}/{made['id']}")["name"] == "Theirs"


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("", {"name": ""}, "name"),
        ("", {"name": "a\u202e\nb"}, "name"),
        ("", {"name": "x", "other": 1}, "other"),
        ("", {"name": "x", "request": []}, "request"),
        ("", {"name": "x", "request": {"messages": "no"}}, "messages"),
        ("", {"name": "x", "request": _nested(300)}, "nested too deeply"),
        ("", {"name": "x", "request": {}, "variables": {"a": 1}}, "variables"),
        ("/test_cases", {"data": [{"id": "a", "variables": {}}] * 2}, "an id of its own"),
        ("/test_cases", {"data": [{"id": str(number), "variables": {}} for number in range(501)]}, "data"),
        ("/results", {"data": [{"test_case_id": "a", "model": "m", "grade": 6}]}, "grade"),
        ("/results", {"data": [{"test_case_id": "a", "model": "m", "grade": True}]}, "grade"),
    ],
)
def test_what_is_no_prompt_is_refused(console: Console, path: str, body: Any, says: str) -> None:
    id_ = console.owner.ours("POST", PROMPTS, {"name": "Refusing"})["id"]
    method = "PUT" if path else "POST"
    answer = console.owner.call(method, f"{PROMPTS}/{id_}{path}" if path else PROMPTS, body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]
    console.owner.call("DELETE", f"{PROMPTS}/{id_}")


def test_more_than_a_megabyte_of_test_cases_is_refused(console: Console) -> None:
    id_ = console.owner.ours("POST", PROMPTS, {"name": "Large"})["id"]
    cases = [{"id": str(number), "variables": {"text": "x" * 20_000}} for number in range(60)]
    assert console.owner.call("PUT", f"{PROMPTS}/{id_}/test_cases", {"data": cases}).status_code == 413


def test_making_and_deleting_a_prompt_stand_in_the_audit_log_without_what_it_says(console: Console) -> None:
    id_ = console.owner.ours("POST", PROMPTS, {"name": "Audited", "request": REQUEST})["id"]
    console.owner.ours("DELETE", f"{PROMPTS}/{id_}")
    log = console.owner.get("/_understudy/admin/audit_log?limit=5").text
    assert "prompt_created" in log
    assert "prompt_deleted" in log
    assert "{{name}}" not in log
