"""Abuse cases 12 and 62, with a real browser, a real second site, and somebody who is signed in at the Console."""

from __future__ import annotations

import json
from collections.abc import Generator

import pytest
from playwright.sync_api import BrowserContext, expect

from .attacker import Attacker, attacker_site
from .site import OWNER, PASSWORD, REBOUND, Site, sign_in

FORMS = [
    ("/_understudy/admin/api_keys", {"name": "planted by a form"}),
    ("/_understudy/console/v1/organizations/workspaces", {"name": "planted by a form"}),
    ("/_understudy/console/password", {"current": PASSWORD, "new": "attacker attacker"}),
    ("/_understudy/console/session", {"email": "attacker@example.com", "password": PASSWORD}),
]
"""What a form of another site would send: JSON in disguise, which needs no permission of ours."""

READS = ["/_understudy/console/session", "/_understudy/admin/api_keys", "/_understudy/console/v1/models", "/v1/models"]


@pytest.fixture
def attacker() -> Generator[Attacker]:
    with attacker_site() as made:
        yield made


@pytest.fixture
def victim(site: Site) -> Generator[BrowserContext]:
    context = site.chromium.new_context(storage_state=site.owner)
    yield context
    context.close()


@pytest.mark.parametrize("where", ["same_site", "other_site"])
def test_abuse_12_a_form_of_another_site_changes_nothing(
    site: Site, victim: BrowserContext, attacker: Attacker, where: str
) -> None:
    before = _state(site)
    page = victim.new_page()
    for number, (path, body) in enumerate(FORMS):
        # The equals sign that a text/plain form puts between name and value goes into a string of the JSON.
        text = json.dumps({**body, "ignored": ""})[:-2]
        attacker.pages[f"/{number}"] = (
            f'<!doctype html><form method="post" enctype="text/plain" action="{site.server.url}{path}">'
            f"<input name='{text}' value='\"}}'></form><script>document.forms[0].submit()</script>"
        )
        with page.expect_response(lambda got, path=path: got.url.endswith(path)) as answered:
            page.goto(f"{getattr(attacker, where)}/{number}")
        assert answered.value.status in {401, 403, 415}, f"{path}: {answered.value.status}"
        assert answered.value.request.method == "POST"
        if where == "other_site":
            assert "cookie" not in answered.value.request.all_headers()
    assert _state(site) == before
    # Whoever was signed in still is, as who he was.
    page.goto(f"{site.server.url}/console/#/settings")
    expect(page.get_by_role("button", name="Account: Ada Example")).to_be_visible()


@pytest.mark.parametrize("where", ["same_site", "other_site"])
def test_abuse_62_a_script_of_another_site_reads_and_changes_nothing(
    site: Site, victim: BrowserContext, attacker: Attacker, where: str
) -> None:
    before = _state(site)
    page = victim.new_page()
    page.goto(getattr(attacker, where))
    for path in READS:
        for headers in ({}, {"anthropic-dangerous-direct-browser-access": "true", "anthropic-version": "2026-10-21"}):
            told = page.evaluate(_FETCH, [site.server.url + path, "GET", headers, None])
            assert told == "refused", f"{path}: {told}"
    for path, body in FORMS:
        assert page.evaluate(_FETCH, [site.server.url + path, "POST", {}, json.dumps(body)]) == "refused"
        asked = {"content-type": "application/json", "x-understudy-csrf": "x"}
        assert page.evaluate(_FETCH, [site.server.url + path, "POST", asked, json.dumps(body)]) == "refused"
    assert _state(site) == before


def test_abuse_62_the_open_api_is_open_to_keys_and_never_to_cookies(
    site: Site, victim: BrowserContext, attacker: Attacker
) -> None:
    page = victim.new_page()
    page.goto(attacker.other_site)
    opted = {
        "anthropic-dangerous-direct-browser-access": "true",
        "anthropic-version": "2026-10-21",
        "x-api-key": site.server.api_key,
    }
    url = f"{site.server.url}/v1/models"
    asked = (
        "([url, headers, credentials]) => fetch(url, { headers, credentials }).then((r) => r.status, () => 'refused')"
    )
    assert page.evaluate(asked, [url, opted, "omit"]) == 200
    assert page.evaluate(asked, [url, opted, "include"]) == "refused"


