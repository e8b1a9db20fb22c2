"""Sees which batches are to end: those that are answered, canceled or too old."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from understudy.batches.claiming import short_reason
from understudy.batches.finishing import Ended, Finisher
from understudy.batches.leases import Leases

_log = structlog.stdlib.get_logger("understudy.batches")


class Observer(Protocol):
    """Metrics of batches."""

    def batch_requests(self, outcome: str, count: int) -> None: ...

    def batch_requests_running(self, count: int) -> None: ...


class Ending:
    def __init__(
        self, leases: Leases, finisher: Finisher, clock: Callable[[], float], observer: Observer | None
    ) -> None:
        self._leases = leases
        self._finisher = finisher
        self._clock = clock
        self._observer = observer
        self._task: asyncio.Task[None] | None = None

    async def look(self) -> bool:
        """Close what may not be begun any more, and begin to write together what is worked off. Returns whether it has
        closed something, which may be all that was missing."""
        now = self._clock()
        closed = False
        over: list[str] = []
        for batch in await self._leases.ending(now):
            if batch.is_worked_off:
                over.append(batch.id)
            elif not batch.may_begin(now):
                closed |= await self._leases.give_up(batch.id, now)
        if over and self._task is None:
            self._task = asyncio.create_task(self._finish(over), name="batches_finish")
        return closed

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _finish(self, batch_ids: list[str]) -> None:
        try:
            for batch_id in batch_ids:
                try:
                    ended = await self._finisher.finish(batch_id)
                except Exception as error:
                    # It is tried again when its lease has run out, and keeps no other from its end.
                    reason = short_reason(error)
                    _log.warning("the results of a batch cannot be written", batch_id=batch_id, reason=reason)
                else:
                    if ended is not None:
                        self._tell(ended)
        finally:
            self._task = None

    def _tell(self, ended: Ended) -> None:
        counts = ended._asdict()
        _log.info("a batch has ended", **counts)
        if self._observer is not None:
            for outcome in ("succeeded", "errored", "canceled", "expired"):
                self._observer.batch_requests(outcome, counts[outcome])
