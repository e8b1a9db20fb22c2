from __future__ import annotations

import time
from collections.abc import Callable

import anthropic
import pytest

from .browser import CONSOLE, Browser
from .conftest import Console

MESSAGE = {"model": "claude-sonnet-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}


def _sdk(browser: Browser, **headers: str) -> anthropic.Anthropic:
    cookie = f"understudy_session={browser.cookie}"
    return anthropic.Anthropic(
        api_key="console",
        base_url=browser.url + CONSOLE,
        max_retries=0,
        default_headers={"cookie": cookie, "x-understudy-csrf": browser.csrf, **headers},
    )


def _logged(console: Console, request_id: str) -> dict[str, object]:
    deadline = time.monotonic() + 10
    while True:
        found = console.owner.ours("GET", f"/_understudy/admin/requests?request_id={request_id}")["data"]
        if found:
            return found[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_the_sdk_talks_to_the_api_as_whoever_is_signed_in(console: Console) -> None:
    person = console.person("developer")
    workspace = console.workspace("reentry", person)
    sdk = _sdk(person, **{"anthropic-workspace-id": workspace})
    raw = sdk.messages.with_raw_response.create(**MESSAGE)  # type: ignore[arg-type]
    assert raw.headers["anthropic-workspace-id"] == workspace
    row = _logged(console, raw.headers["request-id"])
    assert (row["path"], row["api_key_id"], row["actor_id"], row["workspace_id"]) == (
        "/v1/messages",
        None,
        person.session["user"]["id"],
        workspace,
    )
    with sdk.messages.stream(**MESSAGE) as stream:  # type: ignore[arg-type]
        assert stream.get_final_message().stop_reason
    assert sdk.messages.count_tokens(model=MESSAGE["model"], messages=MESSAGE["messages"]).input_tokens > 0  # type: ignore[arg-type]
    assert sdk.models.list().data
    file = sdk.beta.files.upload(file=("a.txt", b"text", "text/plain"))
    assert [one.id for one in sdk.beta.files.list()] == [file.id]


def test_a_batch_and_its_results_are_reached_the_same_way(console: Console) -> None:
    sdk = _sdk(console.owner)
    batch = sdk.messages.batches.create(requests=[{"custom_id": "one", "params": MESSAGE}])  # type: ignore[typeddict-item]
    deadline = time.monotonic() + 30
    while batch.processing_status != "ended":
        assert time.monotonic() < deadline
        time.sleep(0.1)
        batch = sdk.messages.batches.retrieve(batch.id)
    assert batch.results_url is not None
    assert CONSOLE in batch.results_url
    assert [one.custom_id for one in sdk.messages.batches.results(batch.id)] == ["one"]


def test_keys_that_are_sent_along_are_ignored(console: Console) -> None:
    person = console.person("user")
    headers = {"x-api-key": console.server.admin_key, "authorization": f"Bearer {console.server.api_key}"}
    assert person.call("GET", CONSOLE + "/v1/organizations/users", headers=headers).status_code == 403
    assert console.browser().get(CONSOLE + "/v1/models", **headers).status_code == 401


def test_without_a_workspace_the_default_one_is_meant(console: Console) -> None:
    answer = console.owner.call("POST", CONSOLE + "/v1/messages", MESSAGE)
    (default,) = [one["id"] for one in console.owner.session["workspaces"] if one["is_default"]]
    assert (answer.status_code, answer.headers["anthropic-workspace-id"]) == (200, default)


@pytest.mark.parametrize("role", ["user", "billing", "claude_code_user"])
def test_who_may_not_develop_asks_no_model(console: Console, role: str) -> None:
    person = console.person(role)
    answer = person.call("POST", CONSOLE + "/v1/messages", MESSAGE)
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert "inference" in answer.json()["error"]["message"]


def test_abuse_15_another_workspace_is_answered_as_one_that_is_not_there(console: Console) -> None:
    person = console.person("developer")
    theirs = console.workspace("theirs")
    answers = [
        person.call("POST", CONSOLE + "/v1/messages", MESSAGE, headers={"anthropic-workspace-id": id_})
        for id_ in (theirs, "wrkspc_01unknown")
    ]
    assert [answer.status_code for answer in answers] == [403, 403]
    assert answers[0].json()["error"] == answers[1].json()["error"]


def test_unknown_paths_and_methods_are_answered_as_in_the_api(console: Console) -> None:
    assert console.owner.get(CONSOLE + "/v1/nothing").status_code == 404
    assert console.owner.call("DELETE", CONSOLE + "/v1/messages").status_code == 405
    assert console.owner.call("POST", CONSOLE + "/v1/messages", {}).status_code == 400


def test_a_membership_that_ends_ends_at_once(
    console: Console, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    person = console.person("developer")
    workspace = console.workspace("left", person)

    def status() -> int:
        return person.call(
            "POST", CONSOLE + "/v1/messages", MESSAGE, headers={"anthropic-workspace-id": workspace}
        ).status_code

    eventually(lambda: status() == 200)
    user_id = person.session["user"]["id"]
    path = f"{CONSOLE}/v1/organizations/workspaces/{workspace}/members/{user_id}"
    assert console.owner.call("DELETE", path).status_code == 200
    eventually(lambda: status() == 403)
