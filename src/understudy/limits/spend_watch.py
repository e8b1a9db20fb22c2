"""Keeps the bounds of spending at hand, and the counters at what the database says.

Counters run ahead of the usage rows, which are written behind the requests' backs. They are raised to what the rows
add up to at the start and every minute, and never lowered: so they survive a restart, a Redis that was emptied, and
servers that could not reach it, which ask again a moment after they could.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import select

from understudy.http.principal import Principal
from understudy.limits.overrides import advance_tier
from understudy.limits.repeating import repeat
from understudy.limits.snapshot import Snapshot
from understudy.limits.spend import caller_keys
from understudy.limits.spend_alerts import AlertTeller
from understudy.limits.spend_bounds import SpendBounds, load_bounds
from understudy.limits.spend_counters import Counters, MemoryCounters, SpendAwayError, month_key, total_key
from understudy.limits.tiers import TierTable
from understudy.limits.watch import REVISION
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.usage.money import dollars
from understudy.usage.sums import Month, Scope, month_of, spent_ever, spent_in

RECONCILE_INTERVAL: Final = 60.0
"""Seconds between two looks at what was spent."""

CATCH_UP_INTERVAL: Final = 2.0
"""Seconds after which counters that have missed something are brought up to date."""

_FAILURE: Final = "spending cannot be read, what was last known goes on"

_log = logging.getLogger(__name__)


class Snapshots(Protocol):
    @property
    def snapshot(self) -> Snapshot: ...


class SpendWatch:
    """`bounds` is what is in force, `snapshot` the limits' own. `tier` is that of organizations without one.
    `following` is the server's own, which who made it starts."""

    def __init__(
        self,
        db: Database,
        counters: Counters,
        snapshots: Snapshots,
        table: TierTable,
        *,
        tier: str | None = None,
        clock: Callable[[], float] = time.time,
        following: Following | None = None,
    ) -> None:
        self._db = db
        self._following = Following(db) if following is None else following
        self._own = self._following if following is None else None
        self._following.add([REVISION], self._take, _log, _FAILURE)
        self._counters = counters
        self._snapshots = snapshots
        self._table = table
        self._tier = tier
        self._clock = clock
        self._revision = -1
        self._was_behind = False
        self._alerts = AlertTeller(db)
        self._tasks: list[asyncio.Task[None]] = []
        self.bounds: SpendBounds = SpendBounds()

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshots.snapshot

    async def start(self) -> None:
        """Load all, and begin to follow changes. Raises what the database raises."""
        await self.look()
        await self._reconcile_if_reachable()
        if self._own is not None:
            self._own.start()
        work = [(RECONCILE_INTERVAL, self._reconcile_if_reachable)]
        if not self._counters.is_local:
            work.append((CATCH_UP_INTERVAL, self.catch_up))
        self._tasks = [asyncio.create_task(repeat(interval, do, _log, _FAILURE), name="spend") for interval, do in work]

    async def stop(self) -> None:
        if self._own is not None:
            await self._own.stop()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def look(self) -> None:
        """Load the bounds if they have changed since the last look."""
        async with self._db.connect() as connection:
            state = (await connection.execute(select(REVISION))).one()
        await self._take(state)

    async def _take(self, state: Sequence[Any]) -> None:
        if state[0] != self._revision:
            # The number was read before the rows: what is committed in between is loaded once more, never missed.
            async with self._db.connect() as connection:
                self.bounds = await load_bounds(connection)
            self._revision = int(state[0])

    async def reconcile(self) -> None:
        """Raise the counters to what the database says; advance tiers; tell of alerts that were reached."""
        month = month_of(self._clock())
        async with self._db.connect() as connection:
            spent, ever = await spent_in(connection, month), await spent_ever(connection)
        if isinstance(self._counters, MemoryCounters):
            self._counters.forget(month.name)
        await self._counters.seed(_counted(spent, ever, month))
        await self._advance(ever)
        await self._alerts.tell(self.bounds.alerts, spent, month)

    async def catch_up(self) -> None:
        """Reconcile if the counters have missed something since the last time."""
        is_behind, counters = self._counters.is_behind, self._counters
        if is_behind or self._was_behind:
            try:
                await counters.catch_up()
                await self.reconcile()
            except SpendAwayError:
                return
            # Once more after the first time: rows are written a moment after their requests have ended.
            self._was_behind = is_behind

    async def seed(self, caller: Principal, month: Month) -> Mapping[str, int]:
        """What the database says of a caller's counters (spend.Seed). Raises SpendAwayError when it cannot say."""
        try:
            async with self._db.connect() as connection:
                spent = await spent_in(connection, month, caller.organization_id)
                ever = await spent_ever(connection, caller.organization_id)
        except Exception as error:
            if self._db.is_unavailable(error):
                raise SpendAwayError(type(error).__name__) from error
            raise
        counted = _counted(spent, ever, month)
        return {key: counted.get(key, 0) for key in caller_keys(caller, month)}

    async def _reconcile_if_reachable(self) -> None:
        try:
            await self.reconcile()
        except SpendAwayError:
            _log.warning("shared counters of money cannot be reached; what was spent is added when they are back")

    async def _advance(self, ever: Mapping[str, int]) -> None:
        snapshot = self.snapshot
        for organization_id, total in ever.items():
            if organization_id in snapshot.kept_tiers:
                continue
            current = self._table.tier(snapshot.tiers.get(organization_id, self._tier)).name
            reached = self._table.advance(current, dollars(total))
            if reached != current:
                async with self._db.begin() as connection:
                    has_advanced = await advance_tier(connection, organization_id, reached)
                if has_advanced:
                    _log.info("organization %s has advanced to tier %s", organization_id, reached)


def _counted(spent: Mapping[Scope, int], ever: Mapping[str, int], month: Month) -> dict[str, int]:
    """What was spent, by counter."""
    counted = {total_key(of): amount for of, amount in ever.items()}
    for (of, scope, id_), amount in spent.items():
        counted[month_key(of, month.name, scope, id_)] = amount
    return counted
