"""Stores for files: each test that asks for `api` runs on a local directory and on S3."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from .api import FilesApi, files_api
from .s3 import S3, s3_server


@pytest.fixture(scope="session")
def s3() -> Generator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["local", "s3"])
def blobs(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The URL of an empty store."""
    if request.param == "local":
        return None
    server: S3 = request.getfixturevalue("s3")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server.bucket()


@pytest_asyncio.fixture
async def api(data_dir: Path, blobs: str | None) -> AsyncGenerator[FilesApi]:
    async with files_api(data_dir, blobs) as made:
        yield made


@pytest_asyncio.fixture
async def local(data_dir: Path) -> AsyncGenerator[FilesApi]:
    """The same on a local directory only, for what has nothing to do with stores."""
    async with files_api(data_dir) as made:
        yield made
