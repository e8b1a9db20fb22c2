"""Keeps what was set for single organizations, workspaces and keys at hand, and notices changes within a second."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

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
from understudy.storage.following import Following

REVISION = select(limit_changes.c.revision).scalar_subquery()
"""The number that every change of limits raises, as a column."""

_log = logging.getLogger(__name__)


class OverridesWatch:
    """`snapshot` is what is in force. While the database does not answer the last one serves. `following` is the
    server's own, which who made it starts."""

    def __init__(self, db: Database, following: Following | None = None) -> None:
        self._db = db
        self._revision = -1
        self._following = Following(db) if following is None else following
        self._own = self._following if following is None else None
        self._following.add([REVISION], self._take, _log, "limits cannot be read, the last ones known go on")
        self.snapshot: Snapshot = NO_OVERRIDES

    async def start(self) -> None:
        """Load it and begin to follow changes. Raises what the database raises."""
        await self.look()
        if self._own is not None:
            self._own.start()

    async def stop(self) -> None:
        if self._own is not None:
            await self._own.stop()

    async def look(self) -> None:
        """Load what has changed since the last look."""
        async with self._db.connect() as connection:
            state = (await connection.execute(select(REVISION))).one()
        await self._take(state)

    async def _take(self, state: Sequence[Any]) -> None:
        if state[0] != self._revision:
            # The number was read before the rows: what is committed in between is loaded once more, never missed.
            async with self._db.connect() as connection:
                self.snapshot = await _load(connection)
            self._revision = int(state[0])


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
    rows = (await connection.execute(select(organization_tiers))).all()
    return Snapshot(
        {row.organization_id: row.tier for row in rows},
        {workspace: dict(groups) for workspace, groups in limits.items()},
        modes,
        budgets,
        organizations,
        frozenset(row.organization_id for row in rows if row.set_by == "administrator"),
    )
