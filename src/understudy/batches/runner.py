"""Works batches off: claims chunks, asks the engines for what is in them, and writes what came of it.

Every process may run one. It begins one request at a time and lets the event loop go round in between, so that what
comes over HTTP meanwhile is served. While somebody is being answered it begins only a few, and for a moment after it,
not many: see pace.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Final

import structlog

from understudy.batches.claiming import Claiming, short_reason
from understudy.batches.config import RunnerConfig
from understudy.batches.ending import Ending, Observer
from understudy.batches.execution import Item, Outcome, TryAgain
from understudy.batches.finishing import Finisher
from understudy.batches.leases import Leases
from understudy.batches.pace import Pace, Traffic
from understudy.batches.recording import Billing, Recording
from understudy.batches.work import Work
from understudy.batches.works import Works
from understudy.batches.writing import Writing
from understudy.messages.endpoints import MessagesEndpoints
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

# Bytes of results, not yet written, above which no more requests are begun.
_MOST_UNWRITTEN: Final = 32 * 1024 * 1024
# Seconds between two looks whether an engine has a place again, for which a request of a batch waits.
_LOOK_FOR_PLACES: Final = 0.1
_LEFTOVERS_EVERY: Final = 600.0
_STATUS_INTERNAL: Final = 500

_log = structlog.stdlib.get_logger("understudy.batches")


class Runner:
    """`endpoints` are those whose limits are the batches'. `traffic` goes first. `clock` tells seconds since the epoch,
    and the same on all machines. With no batch open it sleeps until somebody wakes it."""

    def __init__(
        self,
        db: Database,
        blobs: Blobs,
        leases: Leases,
        endpoints: MessagesEndpoints,
        billing: Billing,
        config: RunnerConfig,
        *,
        clock: Callable[[], float],
        traffic: Traffic | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.owner = token_hex(8)
        self._leases = leases
        self._endpoints = endpoints
        self._config = config
        self._clock = clock
        self._observer = observer
        self._pace = Pace(traffic)
        self._works = works = Works()
        renew, taken = self._renew_if_late, self._taken
        self._claiming = Claiming(db, blobs, leases, works, config, self.owner, clock, renew, taken)
        recording = Recording(db, leases, billing, self.owner)
        self._writing = Writing(recording, leases, works, config, self.owner, clock, self._pace, self._written)
        self._finisher = Finisher(db, blobs, clock, self.owner, config.lease)
        self._ending = Ending(leases, self._finisher, clock, observer)
        self._renewed_at = 0.0
        # Set when there may be something to begin, and when batches are to be looked at.
        self._room = asyncio.Event()
        self._looking = asyncio.Event()
        self.is_idle = False
        """Whether it sleeps until somebody wakes it."""
        self._tasks: list[asyncio.Task[None]] = []

    # --- beginning and end ---

    def start(self) -> None:
        loops = (self._look, self._begin, self._writing.run, self._renew, self._clear)
        self._tasks = [asyncio.create_task(each(), name=f"batches {each.__name__}") for each in loops]

    async def stop(self) -> None:
        """Begin nothing more, wait for what is under way, write it, and give the rest back."""
        if not self._tasks:
            return
        look, begin, write, renew, clear = self._tasks
        for task in (look, begin, clear):
            task.cancel()
        await asyncio.wait([look, begin, clear])
        await self._ending.stop()
        await self._claiming.wait(self._config.drain)
        self._writing.is_stopping = True
        for work in self._works.all():
            work.put_off()
        under_way = [task for work in self._works.all() for _, task in work.running.values()]
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=self._config.drain)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        renew.cancel()
        write.cancel()
        await asyncio.wait(self._tasks)
        self._tasks = []
        try:
            async with asyncio.timeout(self._config.drain):
                await self._writing.close()
        except Exception as error:
            # Their leases run out by themselves.
            _log.warning("chunks of batches could not be given back", reason=short_reason(error))
        self._works.clear()

    def wake(self) -> None:
        """There is something to look at: a new batch, or one that is to be canceled."""
        self._looking.set()

    # --- what there is to do ---

    async def _look(self) -> None:
        failing = False
        while True:
            self._looking.clear()
            self.is_idle = False
            try:
                self.is_idle = not await self.look()
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning("batches cannot be worked off", reason=short_reason(error))
                failing = True
            try:
                async with asyncio.timeout(None if self.is_idle else self._config.poll_interval):
                    await self._looking.wait()
            except TimeoutError:
                pass

    async def look(self) -> bool:
        """Take note of new batches, and of those that were canceled, have expired or are worked off. Returns whether
        there are any."""
        await self._renew_if_late()
        is_open = await self._leases.is_open()
        works = self._works.all()
        ours = self._works.batch_ids() | self._claiming.batch_ids()
        batches = {batch.id: batch for batch in await self._leases.open_batches(ours)}
        now = self._clock()
        for work in works:
            batch = batches.get(work.claim.batch_id)
            if batch is None:
                work.lose()
            elif not batch.may_begin(now):
                work.close(cut=now >= batch.expires_at)
            self._writing.settle(work)
        self._claiming.forget(self._works.batch_ids() | batches.keys())
        if self._observer is not None:
            self._observer.batch_requests_running(self._works.running)
        if is_open:
            self._claiming.may_claim = True
            self._room.set()
            if await self._ending.look():
                self._looking.set()
        return is_open or len(self._works) > 0

    def _taken(self, work: Work, former: Work | None) -> None:
        if former is not None:
            former.lose()
        self._writing.settle(work)
        self._room.set()

    def _written(self, last: bool) -> None:
        self._room.set()
        if last:
            self._looking.set()

    # --- one request after the other ---

    async def _begin(self) -> None:
        works = self._works
        while True:
            self._claiming.claim_if_short(self._room.set)
            if works.running >= self._config.concurrency or not works.is_ready or works.unwritten > _MOST_UNWRITTEN:
                await self._wait_for_room()
                continue
            # Others first: nobody who is served may wait for more than one request of a batch.
            await asyncio.sleep(self._pace.way())
            work = works.next()
            if work is not None:
                self._start(work, work.todo.popleft())

    async def _wait_for_room(self) -> None:
        self._room.clear()
        try:
            async with asyncio.timeout(_LOOK_FOR_PLACES if self._works.are_blocked else None):
                await self._room.wait()
        except TimeoutError:
            pass

    def _start(self, work: Work, place: int) -> None:
        try:
            item = Item(self._endpoints, work.sender, work.line(place))
        except Exception:
            _log.exception("a request of a batch cannot be read", batch_id=work.claim.batch_id, place=place)
            work.again.append(place)
            self._writing.settle(work)
            return
        self._works.running += 1
        task = asyncio.create_task(item.run())
        work.running[place] = item, task
        task.add_done_callback(partial(self._ended, work, place))

    def _ended(self, work: Work, place: int, task: asyncio.Task[Outcome]) -> None:
        self._works.running -= 1
        del work.running[place]
        failure = None if task.cancelled() else task.exception()
        if work.is_lost:
            pass
        elif task.cancelled():
            # By us, and by no fault of its own: it is left for another attempt, or for the end of the batch.
            work.again.append(place)
        elif failure is None:
            work.succeeded(place, task.result())
        elif not isinstance(failure, TryAgain):
            _log.error("internal error", exc_info=failure)
            work.again.append(place)
        elif failure.status == _STATUS_INTERNAL and self._claiming.known(work.claim.batch_id).broke(place):
            work.succeeded(place, failure.last)
        else:
            work.failed(place, failure)
        self._room.set()
        self._writing.settle(work)

    # --- in the background ---

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._config.heartbeat)
            try:
                await self._renew_all()
            except Exception as error:
                _log.warning("chunks of batches cannot be renewed", reason=short_reason(error))

    async def _renew_if_late(self) -> None:
        """After a machine has slept, what nobody else has taken meanwhile is still ours."""
        if self._clock() - self._renewed_at > self._config.lease / 2:
            await self._renew_all()

    async def _renew_all(self) -> None:
        works = [work for work in self._works.all() if not work.is_lost]
        now = self._clock()
        if works:
            ours = await self._leases.renew(self.owner, [work.claim for work in works], now + self._config.lease)
            for work in works:
                # What was over may have been written meanwhile.
                if work.claim.key not in ours and not work.is_over:
                    work.lose()
                    self._writing.settle(work)
        self._renewed_at = now

    async def _clear(self) -> None:
        while True:
            try:
                await self._finisher.clear_leftovers()
            except Exception as error:
                _log.warning("rows of batches that have ended cannot be deleted", reason=short_reason(error))
            await asyncio.sleep(_LEFTOVERS_EVERY)
