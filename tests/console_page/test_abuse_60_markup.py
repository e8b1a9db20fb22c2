"""Abuse case 60: whatever people, programs and models chose is shown as text.

No script of theirs runs, nothing is asked of another host, and the policy of the page has nothing to forbid.
"""

from __future__ import annotations

import re
import time
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Dialog, Page, expect

from .acting import SONNET, Given, answer, drop, run, scripted, select, write
from .attacker import Attacker, attacker_site
from .site import Site

IMAGE = "<img src=x onerror=caught('img')>"
HOSTILE = f"{IMAGE}\"'><svg onload=caught('svg')><script>caught('script')</script>"
FILE = "javascript'onerror='caught()' & {{x}}.svg"
"""Of what file names may have."""

OUTPUT = f"""# {IMAGE}

<script>caught('script')</script><iframe srcdoc="<script>parent.caught('frame')</script>"></iframe>
<style>body {{ background: url(ATTACKER/style) }}</style><a href="javascript:caught('anchor')">raw</a>
<form action="ATTACKER/form"><button formaction="javascript:caught('button')">go</button></form>

[plain](javascript:caught('link')) [coded](&#106;avascript:caught('coded')) [spaced](java\tscript:caught('spaced'))
[data](data:text/html,<script>caught('data')</script>) [blob](vbscript:caught('vb')) <javascript:caught('auto')>
![picture](ATTACKER/picture.png) ![x](x" onerror="caught('title')) [ref]

[ref]: javascript:caught('ref')

| a | b |
| - | - |
| {IMAGE} | `{IMAGE}` |

```html
{IMAGE}
```
"""


@dataclass
class Watched:
    """A page that would notice. `caught`: scripts that ran; `foreign`: addresses of others; `forbidden`: by policy."""

    site: Site
    page: Page
    attacker: Attacker
    caught: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])
    forbidden: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        context = self.page.context
        context.expose_function("caught", lambda what="?": self.caught.append(what))
        context.expose_function("forbidden", lambda what: self.forbidden.append(what))
        context.add_init_script(
            "addEventListener('securitypolicyviolation', (e) => forbidden(`${e.violatedDirective} ${e.blockedURI}`))"
        )
        context.on("request", lambda request: self._look(request.url))
        self.page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: Dialog) -> None:
        self.caught.append(dialog.message)
        dialog.dismiss()

    def _look(self, url: str) -> None:
        if not url.startswith((self.site.server.url + "/", "data:image/", "blob:")):
            self.foreign.append(url)

    def go(self, path: str) -> Page:
        self.page.goto("about:blank")
        self.page.goto(f"{self.site.server.url}/console/#{path}")
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        expect(self.page.locator("[aria-busy=true], .skeleton")).to_have_count(0)
        return self.page

    def expect_harmless(self) -> None:
        # What a broken image would start comes after the next frames.
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert self.caught == []
        assert [url for url in self.foreign if not url.startswith("about:")] == []
        assert self.forbidden == []
        assert self.attacker.asked == []
        assert self.page.locator("img[src='x'], [onerror], [onload], main iframe, main script, main style").count() == 0
        bad = "[...document.links].filter((a) => !/^(https?|mailto):/.test(a.protocol)).map((a) => a.outerHTML)"
        assert self.page.evaluate(bad) == []


@pytest.fixture(scope="module")
def attacker() -> Generator[Attacker]:
    with attacker_site() as made:
        yield made


@pytest.fixture(scope="module")
def watched(site: Site, attacker: Attacker) -> Generator[Watched]:
    context = site.chromium.new_context(storage_state=site.owner, viewport={"width": 1440, "height": 900})
    yield Watched(site, context.new_page(), attacker)
    context.close()


