"""An installation that is migrated, to be copied, and the API over it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from .api import SkillsApi, skills_api


@pytest_asyncio.fixture
async def api(data_dir: Path) -> AsyncGenerator[SkillsApi]:
    async with skills_api(data_dir) as made:
        yield made
