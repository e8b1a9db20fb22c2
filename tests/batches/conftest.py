"""An API on a database of its own."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from installations import databases, installation

from .api import BatchesApi, batches_api


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory to be copied: migrating takes longer than most tests here."""
    folder = tmp_path_factory.mktemp("migrated") / "data"

    async def make() -> None:
        async with installation(folder):
            pass

    with databases.on(None):
        asyncio.run(make())
    return folder


@pytest.fixture
def data_dir(tmp_path: Path, migrated: Path) -> Path:
    return shutil.copytree(migrated, tmp_path / "data")


@pytest_asyncio.fixture
async def api(data_dir: Path) -> AsyncGenerator[BatchesApi]:
    async with batches_api(data_dir) as made:
        yield made
