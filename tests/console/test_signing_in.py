from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from installations import query
from servers import start_server

from .browser import CONSOLE, PASSWORD, Browser, token_of
from .conftest import OWNER, Console

Eventually = Callable[[Callable[[], bool]], None]


def test_abuse_14_the_first_link_makes_the_first_user_once(console: Console) -> None:
    shown = console.setup.json()
    assert (shown["user"]["email"], shown["user"]["role"], shown["password"]) == (OWNER, "primary_owner", True)
    assert "members:write" in shown["permissions"]
    (default,) = [one for one in shown["workspaces"] if one["is_default"]]
    assert (default["role"], "inference" in default["permissions"]) == ("workspace_admin", True)
    token = json.loads(console.setup.request.content)["token"]
    again = console.browser().claim(token, name="Mallory", email="mallory@example.com", password=PASSWORD)
    assert again.status_code == 400
    assert "not valid" in again.json()["error"]["message"]


def test_a_link_says_whose_it_is_and_sets_a_new_password(console: Console) -> None:
    person = console.person()
    email = person.session["user"]["email"]
    token = console.link(email)
    somewhere = console.browser()
    check = somewhere.ours("POST", CONSOLE + "/session/link/check", {"token": token})
    assert check == {"type": "console_link", "setup": False, "email": email}
    assert somewhere.claim(token, password="short").status_code == 400
    assert somewhere.claim(token, password="another good password").status_code == 200
    assert somewhere.claim(token, password="another good password").status_code == 400
    assert person.look()["signed_in"] is False, "a session from before the new password goes on"
    assert person.sign_in(email).status_code == 401
    assert person.sign_in(email, "another good password").status_code == 200


def test_the_page_is_told_what_there_is(console: Console) -> None:
    nobody = console.browser().look()
    assert nobody["signed_in"] is False
    # So that the page says it before the server refuses.
    assert nobody["min_password_length"] == console.owner.look()["min_password_length"] == 12
    assert nobody["setup"] is False
    assert nobody["oidc"] == {"name": "Example", "start": CONSOLE + "/oidc/start"}
    shown = console.owner.look()
    assert shown["features"] == {"bodies_kept": True, "limits_mode": "observe", "code_execution": True}
    assert console.owner.get(CONSOLE + "/session").headers["cache-control"] == "no-store"


def test_unknown_users_and_wrong_passwords_are_answered_alike_and_after_the_same_work(console: Console) -> None:
    answers: list[tuple[int, str, str]] = []
    spent: dict[str, float] = {}
    for email in (OWNER, "nobody@example.com"):
        taken: list[float] = []
        for _ in range(3):
            begun = time.perf_counter()
            answer = console.browser().sign_in(email, "not the password")
            taken.append(time.perf_counter() - begun)
            error = answer.json()["error"]
            answers.append((answer.status_code, error["type"], error["message"]))
        spent[email] = min(taken)
    assert len(set(answers)) == 1
    assert answers[0][0] == 401
    # Without the work of a hash an unknown user would be told ten times sooner.
    assert spent["nobody@example.com"] > spent[OWNER] / 3


def test_an_account_is_guarded_against_guessing_and_a_link_passes_by(tmp_path: Path) -> None:
    running = start_server(tmp_path)
    try:
        owner = Browser(running.url)
        ready = json.loads((tmp_path / "ready.json").read_bytes())
        assert owner.claim(token_of(ready["console_url"]), name="O", email=OWNER, password=PASSWORD).status_code == 200
        guessing = Browser(running.url)
        statuses = [guessing.sign_in(OWNER, f"guess {number}").status_code for number in range(12)]
        assert statuses[:10] == [401] * 10
        assert statuses[10:] == [429] * 2
        refused = guessing.sign_in(OWNER, PASSWORD)
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 300
        assert owner.look()["signed_in"] is True, "whoever is signed in stays so"
    finally:
        assert running.stop() == 0
    # Started again, with a link that is printed for an administrator since there is one.
    running = start_server(tmp_path)
    try:
        again = json.loads((tmp_path / "ready.json").read_bytes())
        assert owner.cookie is not None
        owner.http.base_url = running.url
        owner.url = running.url
        assert owner.look()["signed_in"] is True, "sessions outlive a restart"
        other = Browser(running.url)
        assert other.claim(token_of(again["console_url"])).status_code == 200
        assert other.session["user"]["email"] == OWNER
    finally:
        assert running.stop() == 0