def test_abuse_62_a_name_that_was_made_to_lead_here_gets_nothing_of_the_console(
    site: Site, victim: BrowserContext
) -> None:
    """DNS rebinding: the page and the server then have one origin, and nothing but the Host gives it away."""
    page = victim.new_page()
    port = site.server.address[1]
    answered = page.goto(f"http://{REBOUND}:{port}/v1/models")
    assert answered is not None
    assert answered.status == 401
    for path in READS:
        status = page.evaluate("path => fetch(path, { credentials: 'include' }).then((r) => r.status)", path)
        assert status in {401, 403}, path
    body = {"email": OWNER, "password": PASSWORD}
    signed_in = page.evaluate(
        "body => fetch('/_understudy/console/session', { method: 'POST', body }).then((r) => r.status)",
        json.dumps(body),
    )
    assert signed_in == 403
    assert all(cookie.get("domain") != REBOUND for cookie in victim.cookies())


@pytest.mark.parametrize("where", ["same_site", "other_site"])
def test_abuse_12_another_site_neither_frames_the_console_nor_holds_its_window(
    site: Site, victim: BrowserContext, attacker: Attacker, where: str
) -> None:
    attacker.pages["/frame"] = f'<!doctype html><iframe src="{site.server.url}/console/"></iframe>'
    page = victim.new_page()
    page.goto(f"{getattr(attacker, where)}/frame")
    framed = page.frames[1]
    framed.wait_for_load_state()
    assert framed.locator("#app, main, nav").count() == 0
    page.goto(getattr(attacker, where))
    with page.expect_popup() as opened:
        page.evaluate("url => { window.held = window.open(url) }", f"{site.server.url}/console/#/settings")
    expect(opened.value.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    assert page.evaluate("window.held.closed"), "the opener still holds the Console's window"
    assert opened.value.evaluate("window.opener") is None


def test_abuse_12_a_session_that_another_site_planted_is_not_taken_up(
    site: Site, victim: BrowserContext, attacker: Attacker
) -> None:
    """Cookies know no ports: whoever serves another port of this host can set ours."""
    planted = "A" * 43
    victim.clear_cookies()
    page = victim.new_page()
    page.goto(attacker.same_site)
    page.evaluate("value => { document.cookie = `understudy_session=${value}; path=/` }", planted)
    assert _session(victim) == planted
    page.goto(f"{site.server.url}/console/#/settings")
    page.get_by_label("Email").fill(OWNER)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    assert _session(victim) != planted

    # What is there is not overwritten by a script, nor read.
    own = _session(victim)
    page.goto(attacker.same_site)
    page.evaluate("document.cookie = 'understudy_session=planted; path=/'")
    assert _session(victim) == own
    assert page.evaluate("document.cookie") == ""


def test_abuse_12_the_cookie_is_out_of_reach_and_over_after_signing_out(site: Site) -> None:
    who = site.person("developer")
    with site.visit("/settings", who=who) as page:
        expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
        (cookie,) = page.context.cookies()
        assert cookie.get("httpOnly") is True
        assert cookie.get("sameSite") == "Strict"
        assert page.evaluate("document.cookie") == ""
        kept = page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
        assert cookie.get("value", "-") not in kept + page.content()
        page.get_by_role("button", name="Account: ").click()
        page.get_by_role("menuitem", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in to the Console")).to_be_visible()
        # Whoever copied the cookie has nothing of it.
        page.context.add_cookies([cookie])  # pyright: ignore[reportArgumentType] -- what it gave it takes
        page.reload()
        expect(page.get_by_role("heading", name="Sign in to the Console")).to_be_visible()


def test_abuse_12_signing_in_gives_another_session_than_before(site: Site, victim: BrowserContext) -> None:
    before = _session(victim)
    sign_in(victim, site.server.url, "/session", {"email": OWNER, "password": PASSWORD})
    after = _session(victim)
    assert after != before
    site.owner = victim.storage_state()


_FETCH = """([url, method, headers, body]) =>
  fetch(url, { method, headers, body, credentials: 'include' }).then((r) => r.text(), () => 'refused')"""


def _session(context: BrowserContext) -> str:
    (value,) = (one.get("value", "") for one in context.cookies() if one.get("name") == "understudy_session")
    return value


def _state(site: Site) -> str:
    """All that the forms would change."""
    keys = site.api("GET", "/_understudy/admin/api_keys?limit=1000")["data"]
    workspaces = site.api("GET", "/v1/organizations/workspaces?limit=100")["data"]
    return json.dumps([[one["id"] for one in keys], [one["id"] for one in workspaces]])
