"""Telling, once in a month, that so much was spent, whichever of the servers sees it first and however often it is
started."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

from sqlalchemy import delete

from understudy.limits.spend_bounds import Alert
from understudy.limits.spend_tables import spend_alerts_told
from understudy.storage.database import Database
from understudy.storage.insert import insert_ignoring
from understudy.usage.money import dollars
from understudy.usage.sums import Month, Scope

_log = logging.getLogger(__name__)


class AlertTeller:
    """Writes alerts that were reached to the log."""

    def __init__(self, db: Database) -> None:
        self._db = db
        # Of those that need not be looked for in the database again.
        self._told: set[tuple[str, str]] = set()

    async def tell(self, alerts: Sequence[Alert], spent: Mapping[Scope, int], month: Month) -> None:
        """Tell of those that `spent` has reached and nobody has told yet in `month`."""
        for alert in alerts:
            scope = "workspace" if alert.workspace_id else "organization"
            amount = spent.get((alert.organization_id, scope, alert.workspace_id), 0)
            if amount < alert.amount or (alert.id, month.name) in self._told:
                continue
            if await self._is_first(alert.id, month.name):
                whose = alert.workspace_id or alert.organization_id
                _log.warning(
                    "spend alert %s: %s has spent %s dollars in %s", alert.id, whose, dollars(amount), month.name
                )
            self._told = {told for told in self._told if told[1] == month.name} | {(alert.id, month.name)}

    async def _is_first(self, alert_id: str, month: str) -> bool:
        table = spend_alerts_told
        row = insert_ignoring(self._db, table, ["alert_id", "month"]).values(
            alert_id=alert_id, month=month, told_at=time.time()
        )
        async with self._db.begin() as connection:
            is_first = bool((await connection.execute(row)).rowcount)
            if is_first:
                await connection.execute(delete(table).where(table.c.alert_id == alert_id, table.c.month < month))
        return is_first
