"""Keeps what was set for single organizations, workspaces and keys at hand, and notices changes within a second."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.limits.config import KeyBudget, Mode
from understudy.limits.groups import LimiterType
from understudy.limits.snapshot import NO_OVERRIDES, Snapshot
from understudy.limits.tables import (
    api_key_budgets,
    limit_changes,
    organization_tiers,
    workspace_limit_modes,
    workspace_rate_limits,
)
from understudy.storage.database import Database

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at the changes number."""

_TIMEOUT: Final = 10.0

_log = logging.getLogger(__name__)


class OverridesWatch:
    """`snapshot` is what is in force. While the database does not answer the last one serves."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._revision = -1
        self._task: asyncio.Task[None] | None = None
        self.snapshot: Snapshot = NO_OVERRIDES

    async def start(self) -> None:
        """Load it and begin to follow changes. Raises what the database raises."""
        await self.look()
        self._task = asyncio.create_task(self._follow(), name="limits")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def look(self) -> None:
        """Load what has changed since the last look."""
        async with self._db.connect() as connection:
            # First the number, then the rows: what is committed in between is loaded once more, never missed.
            revision = (await connection.execute(select(limit_changes.c.revision))).scalar_one()
            if revision != self._revision:
                self.snapshot = await _load(connection)
                self._revision = revision

    async def _follow(self) -> None:
        failing = False
        while True:
            await asyncio.sleep(POLL_INTERVAL)
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self.look()
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning("limits cannot be read, the last ones known go on: %s", type(error).__name__)
                failing = True


async def _load(connection: AsyncConnection) -> Snapshot:
    organizations: dict[str, str] = {}
    limits: dict[str, dict[str, dict[LimiterType, int]]] = defaultdict(lambda: defaultdict(dict))
    for row in await connection.execute(select(workspace_rate_limits)):
        limits[row.workspace_id][row.group_id][row.limiter_type] = row.value
        organizations[row.workspace_id] = row.organization_id
    modes: dict[str, Mode] = {}
    for row in await connection.execute(select(workspace_limit_modes)):
        modes[row.workspace_id] = row.mode
        organizations[row.workspace_id] = row.organization_id
    budgets: dict[str, KeyBudget] = {}
    for row in await connection.execute(select(api_key_budgets)):
        budgets[row.api_key_id] = KeyBudget(*(getattr(row, name) for name in KeyBudget._fields))
        organizations[row.api_key_id] = row.organization_id
    tiers = {row.organization_id: row.tier for row in await connection.execute(select(organization_tiers))}
    return Snapshot(
        tiers, {workspace: dict(groups) for workspace, groups in limits.items()}, modes, budgets, organizations
    )
