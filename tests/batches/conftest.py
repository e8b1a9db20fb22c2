"""An API on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from .api import BatchesApi, batches_api


@pytest_asyncio.fixture
async def api(data_dir: Path) -> AsyncGenerator[BatchesApi]:
    async with batches_api(data_dir) as made:
        yield made
