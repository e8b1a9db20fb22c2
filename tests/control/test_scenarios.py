"""The routes under /_understudy/scenarios, of a real server."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import httpx
import pytest

from servers import RunningServer, start_server

PATH = "/_understudy/scenarios"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    server = start_server(tmp_path_factory.mktemp("scenarios"))
    yield server
    assert server.stop() == 0, server.printed()


@pytest.fixture
def admin(running: RunningServer) -> Generator[httpx.Client]:
    with httpx.Client(base_url=running.url, headers={"x-api-key": running.admin_key}, trust_env=False) as client:
        client.delete(PATH).raise_for_status()
        yield client
        client.delete(PATH).raise_for_status()


def ask(running: RunningServer, text: str = "Hello", **more: Any) -> httpx.Response:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 50, "messages": [{"role": "user", "content": text}], **more}
    headers = {"x-api-key": running.api_key, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{running.url}/v1/messages", json=body, headers=headers, trust_env=False)


def text_of(answer: httpx.Response) -> str:
    return answer.json()["content"][0]["text"]


def test_a_scenario_is_loaded_shown_and_forgotten(running: RunningServer, admin: httpx.Client) -> None:
    loaded = admin.post(PATH, json={"rules": [{"name": "hi", "times": 2, "answer": "scripted"}]})
    assert loaded.status_code == 200
    assert text_of(ask(running)) == "scripted"
    shown = admin.get(PATH).json()
    assert shown["active"] is True
    assert shown["rules"] == [{"name": "hi", "used": 1, "used_up": False, "times": 2, "answer": [{"text": "scripted"}]}]
    assert admin.delete(PATH).json() == {"type": "scenarios_reset"}
    assert admin.get(PATH).json()["active"] is False
    assert text_of(ask(running)) != "scripted"


def test_a_scenario_replaces_the_last_one_or_is_added_to_it(running: RunningServer, admin: httpx.Client) -> None:
    admin.post(PATH, json={"rules": [{"times": 1, "answer": "one"}]})
    admin.post(PATH, json={"mode": "append", "rules": [{"times": 1, "answer": "two"}]})
    assert [text_of(ask(running)), text_of(ask(running))] == ["one", "two"]
    admin.post(PATH, json={"rules": [{"answer": "three"}]})
    assert text_of(ask(running)) == "three"
    assert len(admin.get(PATH).json()["rules"]) == 1


def test_who_loaded_a_scenario_and_who_forgot_it_stands_in_the_audit_log(admin: httpx.Client) -> None:
    scenario = {"mode": "append", "ids": "deterministic", "rules": [{"answer": "one"}, {"answer": "two"}]}
    answers = admin.post(PATH, json=scenario), admin.post(PATH, json={"rules": [{"answer": 7}]}), admin.delete(PATH)
    assert [answer.status_code for answer in answers] == [200, 400, 200]
    reset, loaded = admin.get("/_understudy/admin/audit_log", params={"limit": 2}).json()["data"]
    assert (reset["action"], reset["after"]) == ("scenarios_reset", None)
    assert (loaded["action"], loaded["after"]) == (
        "scenarios_loaded",
        {"mode": "append", "ids": "deterministic", "rules": 2},
    )
    for entry, answer in ((loaded, answers[0]), (reset, answers[2])):
        assert entry["object"] == {"type": "scenarios", "id": "scenarios"}
        assert entry["actor"]["type"] == "admin_key"
        assert entry["request_id"] == answer.headers["request-id"]


def test_counted_ids_that_begin_anew_stand_in_nobodys_way(admin: httpx.Client) -> None:
    counted = {"ids": "deterministic", "rules": []}
    answers: list[httpx.Response] = []
    for _ in range(2):
        answers += [admin.post(PATH, json=counted), admin.post(PATH, json=counted), admin.delete(PATH)]
    assert [answer.status_code for answer in answers] == [200] * len(answers)


def test_received_requests_are_shown_only_while_a_scenario_is_loaded(
    running: RunningServer, admin: httpx.Client
) -> None:
    ask(running, "before")
    admin.post(PATH, json={})
    ask(running, "one")
    ask(running, "two")
    shown = admin.get(f"{PATH}/requests").json()
    assert [one["body"]["messages"][0]["content"] for one in shown["data"]] == ["one", "two"]
    assert shown["has_more"] is False
    assert {one["headers"]["x-api-key"] for one in shown["data"]} == {"[removed]"}
    last = admin.get(f"{PATH}/requests", params={"limit": 1}).json()
    assert ([one["body"]["messages"][0]["content"] for one in last["data"]], last["has_more"]) == (["two"], True)
    admin.delete(PATH)
    assert admin.get(f"{PATH}/requests").json() == {"data": [], "has_more": False}


def test_faults_can_be_switched_on(running: RunningServer, admin: httpx.Client) -> None:
    admin.post(PATH, json={"faults": {"each": [{"probability": 1, "error": {"status": 529}}]}})
    answer = ask(running)
    assert (answer.status_code, answer.json()["error"]["type"]) == (529, "overloaded_error")
    assert answer.headers["x-should-retry"] == "true"
    assert answer.headers["request-id"] == answer.json()["request_id"]


def test_what_is_wrong_with_a_scenario_is_told(admin: httpx.Client) -> None:
    answer = admin.post(PATH, json={"rules": [{"answr": "x"}]})
    assert answer.status_code == 400
    assert answer.json()["error"] == {
        "type": "invalid_request_error",
        "message": "rules.0.answr: Extra inputs are not permitted",
    }
    assert admin.post(PATH, json=[]).json()["error"]["message"] == "A scenario is a JSON object."
    assert admin.post(PATH, json={"mode": "x"}).json()["error"]["message"] == "mode: must be replace or append"
    assert admin.get(f"{PATH}/requests", params={"limit": "0"}).status_code == 400
    assert admin.get(PATH).json()["active"] is False


@pytest.mark.parametrize(("method", "path"), [("POST", ""), ("GET", ""), ("DELETE", ""), ("GET", "/requests")])
def test_only_an_admin_key_opens_the_routes(running: RunningServer, method: str, path: str) -> None:
    def call(**headers: str) -> tuple[int, str]:
        answer = httpx.request(method, f"{running.url}{PATH}{path}", headers=headers, trust_env=False)
        return answer.status_code, answer.json()["error"]["type"]

    assert call() == (401, "authentication_error")
    assert call(**{"x-api-key": "wrong"}) == (401, "authentication_error")
    assert call(**{"x-api-key": running.api_key}) == (403, "permission_error")
    assert call(authorization=f"Bearer {running.api_key}") == (403, "permission_error")


def test_a_cut_connection_leaves_nothing_in_the_log(running: RunningServer, admin: httpx.Client) -> None:
    admin.post(PATH, json={"rules": [{"answer": {"fault": {"kind": "cut"}}}]})
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected without sending a response"):
        ask(running)
    admin.post(
        PATH, json={"rules": [{"answer": {"text": "a b c d e f g", "fault": {"kind": "cut", "after_events": 3}}}]}
    )
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
        ask(running, stream=True)
    printed = running.printed()
    assert "Traceback" not in printed
    assert "ASGI" not in printed


def test_a_scenario_file_is_loaded_at_the_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("file")
    file = directory / "scenario.toml"
    file.write_text('[[rules]]\nwhen.text_contains = "weather"\nanswer.text = "sunny"\n', "utf-8")
    server = start_server(directory, env={"UNDERSTUDY_SCENARIOS_FILE": str(file)})
    try:
        assert text_of(ask(server, "the weather?")) == "sunny"
        assert text_of(ask(server, "Say 'x'")) == "x"
    finally:
        server.kill()