@pytest.fixture(scope="module")
def planted(site: Site, watched: Watched) -> dict[str, str]:
    """Hostile names of all that has one, by every way in that takes them; ids of what has a page of its own."""
    workspace = site.workspace(HOSTILE[:40])
    key = site.key(HOSTILE, workspace_id=workspace)["raw_key"]
    default = site.server.api_key
    site.api("POST", "/_understudy/admin/users", {"email": "mark@example.com", "name": HOSTILE, "role": "user"})
    site.api("POST", "/v1/organizations/invites", {"email": "up@example.com", "role": "user"})
    site.api("POST", "/v1/organizations/service_accounts", {"name": "markup", "description": HOSTILE})
    site.api("POST", "/_understudy/admin/credit", {"amount": "1", "note": HOSTILE})
    body = {"model": SONNET, "max_tokens": 32, "messages": [{"role": "user", "content": HOSTILE}]}
    with scripted(
        site, {"when": {"text_contains": "refuse me"}, "answer": {"error": {"status": 400, "message": HOSTILE}}}
    ):
        for content in (HOSTILE, "refuse me"):
            _send(site, "/v1/messages", default, {**body, "messages": [{"role": "user", "content": content}]})
        _send(site, "/v1/messages", default, {**body, "model": HOSTILE})
        batch = _send(site, "/v1/messages/batches", default, {"requests": [
            {"custom_id": "script-alert-1", "params": {**body, "messages": [{"role": "user", "content": "refuse me"}]}},
            {"custom_id": "__proto__", "params": body},
        ]}).json()  # fmt: skip
        assert batch["id"], batch
        _ended(site, batch["id"])
    _send(site, "/v1/messages", key, body)
    files = {"file": (FILE, b"<script>caught('file')</script>", "image/svg+xml")}
    stored = _send(site, "/v1/files", default, files=files)
    assert stored.is_success, stored.text
    skill_md = b"---\nname: markup\ndescription: \"caught('skill') & javascript:x\"\n---\n" + HOSTILE.encode()
    form: Any = {"display_name": (None, HOSTILE[:64]), "files[]": ("markup/SKILL.md", skill_md, "text/markdown")}
    skill = _send(site, "/v1/skills", default, files=form)
    assert skill.is_success, skill.text
    return {"workspace": workspace, "batch": batch["id"], "skill": skill.json()["id"]}


def _send(site: Site, path: str, key: str, body: Any = None, *, files: Any = None) -> httpx.Response:
    headers = {"x-api-key": key, "anthropic-version": "2026-10-21", "user-agent": HOSTILE}
    return site.http.post(site.server.url + path, json=body, files=files, headers=headers)


def _ended(site: Site, batch: str) -> None:
    until = time.monotonic() + 20
    while site.api("GET", f"/v1/messages/batches/{batch}", key=site.server.api_key)["processing_status"] != "ended":
        assert time.monotonic() < until, "the batch does not end"
        time.sleep(0.02)


def test_abuse_60_the_watch_sees_a_script_that_runs(watched: Watched) -> None:
    """So that its silence below means something."""
    page = watched.page
    page.goto(watched.attacker.other_site)
    page.set_content(HOSTILE)
    try:
        page.evaluate("document.images[0].decode().catch(() => {})")
        assert {"img", "svg"} <= set(watched.caught)
        assert any(url.startswith(watched.attacker.other_site) for url in watched.foreign)
    finally:
        watched.caught.clear()
        watched.foreign.clear()
        watched.attacker.asked.clear()


PAGES = {
    "/": "",
    "/keys": IMAGE,
    "/workspaces": IMAGE,
    "/workspaces/{workspace}": IMAGE,
    "/workspaces/{workspace}?tab=members": "",
    "/members": IMAGE,
    "/service-accounts": IMAGE,
    "/audit": IMAGE,
    "/billing": IMAGE,
    "/limits": "",
    "/usage?by=api_key_id": IMAGE,
    "/usage?by=workspace_id": IMAGE,
    "/cost": "",
    "/logs": IMAGE,
    "/batches": "",
    "/batches/{batch}": IMAGE,
    "/files": FILE,
    "/skills": IMAGE,
    "/skills/{skill}": "caught('skill')",
    "/models": "",
    "/settings": "",
}
"""Each page, and what of the above must be read on it."""


@pytest.mark.parametrize("path", PAGES)
def test_abuse_60_names_with_markup_are_text_on(watched: Watched, planted: dict[str, str], path: str) -> None:
    page = watched.go(path.format(**planted))
    expect(page.locator("#app, body").first).to_contain_text(PAGES[path])
    watched.expect_harmless()


def test_abuse_60_a_request_in_the_log_is_text(site: Site, watched: Watched, planted: dict[str, str]) -> None:
    rows = site.api("GET", "/_understudy/admin/requests?limit=50&path=/v1/messages")["data"]
    theirs = {row["status"]: row for row in rows if row["user_agent"] == HOSTILE}
    assert {200, 400} <= set(theirs)
    for row in (theirs[200], theirs[400]):
        page = watched.go(f"/logs?request_id={row['request_id']}")
        expect(page.get_by_role("dialog", name="Request")).to_contain_text(HOSTILE)
        watched.expect_harmless()


def test_abuse_60_results_and_questions_about_hostile_names_are_text(watched: Watched, planted: dict[str, str]) -> None:
    page = watched.go(f"/batches/{planted['batch']}")
    page.get_by_role("button", name="script-alert-1").click()
    expect(page.get_by_role("dialog")).to_contain_text(IMAGE)
    page = watched.go("/files")
    page.get_by_role("button", name=f"Delete {FILE}").click()
    expect(page.get_by_role("alertdialog")).to_contain_text(FILE)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Switch workspace").click()
    expect(page.get_by_role("menuitem", name=IMAGE)).to_be_visible()
    watched.expect_harmless()


