"""Writes the results of one process as they come, some at a time, and lets go of chunks that nothing more comes of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from understudy.batches.claiming import short_reason
from understudy.batches.config import RunnerConfig
from understudy.batches.leases import Leases
from understudy.batches.pace import Pace
from understudy.batches.recording import Brought, Recording
from understudy.batches.work import Work
from understudy.batches.works import Works

# Seconds after which a result is written, though its chunk goes on.
_RECORD_INTERVAL: Final = 1.0
# Results that are written at once while others are served.
_FEW: Final = 25
_LONGEST_PAUSE: Final = 5.0

_log = structlog.stdlib.get_logger("understudy.batches")


class Writing:
    """`on_written` is called when something has been written or let go of, with whether it may have been the last of a
    batch."""

    def __init__(
        self,
        recording: Recording,
        leases: Leases,
        works: Works,
        config: RunnerConfig,
        owner: str,
        clock: Callable[[], float],
        pace: Pace,
        on_written: Callable[[bool], None],
    ) -> None:
        self._recording = recording
        self._leases = leases
        self._works = works
        self._config = config
        self._owner = owner
        self._clock = clock
        self._pace = pace
        self._on_written = on_written
        self._wanted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self.is_stopping = False
        """Whether what is given back may be taken by others at once."""

    def settle(self, work: Work) -> None:
        """See whether there is something to write of `work`."""
        if work.is_over:
            self._wanted.set()
        elif work.outcomes and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RECORD_INTERVAL, self._due)

    def _due(self) -> None:
        self._timer = None
        self._wanted.set()

    async def run(self) -> None:
        """What cannot be written waits."""
        pause = first_pause = 0.1
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._write(_FEW if self._pace.way() else None)
                pause = first_pause
            except Exception as error:
                _log.warning("results of batches cannot be written, they wait", reason=short_reason(error))
                self._wanted.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def close(self) -> None:
        """Write all that there is, and give all chunks back. Raises what the database raises."""
        if self._timer is not None:
            self._timer.cancel()
        await self._write(None)
        await self._leases.release(self._owner, [work.claim for work in self._works.all()], 0.0)

    async def _write(self, room: int | None) -> None:
        """At most `room` results."""
        for work in self._works.all():
            if work.is_lost and work.is_over:
                self._works.remove(work)
                self._on_written(True)
        works = [work for work in self._works.all() if not work.is_lost and (work.outcomes or work.is_over)]
        if not works:
            return
        if room is None:
            room = sum(len(work.outcomes) for work in works)
        brought: dict[tuple[str, int, int], tuple[Work, Brought, bool]] = {}
        for work in works:
            some = work.outcomes[:room]
            room -= len(some)
            over = work.is_over and len(some) == len(work.outcomes)
            if some or over:
                brought[work.claim.key] = work, Brought(work.claim, some, over and work.is_done), over
        until = self._clock() + self._config.lease
        refused = await self._recording.write([each for _, each, _ in brought.values()], until)
        for each in refused:
            work, _, _ = brought.pop(each.claim.key)
            work.lose()
            self._wanted.set()
        for work, each, over in brought.values():
            # Whoever has lost it meanwhile holds nothing of it any more.
            if not work.is_lost:
                work.written(len(each.outcomes))
            if over:
                await self._let_go(work, each.done)
        for work in works:
            # Also those that there was no room for.
            if work.outcomes or (work.is_over and not work.is_lost and work in self._works):
                self.settle(work)
        self._on_written(False)

    async def _let_go(self, work: Work, done: bool) -> None:
        if not done:
            delay = 0.0 if self.is_stopping else self._config.delay(work.claim.attempt, work.after)
            await self._leases.release(self._owner, [work.claim], self._clock() + delay)
        self._works.remove(work)
        self._on_written(work.claim.batch_id not in self._works.batch_ids())
