from __future__ import annotations

from collections.abc import Generator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from organization.identity_provider import Signer

from .browser import CONSOLE, Browser
from .conftest import OWNER, Console
from .provider import Provider


@pytest.fixture
def provider(console: Console) -> Generator[Provider]:
    yield console.provider
    console.provider.person, console.provider.changes, console.provider.wrong_signer = {}, {}, None


def begin(browser: Browser) -> str:
    """Where the provider sends the browser back to."""
    answer = browser.get(CONSOLE + "/oidc/start")
    assert answer.status_code == 303, answer.text
    asked = parse_qs(urlsplit(answer.headers["location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert asked["response_type"] == ["code"]
    with httpx.Client(trust_env=False) as client:
        back = client.get(answer.headers["location"]).headers["location"]
    return back.removeprefix(browser.url)


def come_back(browser: Browser, place: str) -> httpx.Response:
    # As browsers come from another site's redirect.
    return browser.http.get(place, headers={"sec-fetch-site": "cross-site"})


def sign_in(browser: Browser) -> httpx.Response:
    return come_back(browser, begin(browser))


def test_a_user_with_a_verified_address_is_signed_in(console: Console, provider: Provider) -> None:
    provider.person = {"email": OWNER.upper(), "email_verified": True, "name": "Olga"}
    browser = console.browser()
    answer = sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/console/")
    set_cookies = answer.headers.get_list("set-cookie")
    assert any("understudy_session=" in one and "SameSite=Strict" in one for one in set_cookies)
    assert any("understudy_oidc=;" in one and "Max-Age=0" in one for one in set_cookies)
    assert browser.look()["user"]["email"] == OWNER


def test_an_invite_is_accepted_with_the_role_that_it_gives(console: Console, provider: Provider) -> None:
    email = "invited-sso@example.com"
    console.owner.ours("POST", CONSOLE + "/v1/organizations/invites", {"email": email, "role": "billing"})
    provider.person = {"email": email, "email_verified": True, "name": "Ines", "role": "admin", "groups": ["admin"]}
    browser = console.browser()
    assert sign_in(browser).headers["location"] == "/console/"
    shown = browser.look()
    assert (shown["user"]["role"], shown["user"]["name"], shown["password"]) == ("billing", "Ines", False)
    again = console.browser()
    assert sign_in(again).headers["location"] == "/console/"
    assert again.look()["user"]["id"] == shown["user"]["id"]


def test_nobody_else_is_made_a_user(console: Console, provider: Provider) -> None:
    provider.person = {"email": "stranger@example.com", "email_verified": True}
    browser = console.browser()
    answer = sign_in(browser)
    assert answer.headers["location"].startswith("/console/#/signin?error=sso_denied&request_id=req_")
    assert browser.look()["signed_in"] is False


@pytest.mark.parametrize(
    "changes",
    [
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"email": None},
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another-client"},
        {"azp": "another-client"},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1_000},
        {"iat": "soon"},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_for_this_sign_in_signs_nobody_in(
    console: Console, provider: Provider, changes: dict[str, Any]
) -> None:
    provider.person, provider.changes = {"email": OWNER, "email_verified": True}, changes
    browser = console.browser()
    answer = sign_in(browser)
    assert (answer.status_code, "error=sso_failed" in answer.headers["location"]) == (303, True)
    assert browser.look()["signed_in"] is False


def test_a_token_that_another_key_signed_signs_nobody_in(console: Console, provider: Provider) -> None:
    provider.person = {"email": OWNER, "email_verified": True}
    provider.wrong_signer = Signer.make("ES256", kid=provider.signer.kid)
    assert "sso_failed" in sign_in(console.browser()).headers["location"]


def test_abuse_12_nobody_finishes_what_another_browser_began(console: Console, provider: Provider) -> None:
    provider.person = {"email": OWNER, "email_verified": True}
    attacker, victim = console.browser(), console.browser()
    place = begin(attacker)
    assert "sso_failed" in come_back(victim, place).headers["location"]
    begin(victim)
    assert "sso_failed" in come_back(victim, place).headers["location"], "the state is the attacker's"
    assert victim.look()["signed_in"] is False


@pytest.mark.parametrize(
    "query", ["", "?code=x", "?state=x", "?code=&state=", "?error=access_denied&state=x", "?" + "code=x&" * 60]
)
def test_coming_back_with_nothing_signs_nobody_in(console: Console, query: str) -> None:
    answer = come_back(console.browser(), CONSOLE + "/oidc/callback" + query)
    assert "sso_failed" in answer.headers["location"]


def test_a_sealed_cookie_that_was_changed_is_none(console: Console, provider: Provider) -> None:
    provider.person = {"email": OWNER, "email_verified": True}
    browser = console.browser()
    place = begin(browser)
    sealed = browser.http.cookies.get("understudy_oidc")
    assert sealed is not None
    browser.http.cookies.clear()
    browser.http.cookies.set("understudy_oidc", sealed[:-1] + ("0" if sealed[-1] != "0" else "1"))
    assert "sso_failed" in come_back(browser, place).headers["location"]


def test_abuse_62_the_way_back_is_not_made_of_a_strange_host(console: Console) -> None:
    answer = console.browser().http.get(CONSOLE + "/oidc/start", headers={"host": "evil.example"})
    assert answer.status_code == 403
