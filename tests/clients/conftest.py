"""Fixtures that several clients' tests share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from anthropic import Anthropic, AsyncAnthropic

from clients.claude_code import find_program
from servers import RunningServer


@pytest.fixture
def client(server: RunningServer) -> Generator[Anthropic]:
    # No retries: a test must see the first answer, not the third.
    with Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as sdk:
        yield sdk


@pytest_asyncio.fixture
async def async_client(server: RunningServer) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=server.url, api_key=server.api_key, max_retries=0, timeout=60) as sdk:
        yield sdk


@pytest.fixture(scope="session")
def claude() -> Path:
    """Claude Code's program."""
    return find_program()