def test_signing_out_ends_the_session_on_the_server(console: Console) -> None:
    person = console.person()
    cookie = person.cookie
    assert cookie is not None
    assert person.call("DELETE", CONSOLE + "/session").status_code == 204
    assert person.cookie is None
    stolen = console.browser()
    stolen.http.cookies.set("understudy_session", cookie)
    assert stolen.look()["signed_in"] is False
    assert stolen.get("/_understudy/admin/requests").status_code == 401


def test_a_new_password_ends_all_other_sessions(console: Console) -> None:
    person = console.person()
    email = person.session["user"]["email"]
    elsewhere = console.browser()
    assert elsewhere.sign_in(email).status_code == 200
    wrong = person.call("POST", CONSOLE + "/password", {"current": "no", "new": "a better password"})
    assert (wrong.status_code, wrong.json()["error"]["message"]) == (400, "current: The password is not right.")
    body = {"current": PASSWORD, "new": "a better password"}
    assert person.call("POST", CONSOLE + "/password", body).status_code == 204
    assert person.look()["signed_in"] is True
    assert elsewhere.look()["signed_in"] is False


def test_a_removed_user_is_out_and_a_new_role_acts_within_a_second(console: Console, eventually: Eventually) -> None:
    person = console.person("developer")
    user_id = person.session["user"]["id"]
    assert person.get("/_understudy/admin/spend").status_code == 403
    console.owner.ours("POST", CONSOLE + f"/v1/organizations/users/{user_id}", {"role": "billing"})
    eventually(lambda: person.get("/_understudy/admin/spend").status_code == 200)
    assert console.owner.call("DELETE", CONSOLE + f"/v1/organizations/users/{user_id}").status_code == 200
    eventually(lambda: person.get("/_understudy/admin/spend").status_code == 401)
    assert person.look()["signed_in"] is False


def test_the_admin_api_signs_a_user_out_everywhere(console: Console, eventually: Eventually) -> None:
    person = console.person("developer")
    path = CONSOLE + f"/v1/organizations/users/{person.session['user']['id']}/sign_out"
    headers = {"anthropic-beta": "admin-user-sign-out-2026-10-08"}
    assert console.owner.call("POST", path, headers=headers).status_code == 200
    eventually(lambda: person.look()["signed_in"] is False)


def test_an_invite_is_accepted_once_and_not_without_a_password(console: Console) -> None:
    made = console.owner.ours(
        "POST", CONSOLE + "/v1/organizations/invites", {"email": "once@example.com", "role": "user"}
    )
    token = console.owner.ours("GET", f"/_understudy/admin/invites/{made['id']}/token")["token"]
    browser = console.browser()
    assert browser.accept(token, "Once", "short").status_code == 400
    assert browser.accept(token, "Once").status_code == 200
    assert browser.session["user"]["role"] == "user"
    assert console.browser().accept(token, "Twice").status_code == 400


def test_signing_in_stands_in_the_audit_log_with_who_and_how(console: Console) -> None:
    person = console.person("developer")
    entries = console.owner.ours("GET", "/_understudy/admin/audit_log?limit=20")["data"]
    user_id = person.session["user"]["id"]
    mine = [one for one in entries if one["object"]["id"] == user_id] if "object" in entries[0] else entries
    actions = {(one["action"], (one.get("actor") or {}).get("id")) for one in mine}
    assert ("user_signed_in", user_id) in actions
    assert ("user_password_set", user_id) in actions


def test_abuse_01_no_secret_of_a_session_link_or_password_is_in_the_database(console: Console) -> None:
    person = console.person()
    token = console.link(person.session["user"]["email"])
    content = b"".join(path.read_bytes() for path in console.server.data_dir.glob("understudy.db*"))
    assert person.cookie is not None
    for secret in (person.cookie, token, person.csrf, PASSWORD):
        assert secret.encode() not in content
    (stored,) = query(console.server.data_dir, "SELECT hash FROM console_passwords LIMIT 1")
    assert str(stored[0]).startswith("$argon2id$")


@pytest.mark.parametrize(
    "body", [None, [], {}, {"email": OWNER}, {"email": 1, "password": "x"}, {"email": "\0", "password": "\ud800"}]
)
def test_what_is_no_sign_in_is_refused(console: Console, body: object) -> None:
    content = json.dumps(body).encode()
    headers = {"content-type": "application/json", "origin": console.server.url}
    answer = console.browser().http.post(CONSOLE + "/session", content=content, headers=headers)
    assert answer.status_code in {400, 401}
    assert answer.json()["request_id"] == answer.headers["request-id"]
