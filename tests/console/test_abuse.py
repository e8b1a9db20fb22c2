"""Abuse cases 12 and 62 of the Console, as far as the server can show them: cookies, CSRF, fixation, Host, Origin."""

from __future__ import annotations

import httpx
import pytest

from .browser import CONSOLE, Browser
from .conftest import OWNER, Console

MESSAGE = {"model": "claude-sonnet-5-5", "max_tokens": 16, "messages": [{"role": "user", "content": "Hi"}]}

CHANGES = [
    ("POST", CONSOLE + "/v1/messages", MESSAGE),
    ("POST", CONSOLE + "/v1/organizations/workspaces", {"name": "theirs"}),
    ("POST", "/_understudy/admin/api_keys", {"name": "theirs"}),
    ("POST", "/_understudy/admin/limits/tier", {"tier": None}),
    ("POST", "/_understudy/admin/credit", {"amount": "1"}),
    ("DELETE", "/_understudy/admin/engines/simulator", None),
    ("POST", CONSOLE + "/prompts", {"name": "theirs"}),
    ("POST", CONSOLE + "/password", {"current": "x", "new": "y"}),
    ("DELETE", CONSOLE + "/session", None),
]
READS = [
    CONSOLE + "/session",
    CONSOLE + "/v1/models",
    CONSOLE + "/prompts",
    "/_understudy/admin/requests",
    "/_understudy/admin/requests.csv",
    "/_understudy/admin/limits",
]


def test_abuse_12_the_cookie_is_read_by_no_script_and_sent_by_no_other_site(console: Console) -> None:
    set_cookie = console.setup.headers["set-cookie"]
    parts = [part.strip() for part in set_cookie.split(";")]
    assert parts[0].startswith("understudy_session=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(parts)
    assert not any(part.startswith("Domain") for part in parts)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_abuse_12_no_change_without_the_sessions_own_token(
    console: Console, method: str, path: str, body: object
) -> None:
    person = console.person("developer")
    for headers in ({}, {"x-understudy-csrf": ""}, {"x-understudy-csrf": console.owner.csrf}):
        answer = person.call(method, path, body, headers=headers, csrf=False)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error"), path
        assert "x-understudy-csrf" in answer.json()["error"]["message"]
    assert person.look()["signed_in"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "not an origin"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_abuse_62_other_origins_are_refused_even_with_cookie_and_token(
    console: Console, method: str, headers: dict[str, str]
) -> None:
    for path in READS if method == "GET" else [CONSOLE + "/v1/messages", CONSOLE + "/session"]:
        answer = console.owner.call(method, path, None if method == "GET" else MESSAGE, headers=headers)
        assert answer.status_code == 403, f"{path}: {answer.text}"
        assert not any(name.startswith("access-control-") for name in answer.headers)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8484", "127.0.0.1.evil.example", "localhost.evil.example", "", "a b", "[::1"]
)
def test_abuse_62_a_name_that_was_made_to_lead_here_is_refused(console: Console, host: str) -> None:
    for path in READS:
        answer = console.owner.http.get(path, headers={"host": host, "anthropic-version": "2026-10-21"})
        assert answer.status_code in {400, 403}, path
        assert "evil" not in answer.text
    signing_in = console.owner.http.post(
        CONSOLE + "/session", json={"email": OWNER, "password": "x"}, headers={"host": host}
    )
    assert signing_in.status_code in {400, 403}


@pytest.mark.parametrize("host", ["localhost", "localhost:9", "console.example.com", "[::1]:8484", "127.0.0.1"])
def test_names_of_ours_are_served(console: Console, host: str) -> None:
    answer = console.owner.http.get(CONSOLE + "/session", headers={"host": host, "origin": f"http://{host}"})
    assert answer.status_code == 200


def test_abuse_62_preflights_are_not_granted_and_the_opt_in_of_the_api_opens_nothing(console: Console) -> None:
    asked = {
        "origin": "https://evil.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "anthropic-dangerous-direct-browser-access,x-understudy-csrf",
    }
    for path in (CONSOLE + "/v1/messages", CONSOLE + "/session", "/_understudy/admin/api_keys"):
        answer = console.owner.http.options(path, headers=asked)
        assert answer.status_code in {404, 405}, path
        assert not any(name.startswith("access-control-") for name in answer.headers)
    headers = {"origin": "https://evil.example", "anthropic-dangerous-direct-browser-access": "true"}
    answer = console.owner.call("POST", CONSOLE + "/v1/messages", MESSAGE, headers=headers)
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers


def test_abuse_62_the_session_opens_nothing_on_the_open_api(console: Console) -> None:
    for path in ("/v1/models", "/v1/organizations/users", "/_understudy/scenarios"):
        assert console.owner.get(path).status_code == 401, path


def test_abuse_12_a_session_that_somebody_planted_is_not_taken_up(console: Console) -> None:
    person = console.person()
    email = person.session["user"]["email"]
    planted = "A" * 43
    victim = console.browser()
    victim.http.cookies.set("understudy_session", planted)
    assert victim.call("POST", CONSOLE + "/session", {"email": email, "password": "x"}).status_code == 401
    victim.http.cookies.clear()
    victim.http.cookies.set("understudy_session", planted, domain="127.0.0.1", path="/")
    assert victim.sign_in(email).status_code == 200
    values = {cookie.value for cookie in victim.http.cookies.jar if cookie.name == "understudy_session"}
    fresh = values - {planted}
    assert len(fresh) == 1
    attacker = console.browser()
    attacker.http.cookies.set("understudy_session", planted)
    assert attacker.look()["signed_in"] is False
    assert person.cookie not in fresh


def test_abuse_12_signing_in_anew_ends_the_session_before(console: Console) -> None:
    person = console.person()
    before = person.cookie
    assert before is not None
    assert person.sign_in(person.session["user"]["email"]).status_code == 200
    assert person.cookie != before
    stolen = console.browser()
    stolen.http.cookies.set("understudy_session", before)
    assert stolen.look()["signed_in"] is False


def test_abuse_12_two_cookies_that_differ_are_nobodys(console: Console) -> None:
    both = f"understudy_session={console.owner.cookie}; understudy_session={'B' * 43}"
    with httpx.Client(base_url=console.server.url, trust_env=False) as client:
        answer = client.get(CONSOLE + "/session", headers={"cookie": both})
    assert answer.json()["signed_in"] is False


@pytest.mark.parametrize("cookie", ["x", "A" * 43, "A" * 5_000, "%00", "'; DROP TABLE users; --", "é"])
def test_cookies_that_are_no_session_are_nobodys(console: Console, cookie: str) -> None:
    with httpx.Client(base_url=console.server.url, trust_env=False) as client:
        answer = client.get(CONSOLE + "/session", headers=[(b"cookie", f"understudy_session={cookie}".encode())])
        assert (answer.status_code, answer.json()["signed_in"]) == (200, False)


def test_abuse_12_login_needs_the_pages_own_origin(console: Console) -> None:
    """Nobody signs others in as himself."""
    stranger = Browser(console.server.url)
    body = {"email": OWNER, "password": "correct horse battery"}
    for headers in ({"origin": "https://evil.example"}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}):
        answer = stranger.call("POST", CONSOLE + "/session", body, headers=headers)
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers
