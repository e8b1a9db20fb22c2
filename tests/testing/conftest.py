"""The server of `understudy.testing`, once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from understudy.testing import ClaudeApi
from understudy.testing.server import ThreadedServer


@pytest.fixture(scope="session")
def threaded() -> Generator[ThreadedServer]:
    server = ThreadedServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def api(threaded: ThreadedServer) -> Generator[ClaudeApi]:
    with ClaudeApi(server=threaded) as api:
        yield api


@pytest.fixture
def counting_api(threaded: ThreadedServer) -> Generator[ClaudeApi]:
    """With ids that count, and a 400 for what no rule is for."""
    with ClaudeApi(server=threaded, ids="deterministic", unmatched="fail") as api:
        yield api
