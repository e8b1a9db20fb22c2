"""The Console in a real browser: Debian's Chromium against a server of this run."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Error, Page, StorageState

from servers import RunningServer

PASSWORD = "correct horse battery"
OWNER = "ada@example.com"
REBOUND = "rebound.example"
"""A name that the browser takes for an address of this machine."""
WIDE, NARROW = (1440, 900), (390, 844)

Theme = Literal["light", "dark"]
_numbers = itertools.count(1)


@dataclass
class Site:
    """A server, and the browser that looks at it. `owner` is the state of somebody who is signed in as its owner."""

    server: RunningServer
    chromium: Browser
    owner: StorageState = field(default_factory=lambda: StorageState(cookies=[], origins=[]))
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=30), repr=False)

    @contextmanager
    def visit(
        self,
        path: str = "/",
        *,
        who: StorageState | None = None,
        theme: Theme = "light",
        size: tuple[int, int] = WIDE,
        language: str = "en-US",
    ) -> Generator[Page]:
        """A page of its own, closed at the end; what went wrong in its scripts fails the test. `who`: the owner unless
        told, `NOBODY` for none."""
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme=theme,
            locale=language,
            storage_state=who or self.owner,
            permissions=["clipboard-read", "clipboard-write"],
            reduced_motion="reduce",
        )
        try:
            page = context.new_page()
            page.set_default_timeout(10_000)
            problems = watch(page)
            page.goto(f"{self.server.url}/console/#{path}")
            yield page
            assert not problems, problems
        finally:
            context.close()

    def person(self, role: str, *, name: str | None = None, email: str | None = None) -> StorageState:
        """Somebody who was invited with that role, and is signed in."""
        number = next(_numbers)
        email = email or f"{role}-{number}@example.com"
        invite = self.api("POST", "/v1/organizations/invites", {"email": email, "role": role})
        token = self.api("GET", f"/_understudy/admin/invites/{invite['id']}/token")["token"]
        context = self.chromium.new_context()
        try:
            given = {"token": token, "name": name or f"{role} {number}", "password": PASSWORD}
            sign_in(context, self.server.url, "/session/invite", given)
            return context.storage_state()
        finally:
            context.close()

    def api(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        """What the server answers to a request with the admin key, or another."""
        headers = {"x-api-key": key or self.server.admin_key, "anthropic-version": "2026-10-21"}
        answer = self.http.request(method, self.server.url + path, json=body, headers=headers)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def workspace(self, name: str) -> str:
        return self.api("POST", "/v1/organizations/workspaces", {"name": name})["id"]

    def key(self, name: str, **more: str) -> dict[str, Any]:
        return self.api("POST", "/_understudy/admin/api_keys", {"name": name, **more})


NOBODY = StorageState(cookies=[], origins=[])


def first_link(server: RunningServer) -> str:
    """The address that the server printed for its first user."""
    ready = json.loads((server.data_dir.parent / "ready.json").read_bytes())
    return cast("str", ready["console_url"])


def with_owner(server: RunningServer, chromium: Browser) -> Site:
    """A new server after somebody opened its first link."""
    made = Site(server, chromium)
    token = first_link(server).partition("token=")[2]
    context = chromium.new_context()
    given = {"token": token, "name": "Ada Example", "email": OWNER, "password": PASSWORD}
    sign_in(context, server.url, "/session/link", given)
    made.owner = context.storage_state()
    context.close()
    return made


def sign_in(context: BrowserContext, url: str, path: str, given: dict[str, str]) -> None:
    """As the page does it: the context has the cookie afterwards."""
    answer = context.request.post(f"{url}/_understudy/console{path}", data=given, headers={"origin": url})
    assert answer.ok, answer.text()


def watch(page: Page) -> list[str]:
    """Errors of the page's scripts, and what its content security policy forbade, as they come."""
    problems: list[str] = []

    def of_console(message: ConsoleMessage) -> None:
        # Answers that are errors are shown on the page and belong to what is tested.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            problems.append(message.text)

    def of_script(error: Error) -> None:
        problems.append(f"{error.name}: {error.message}")

    page.on("console", of_console)
    page.on("pageerror", of_script)
    return problems


AXE = Path(__file__).resolve().parents[2] / "console" / "node_modules" / "axe-core" / "axe.min.js"


def violations(page: Page) -> list[str]:
    """What axe calls serious or critical about the page as it is now."""
    # Through the debugger, which the policy of the page does not bind.
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("async () => (await axe.run(document)).violations")
    return [
        f"{one['id']}: {one['help']} {[node['target'] for node in one['nodes']][:4]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]
