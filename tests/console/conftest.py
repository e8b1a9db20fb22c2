"""One server for the Console's tests: what they make has names of its own."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from servers import RunningServer, start_server

from .browser import CONSOLE, PASSWORD, Browser, token_of
from .provider import CLIENT_ID, CLIENT_SECRET, Provider

OWNER = "owner@example.com"
_numbers = itertools.count(1)


@dataclass
class Console:
    """A server with an owner who is signed in by `owner`."""

    server: RunningServer
    owner: Browser
    provider: Provider
    setup: httpx.Response

    def browser(self) -> Browser:
        return Browser(self.server.url)

    def person(self, role: str = "developer", email: str | None = None) -> Browser:
        """Somebody who was invited, and is signed in."""
        number = next(_numbers)
        email = email or f"{role}-{number}@example.com"
        if role in {"admin", "owner", "primary_owner", "membership_admin"}:
            user = self.owner.ours("POST", "/_understudy/admin/users", {"email": email, "name": role, "role": "user"})
            browser = self.browser()
            assert browser.claim(self.link(email), password=PASSWORD).status_code == 200
            self.owner.ours("POST", f"/_understudy/admin/users/{user['id']}", {"role": role})
            return browser
        invite = self.owner.ours("POST", CONSOLE + "/v1/organizations/invites", {"email": email, "role": role})
        token = self.owner.ours("GET", f"/_understudy/admin/invites/{invite['id']}/token")["token"]
        browser = self.browser()
        assert browser.accept(token, f"{role} {number}").status_code == 200
        return browser

    def link(self, email: str) -> str:
        """The token of a one-time link, made on the command line."""
        import subprocess
        import sys

        from servers import clean_environment

        command = [sys.executable, "-m", "understudy", "console", "link", "--email", email]
        done = subprocess.run(
            [*command, "--data-dir", str(self.server.data_dir)],
            capture_output=True,
            text=True,
            timeout=60,
            env=clean_environment(),
        )
        assert done.returncode == 0, done.stderr
        return token_of(done.stdout.strip())

    def workspace(self, name: str, *members: Browser, role: str = "workspace_developer") -> str:
        made = self.owner.ours("POST", CONSOLE + "/v1/organizations/workspaces", {"name": f"{name} {next(_numbers)}"})
        for member in members:
            self.owner.ours(
                "POST",
                f"{CONSOLE}/v1/organizations/workspaces/{made['id']}/members",
                {"user_id": member.session["user"]["id"], "workspace_role": role},
            )
        return made["id"]


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Generator[Console]:
    provider = Provider()
    directory = tmp_path_factory.mktemp("console")
    running = start_server(
        directory,
        env={
            "UNDERSTUDY_NET_ALLOW": "127.0.0.1",
            "UNDERSTUDY_CONSOLE_OIDC_ISSUER": provider.url,
            "UNDERSTUDY_CONSOLE_OIDC_CLIENT_ID": CLIENT_ID,
            "UNDERSTUDY_CONSOLE_OIDC_CLIENT_SECRET": CLIENT_SECRET,
            "UNDERSTUDY_CONSOLE_OIDC_NAME": "Example",
            "UNDERSTUDY_CONSOLE_HOSTS": "console.example.com",
            "UNDERSTUDY_RETENTION_BODIES": "all",
        },
    )
    owner = Browser(running.url)
    ready: dict[str, Any] = json.loads((directory / "ready.json").read_bytes())
    token = token_of(ready["console_url"])
    setup = owner.claim(token, name="Olga", email=OWNER, password=PASSWORD)
    try:
        assert setup.status_code == 200, setup.text
        yield Console(running, owner, provider, setup)
        assert running.stop() == 0, running.printed()
        printed = running.printed(last=10_000_000)
        assert PASSWORD not in printed
        assert owner.cookie is None or owner.cookie not in printed
    finally:
        running.kill()
        provider.close()


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait for at most the second in which what was changed must be in force."""

    def wait(holds: Callable[[], bool]) -> None:
        import time

        deadline = time.monotonic() + 1.0
        while not holds():
            assert time.monotonic() < deadline, "it did not come into force within a second"
            time.sleep(0.05)

    return wait


@pytest.fixture
def nothing_built(tmp_path: Path) -> Path:
    directory = tmp_path / "static"
    directory.mkdir()
    return directory
