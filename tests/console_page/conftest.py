"""The built Console, and for each module of tests a browser and a server.

No longer than a module: while Playwright is at work its event loop is the thread's, and no other test could run one.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from packages import have_program
from servers import start_server

from .site import REBOUND, Site, with_owner

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def built() -> Path:
    """The directory of the built Console. Workers that want it at once wait for each other (see console/build.py)."""
    build = ROOT / "console" / "build.py"
    done = subprocess.run([sys.executable, str(build)], capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return ROOT / "src" / "understudy" / "console" / "static"


@pytest.fixture(scope="module")
def chromium() -> Generator[Browser]:
    program = have_program("chromium", "chromium", "fonts-noto-cjk")
    with sync_playwright() as playwright:
        # Root has no sandbox to put it in; what it looks at is ours.
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(built: Path, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """A server with an owner. What tests make there has names of its own."""
    server = start_server(tmp_path_factory.mktemp("console-page"))
    yield with_owner(server, chromium)
    server.kill()


@pytest.fixture(scope="module")
def strict(built: Path, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """Another, which takes its time to answer and enforces limits."""
    settings = {
        "LIMITS_MODE": "enforce",
        "SIMULATOR_TIME_TO_FIRST_TOKEN": "0.1",
        "SIMULATOR_TOKENS_PER_SECOND": "40",
    }
    env = {f"UNDERSTUDY_{name}": value for name, value in settings.items()}
    server = start_server(tmp_path_factory.mktemp("strict"), env=env)
    yield with_owner(server, chromium)
    server.kill()
