"""What works batches off, from the settings: made when there is a batch."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import or_, select

from understudy.batches.pace import Traffic
from understudy.batches.tables import NOT_ENDED, batch_chunks, message_batches
from understudy.engines.routing import Routing
from understudy.limits.batch_admission import BatchLimits
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.forwarding import Forwarding
from understudy.messages.preparation import Preparation
from understudy.settings import Settings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database
from understudy.storage.following import Following
from understudy.usage.metrics import Metrics
from understudy.usage.recorder import Recorder

if TYPE_CHECKING:
    from understudy.batches.runner import Runner

_log = logging.getLogger(__name__)

# A batch to be worked off, or what was left of one by a process that was killed.
_IS_THERE_WORK: Final = or_(
    select(message_batches.c.id).where(message_batches.c.status.in_(NOT_ENDED)).exists(),
    select(batch_chunks.c.number).exists(),
).label("batches")


class WhenNeeded:
    """A runner that is made, with all the code that it takes, when there is something to do for the first time, by
    whichever process it was left here. With `run` false there never is."""

    def __init__(self, make: Callable[[], Runner], following: Following, *, run: bool) -> None:
        self._make = make
        self._runner: Runner | None = None
        self._is_open = False
        if run:
            following.add([_IS_THERE_WORK], self._look, _log, "batches cannot be looked for")

    def start(self) -> None:
        self._is_open = True

    async def stop(self) -> None:
        self._is_open = False
        if self._runner is not None:
            await self._runner.stop()

    def wake(self) -> None:
        """There is a new batch, or one that is to be canceled."""
        if not self._is_open:
            return
        if self._runner is None:
            self._runner = self._make()
            self._runner.start()
        self._runner.wake()

    async def _look(self, values: Sequence[Any]) -> None:
        # One that works looks by itself.
        if values[0] and (self._runner is None or self._runner.is_idle):
            self.wake()


def make_runner(
    settings: Settings,
    db: Database,
    blobs: Blobs,
    routing: Routing,
    preparation: Preparation,
    forwarding: Forwarding,
    limits: BatchLimits,
    recorder: Recorder,
    metrics: Metrics,
    clock: Callable[[], float],
    traffic: Traffic,
) -> Runner:
    """Requests of batches go the way of all others, and meet the limits of batches on it."""
    from understudy.batches.config import RunnerConfig
    from understudy.batches.leases import Leases
    from understudy.batches.runner import Runner

    given = settings.batches
    endpoints = MessagesEndpoints(routing, preparation, settings.http, settings.stream, forwarding, limits)
    config = RunnerConfig(
        concurrency=given.concurrency,
        lease=given.lease,
        heartbeat=min(given.heartbeat, given.lease / 3),
        poll_interval=given.poll_interval,
        retry_delay=given.retry_delay,
        longest_retry_delay=max(given.longest_retry_delay, given.retry_delay),
    )
    return Runner(
        db,
        blobs,
        Leases(db),
        endpoints,
        recorder,
        config,
        clock=clock,
        traffic=traffic,
        observer=metrics,
    )
