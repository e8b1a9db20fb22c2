"""What tests of containers need."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from bubblewrap import have_bubblewrap
from sandbox.boxes import sandbox
from sandbox.daemons import docker_daemon, have_gvisor
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.local import LocalSandbox


@pytest.fixture(scope="session", autouse=True)
def bubblewrap() -> None:
    have_bubblewrap()


@pytest_asyncio.fixture
async def box(tmp_path: Path, bubblewrap: None) -> AsyncGenerator[LocalSandbox]:
    async with sandbox(tmp_path) as made:
        yield made


@pytest.fixture(params=["strict", "ordinary"])
def tier(request: pytest.FixtureRequest) -> str:
    if request.param == "strict" and os.geteuid() != 0:
        pytest.skip("the strict tier needs root")
    return request.param


@pytest.fixture(scope="session")
def docker() -> Generator[SandboxConfig]:
    with docker_daemon() as config:
        yield config


@pytest.fixture(scope="session", params=["gvisor", "docker"])
def driver(request: pytest.FixtureRequest) -> SandboxConfig:
    """The settings of each of the drivers that are not the default, where the real one can be had."""
    if request.param == "gvisor":
        return have_gvisor()
    found: SandboxConfig = request.getfixturevalue("docker")
    return found
