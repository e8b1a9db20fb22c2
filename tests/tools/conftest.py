"""The Messages API with code execution, in process and as a server; data directories to be copied."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import anthropic
import pytest
import pytest_asyncio

from bubblewrap import have_bubblewrap
from servers import RunningServer, start_server

from .api import Api, tools_api
from .real import MODEL, TOOLS, asked, client
from .site import Site, running_site


@pytest_asyncio.fixture
async def api(data_dir: Path) -> AsyncGenerator[Api]:
    async with tools_api(data_dir) as made:
        yield made


@pytest_asyncio.fixture
async def site() -> AsyncGenerator[Site]:
    async with running_site() as running:
        yield running


@pytest.fixture(scope="session")
def runs_code(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningServer]:
    """A server on a machine that can run code."""
    have_bubblewrap()
    env = {"UNDERSTUDY_STREAM_PING_INTERVAL": "0.4", "UNDERSTUDY_CODE_EXECUTION_TIMEOUT": "4"}
    running = start_server(tmp_path_factory.mktemp("runs-code"), env=env)
    try:
        answer = client(running).messages.create(model=MODEL, max_tokens=16, tools=TOOLS, messages=asked("hello"))
        assert answer.stop_reason
    except anthropic.BadRequestError as error:
        running.stop()
        pytest.fail(f"no code can be run here: {error}")
    yield running
    assert running.stop() == 0
