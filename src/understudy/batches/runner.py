"""Works batches off: claims chunks, asks the engines for what is in them, and writes what came of it.

Every process may run one. It begins one request at a time and lets the event loop go round in between, so that what
comes over HTTP meanwhile is served. While somebody is being answered it begins only a few, and for a moment after it,
not many: the next one may come.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from secrets import token_hex
from typing import Final, Protocol

import structlog
from sqlalchemy import select

from understudy.batches.batch import Batch
from understudy.batches.execution import Item, Outcome, Sender, TryAgain, sender_of
from understudy.batches.finishing import Ended, Finisher, chunk_lines
from understudy.batches.leases import Claim, Leases, OpenBatch
from understudy.batches.recording import Billing, Brought, Recording
from understudy.batches.tables import message_batches
from understudy.batches.work import Work
from understudy.messages.endpoints import MessagesEndpoints
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

# Chunks that are claimed at once, at the most. One has at most about a megabyte, or one request.
_MOST_CLAIMED: Final = 8
_REQUESTS_OF_A_CHUNK: Final = 100
# Bytes of requests above which no more chunks are claimed.
_MOST_BYTES: Final = 24 * 1024 * 1024
# Seconds after which a result is written, though its chunk goes on.
_RECORD_INTERVAL: Final = 1.0
# Seconds between two requests that are begun while somebody is being answered, and while it is not long since; and how
# long that is.
_GIVE_WAY: Final = 0.005
_GIVE_SOME_WAY: Final = 0.003
_NOT_LONG: Final = 0.25
# Results that are written at once meanwhile.
_FEW: Final = 25
# Attempts after which what breaks inside of an engine counts as the request's own fault.
_MOST_ATTEMPTS: Final = 8
_LONGEST_PAUSE: Final = 5.0
_LEFTOVERS_EVERY: Final = 600.0
_STATUS_INTERNAL: Final = 500

_COLUMNS: Final = [message_batches.c[name] for name in Batch.__slots__]

_log = structlog.stdlib.get_logger("understudy.batches")


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """`concurrency`: requests that are under way at once. All else is seconds: how long a chunk is leased, how often
    that is renewed, how often new batches are looked for, what a chunk with failures waits at first and at the most,
    and how long requests under way may go on when the runner is to stop."""

    concurrency: int = 50
    lease: float = 30.0
    heartbeat: float = 10.0
    poll_interval: float = 1.0
    retry_delay: float = 1.0
    longest_retry_delay: float = 60.0
    drain: float = 10.0


class Traffic(Protocol):
    """Requests over HTTP that ask a model: those that are being answered, and all that ever came."""

    under_way: int
    begun: int


class Observer(Protocol):
    """Metrics of batches."""

    def batch_requests(self, outcome: str, count: int) -> None: ...

    def batch_requests_running(self, count: int) -> None: ...


class Runner:
    """`endpoints` are those whose limits are the batches'. `traffic` goes first. `clock` tells seconds since the epoch,
    and the same on all machines."""

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
        self._db = db
        self._blobs = blobs
        self._leases = leases
        self._endpoints = endpoints
        self._config = config
        self._clock = clock
        self._traffic = traffic
        self._begun = 0
        self._quiet_from = 0.0
        self._observer = observer
        self._recording = Recording(db, leases, billing, self.owner)
        self._finisher = Finisher(db, blobs, clock, self.owner, config.lease)
        self._works: dict[tuple[str, int], Work] = {}
        # Those of them with requests to begin, in turns.
        self._turns: deque[Work] = deque()
        self._running = 0
        self._renewed_at = 0.0
        self._senders: dict[str, tuple[Sender, str]] = {}
        self._may_claim = True
        self._claiming: asyncio.Task[None] | None = None
        self._finishing: asyncio.Task[None] | None = None
        self._looking = asyncio.Event()
        self._room = asyncio.Event()
        self._results = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    # --- beginning and end ---

    def start(self) -> None:
        loops = (self._look, self._begin, self._record, self._renew, self._clear)
        self._tasks = [asyncio.create_task(each(), name=f"batches{each.__name__}") for each in loops]

    async def stop(self) -> None:
        """Begin nothing more, wait for what is under way, write it, and give the rest back."""
        if not self._tasks:
            return
        self._is_stopping = True
        look, begin, record, renew, clear = self._tasks
        for task in (look, begin, clear):
            task.cancel()
        if self._finishing is not None:
            self._finishing.cancel()
            await asyncio.wait([self._finishing])
        if self._claiming is not None:
            await asyncio.wait([self._claiming], timeout=self._config.drain)
        for work in self._works.values():
            work.put_off()
        under_way = [task for work in self._works.values() for _, task in work.running.values()]
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=self._config.drain)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
        renew.cancel()
        record.cancel()
        await asyncio.wait(self._tasks)
        if self._timer is not None:
            self._timer.cancel()
        self._tasks = []
        try:
            async with asyncio.timeout(self._config.drain):
                await self._write_some(all_at_once=True)
                await self._leases.release(self.owner, [work.claim for work in self._works.values()], 0.0)
        except Exception as error:
            # Their leases run out by themselves.
            _log.warning("chunks of batches could not be given back", reason=_short(error))
        self._works.clear()

    def wake(self) -> None:
        """There is something to look at: a new batch, or one that is to be canceled."""
        self._looking.set()

    # --- what there is to do ---

    async def _look(self) -> None:
        failing = False
        while True:
            try:
                async with asyncio.timeout(self._config.poll_interval):
                    await self._looking.wait()
            except TimeoutError:
                pass
            self._looking.clear()
            try:
                await self.look()
                failing = False
            except Exception as error:
                if not failing:  # one line an outage
                    _log.warning("batches cannot be worked off", reason=_short(error))
                failing = True

    async def look(self) -> None:
        """Take note of new batches, and of those that were canceled, have expired or are worked off."""
        await self._renew_if_late()
        works = list(self._works.values())
        batches = await self._leases.open_batches()
        now = self._clock()
        by_id = {batch.id: batch for batch in batches}
        for work in works:
            batch = by_id.get(work.claim.batch_id)
            if batch is None:
                work.lose()
            elif not batch.may_begin(now):
                work.close(cut=now >= batch.expires_at)
            self._settle(work)
        if self._observer is not None:
            self._observer.batch_requests_running(self._running)
        if any(batch.may_begin(now) for batch in batches):
            self._may_claim = True
            self._room.set()
        busy = {work.claim.batch_id for work in self._works.values()}
        for batch in batches:
            left = not batch.may_begin(now) and not batch.is_worked_off
            if left and await self._leases.give_up(batch.id, now):
                self._looking.set()
        over = [batch.id for batch in batches if batch.id not in busy and self._may_finish(batch, now)]
        if over and self._finishing is None:
            self._finishing = asyncio.create_task(self._finish(over), name="batches_finish")

    def _may_finish(self, batch: OpenBatch, now: float) -> bool:
        return batch.is_worked_off and (batch.finish_lease is None or batch.finish_lease < now)

    async def _finish(self, batch_ids: list[str]) -> None:
        try:
            for batch_id in batch_ids:
                ended = await self._finisher.finish(batch_id)
                if ended is not None:
                    self._senders.pop(batch_id, None)
                    self._tell(ended)
        except Exception as error:
            _log.warning("the results of a batch cannot be written", reason=_short(error))
        finally:
            self._finishing = None

    def _tell(self, ended: Ended) -> None:
        counts = ended._asdict()
        _log.info("a batch has ended", **counts)
        if self._observer is not None:
            for outcome in ("succeeded", "errored", "canceled", "expired"):
                self._observer.batch_requests(outcome, counts[outcome])

    # --- claiming ---

    def _waiting(self) -> int:
        return sum(len(work.todo) for work in self._turns)

    def _claim_if_short(self) -> None:
        if not self._may_claim or self._claiming is not None or self._is_stopping:
            return
        short = self._config.concurrency - self._waiting()
        if short > 0 and sum(work.claim.length for work in self._works.values()) < _MOST_BYTES:
            most = min(-(-(short + self._config.concurrency) // _REQUESTS_OF_A_CHUNK), _MOST_CLAIMED)
            self._claiming = asyncio.create_task(self._claim(most), name="batches_claim")

    async def _claim(self, most: int) -> None:
        try:
            await self._renew_if_late()
            now = self._clock()
            claims = await self._leases.claim(self.owner, now, now + self._config.lease, most)
            # Where there were fewer, there are none for now.
            self._may_claim = len(claims) == most
            for claim in claims:
                await self._take_up(claim)
        except Exception as error:
            self._may_claim = False
            _log.warning("chunks of batches cannot be claimed", reason=_short(error))
        finally:
            self._claiming = None
            self._room.set()

    async def _take_up(self, claim: Claim) -> None:
        key = (claim.batch_id, claim.number)
        try:
            known = self._senders.get(claim.batch_id) or await self._sender(claim.batch_id)
            done = await self._leases.done_of(claim) if claim.attempt > 1 else set[int]()
            lines = await chunk_lines(self._blobs, known[1], claim.offset, claim.length)
            if len(lines) != claim.count:
                raise ValueError(f"{len(lines)} requests where {claim.count} were written")
            work = Work(claim, known[0], lines, done)
        except Exception as error:
            _log.error("a chunk of a batch cannot be read", chunk=key, reason=_short(error))
            await self._leases.release(self.owner, [claim], self._clock() + self._delay(claim, 0.0))
            return
        former = self._works.get(key)
        if former is not None:
            former.lose()
        self._works[key] = work
        self._turns.append(work)
        self._settle(work)
        self._room.set()

    async def _sender(self, batch_id: str) -> tuple[Sender, str]:
        query = select(*_COLUMNS).where(message_batches.c.id == batch_id)
        async with self._db.connect() as connection:
            batch = Batch(*(await connection.execute(query)).one())
        known = self._senders[batch_id] = sender_of(batch), batch.requests_blob
        return known

    # --- one request after the other ---

    async def _begin(self) -> None:
        while True:
            self._claim_if_short()
            if self._running >= self._config.concurrency or not self._turns:
                self._room.clear()
                await self._room.wait()
                continue
            # Others first: nobody who is served may wait for more than one request of a batch.
            await asyncio.sleep(self._way())
            work = self._next()
            if work is not None:
                self._start(work, work.todo.popleft())

    def _way(self) -> float:
        """Seconds until the next request may be begun."""
        traffic = self._traffic
        if traffic is None:
            return 0
        now = asyncio.get_running_loop().time()
        if traffic.under_way or traffic.begun != self._begun:
            self._begun = traffic.begun
            self._quiet_from = now + _NOT_LONG
            return _GIVE_WAY
        return _GIVE_SOME_WAY if now < self._quiet_from else 0

    def _next(self) -> Work | None:
        """Whose turn it is: each chunk's, one request at a time."""
        turns = self._turns
        while turns:
            work = turns[0]
            if work.todo:
                turns.rotate(-1)
                return work
            turns.popleft()
        return None

    def _start(self, work: Work, place: int) -> None:
        self._running += 1
        item = Item(self._endpoints, work.sender, work.line(place))
        task = asyncio.create_task(item.run())
        work.running[place] = item, task
        task.add_done_callback(partial(self._ended, work, place))

    def _ended(self, work: Work, place: int, task: asyncio.Task[Outcome]) -> None:
        self._running -= 1
        del work.running[place]
        failure = None if task.cancelled() else task.exception()
        if task.cancelled():
            # By us, and by no fault of its own: it is left for another attempt, or for the end of the batch.
            work.again.append(place)
        elif failure is None:
            work.succeeded(place, task.result())
        elif not isinstance(failure, TryAgain):
            _log.error("internal error", exc_info=failure)
            work.again.append(place)
        elif failure.status == _STATUS_INTERNAL and work.claim.attempt >= _MOST_ATTEMPTS:
            work.succeeded(place, failure.last)
        else:
            work.failed(place, failure)
        self._room.set()
        self._settle(work)

    # --- what came of them ---

    def _settle(self, work: Work) -> None:
        """See whether there is something to write of `work`."""
        if work.is_over:
            self._results.set()
        elif work.outcomes and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_RECORD_INTERVAL, self._due)

    def _due(self) -> None:
        self._timer = None
        self._results.set()

    async def _record(self) -> None:
        pause = first_pause = 0.1
        while True:
            await self._results.wait()
            self._results.clear()
            try:
                await self._write_some()
                pause = first_pause
            except Exception as error:
                _log.warning("results of batches cannot be written, they wait", reason=_short(error))
                self._results.set()
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    async def _write_some(self, *, all_at_once: bool = False) -> None:
        """Write results that are there, and let go of chunks that nothing more comes of."""
        lost = [key for key, work in self._works.items() if work.is_lost and work.is_over]
        for key in lost:
            del self._works[key]
            self._room.set()
        works = [work for work in self._works.values() if not work.is_lost and (work.outcomes or work.is_over)]
        if not works:
            return
        brought: dict[tuple[str, int, int], tuple[Work, Brought, bool]] = {}
        room = _FEW if self._way() and not all_at_once else sum(len(work.outcomes) for work in works)
        for work in works:
            some = work.outcomes[:room]
            room -= len(some)
            over = work.is_over and len(some) == len(work.outcomes)
            if some or over:
                brought[work.claim.key] = work, Brought(work.claim, some, over and work.is_done), over
        refused = await self._recording.write(
            [each for _, each, _ in brought.values()], self._clock() + self._config.lease
        )
        for each in refused:
            work, _, _ = brought.pop(each.claim.key)
            work.outcomes.clear()
            work.lose()
            self._results.set()
        for work, each, over in brought.values():
            del work.outcomes[: len(each.outcomes)]
            if over:
                await self._let_go(work, each.done)
            else:
                self._settle(work)

    async def _let_go(self, work: Work, done: bool) -> None:
        if not done:
            await self._leases.release(self.owner, [work.claim], self._clock() + self._delay(work.claim, work.after))
        self._works.pop((work.claim.batch_id, work.claim.number), None)
        self._room.set()
        if not any(one.claim.batch_id == work.claim.batch_id for one in self._works.values()):
            # It may have been the last.
            self._looking.set()

    def _delay(self, claim: Claim, after: float) -> float:
        config = self._config
        if self._is_stopping:
            return 0.0
        return max(after, min(config.retry_delay * 2 ** min(claim.attempt - 1, 30), config.longest_retry_delay))

    # --- in the background ---

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._config.heartbeat)
            try:
                await self._renew_all()
            except Exception as error:
                _log.warning("chunks of batches cannot be renewed", reason=_short(error))

    async def _renew_if_late(self) -> None:
        """After a machine has slept, what nobody else has taken meanwhile is still ours."""
        if self._clock() - self._renewed_at > self._config.lease / 2:
            await self._renew_all()

    async def _renew_all(self) -> None:
        works = [work for work in self._works.values() if not work.is_lost]
        now = self._clock()
        if works:
            ours = await self._leases.renew(self.owner, [work.claim for work in works], now + self._config.lease)
            for work in works:
                # What was over may have been written meanwhile.
                if work.claim.key not in ours and not work.is_over:
                    work.lose()
                    self._settle(work)
        self._renewed_at = now

    async def _clear(self) -> None:
        while True:
            try:
                await self._finisher.clear_leftovers()
            except Exception as error:
                _log.warning("rows of batches that have ended cannot be deleted", reason=_short(error))
            await asyncio.sleep(_LEFTOVERS_EVERY)


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]