def test_abuse_60_what_a_model_writes_runs_nothing_and_asks_nobody(
    site: Site, watched: Watched, attacker: Attacker
) -> None:
    output = OUTPUT.replace("ATTACKER", attacker.other_site)
    blocks = [
        {"type": "thinking", "thinking": output},
        {"type": "text", "text": output},
        {"type": "tool_use", "name": "look", "input": {HOSTILE: HOSTILE}},
    ]
    rules = [
        {"when": {"tool_result_for": "look"}, "answer": {"error": {"status": 400, "message": HOSTILE}}},
        {"when": {"text_contains": "Be evil"}, "answer": {"content": blocks}},
    ]
    with scripted(site, *rules):
        page = watched.go("/workbench")
        select(page, "Thinking", "adaptive")
        page.get_by_role("region", name="Tools").get_by_role("button", name="Add").click()
        page.get_by_role("dialog").get_by_label("Name", exact=True).fill("look")
        page.get_by_role("dialog").get_by_label("Description").fill(HOSTILE)
        page.get_by_role("dialog").get_by_role("button", name="Keep").click()
        page.get_by_label("System prompt").fill(HOSTILE)
        write(page, "Be evil {{x}}")
        page.get_by_role("region", name="Variables").get_by_label("x").fill(HOSTILE)
        run(page)
        said = answer(page)
        expect(said.get_by_text("tool_use", exact=True).first).to_be_visible()
        expect(said.locator("h1")).to_contain_text(IMAGE)
        expect(said.locator("td")).to_contain_text([IMAGE, IMAGE])
        said.locator("details.thinking summary").click()
        watched.expect_harmless()
        # Links that are left are clicked, with their address looked at; so is what only looks like one.
        for word in ("plain", "coded", "spaced", "data", "blob", "ref", "raw"):
            for found in said.get_by_text(word, exact=True).all():
                found.click()
        watched.expect_harmless()
        said.get_by_role("textbox", name="look").fill(HOSTILE)
        said.get_by_role("button", name="Send results").click()
        expect(said.get_by_role("alert")).to_contain_text(IMAGE)
        said.get_by_role("button", name="On the wire").click()
        expect(page.get_by_role("dialog")).to_contain_text(IMAGE)
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Get code").click()
        expect(page.get_by_role("dialog")).to_contain_text("onerror=caught")
        watched.expect_harmless()


def test_abuse_60_a_hostile_prompt_is_saved_opened_and_evaluated_as_text(site: Site, watched: Watched) -> None:
    page = watched.go("/workbench")
    write(page, "Reply with exactly: {{x}}")
    page.get_by_role("region", name="Variables").get_by_label("x").fill("y")
    message = page.get_by_role("region", name="Message 1")
    drop(message, Given(f"{IMAGE}.bin", "application/octet-stream", b"\0"))
    expect(page.get_by_role("status").get_by_text("filename")).to_be_visible()
    drop(message, Given(FILE, "image/svg+xml", HOSTILE.encode()))
    expect(message).to_contain_text("file_")
    message.get_by_role("button", name="Take it away").click()
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("dialog").get_by_label("Name").fill(HOSTILE)
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(IMAGE)
    page.get_by_role("tab", name="Evaluate").click()
    page.get_by_role("button", name="Add a case").first.click()
    page.get_by_label("x of case 1").fill(HOSTILE)
    page.get_by_label("Ideal answer of case 1").fill(HOSTILE)
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_role("table", name="Test cases").locator(".said")).to_contain_text("<script>")
    page.get_by_role("button", name="Save cases").click()
    expect(page.get_by_text("Test cases and results are saved.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("table", name="Test cases").locator(".said")).to_contain_text("<script>")
    page.get_by_role("button", name="Prompts", exact=True).click()
    expect(page.get_by_role("dialog").get_by_role("row", name=IMAGE)).to_be_visible()
    watched.expect_harmless()


@pytest.mark.parametrize("path", ["/logs", "/usage?by=api_key_id"])
def test_abuse_61_a_file_of_figures_holds_no_formula(site: Site, watched: Watched, path: str) -> None:
    key = site.key('=HYPERLINK("http://evil.example")')["raw_key"]
    headers = {"x-api-key": key, "anthropic-version": "2026-10-21", "user-agent": "@SUM(1+1)*cmd|' /C calc'!A0"}
    body = {"model": "+1+cmd", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
    site.http.post(f"{site.server.url}/v1/messages", json=body, headers=headers)
    body["model"] = SONNET
    assert site.http.post(f"{site.server.url}/v1/messages", json=body, headers=headers).is_success
    page = watched.go(path)
    with page.expect_download() as saved:
        page.get_by_role("link", name="Export CSV").click()
    text = saved.value.path().read_text(encoding="utf-8-sig")
    assert "\n" in text
    assert not re.search(r"""(^|[,\n])"?[=+@\t\r]""", text), text[:2000]
