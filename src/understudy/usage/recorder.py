"""Requests' records on their way into the database: behind the requests' back, in batches, without loss."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.http.record import RequestRecord
from understudy.settings import LoggingSettings, UsageSettings
from understudy.storage.database import Database
from understudy.usage.metrics import Metrics
from understudy.usage.prices import CATALOG_PRICES, Pricing
from understudy.usage.request_lines import RequestLines
from understudy.usage.rows import Row, request_rows
from understudy.usage.spill import SpillFile
from understudy.usage.writer import AlsoWrite, RowWriter

STOP_TIMEOUT = 10.0
"""Seconds that `stop` gives the database; rows it has not taken by then go to the spill file."""

_MOST_ROWS_A_WRITE = 2_000  # one transaction holds SQLite's write lock about 20 ms for so many
_LONGEST_PAUSE = 5.0  # seconds between two tries while the database is away
_REPLAY_INTERVAL = 5.0  # seconds after which rows spilled by another process are looked for, while rows are written

_log = logging.getLogger(__name__)


class Recorder:
    """Implements http's RequestLog.

    `record` only appends. The first record arms a timer of `flush_interval`; when it fires, or `flush_rows` have come
    together, the records become rows, are folded into the metrics, logged, and handed to a task that writes them.
    While the database does not take rows, up to `queue_rows` wait in memory and the others in a spill file, which is
    read back at start and as soon as the database answers. Nothing runs while no requests come.
    """

    def __init__(
        self,
        db: Database,
        usage: UsageSettings,
        logging: LoggingSettings,
        metrics: Metrics,
        also_write: AlsoWrite | None = None,
        lines: RequestLines | None = None,
        pricing: Pricing = CATALOG_PRICES,
    ) -> None:
        """`also_write` writes in the same transactions as the rows: the keys' last use, which is not ours to know."""
        self._db = db
        self._pricing = pricing
        self._interval = usage.flush_interval
        self._flush_rows = min(usage.flush_rows, usage.queue_rows)
        self._queue_rows = usage.queue_rows
        self._metrics = metrics
        self._lines = (lines or RequestLines()) if logging.requests and logging.level in ("debug", "info") else None
        self._writer = RowWriter(db, metrics, request_log=usage.request_log, also_write=also_write)
        self._spill_file = SpillFile(db.data_dir)

        self._records: list[RequestRecord] = []
        self._timer: asyncio.Handle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

        self._rows: list[Row] = []  # waiting for the database
        self._has_rows = asyncio.Event()
        self._overflow: list[Row] = []  # waiting for the spill file
        self._spilling: asyncio.Task[None] | None = None
        self._spilled = True  # whether there may be a spill file to read back
        self._replay_at = 0.0
        self._writing: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def begin(self) -> None:
        """A request has come."""
        self._metrics.request_started()

    def record(self, record: RequestRecord) -> None:
        """Remember a request that has ended; `record` must not change any more."""
        self._metrics.request_ended()
        records = self._records
        records.append(record)
        if self._loop is None:
            return  # start takes them
        if self._timer is None:
            self._timer = self._loop.call_later(self._interval, self._take)
        if len(records) == self._flush_rows:
            self._timer.cancel()
            self._timer = self._loop.call_soon(self._take)

    async def record_in(self, connection: AsyncConnection, records: Sequence[RequestRecord]) -> Callable[[], None]:
        """Write `records`, of which `begin` and `record` were not told, in the connection's transaction. Call what is
        returned once that has committed.

        For work that must be billed exactly if its outcome was kept. They are no requests over HTTP, and not logged.
        """
        rows = request_rows(records, self._pricing)
        rows += request_rows(_further(records), self._pricing)
        remember = await self._writer.write_in(connection, rows)

        def committed() -> None:
            remember()
            self._metrics.count_rows("written", len(rows))
            self._metrics.observe_models(rows)

        return committed

    async def start(self) -> None:
        """Begin to write. Rows of a spill file are read back first."""
        self._loop = asyncio.get_running_loop()
        self._has_rows.set()
        self._writing = asyncio.create_task(self._write(), name="usage")
        if self._records:
            self._take()

    async def stop(self) -> None:
        """Write everything: to the database or, when it does not answer within STOP_TIMEOUT, to the spill file.

        What is recorded after this is lost: stop taking requests first.
        """
        if self._timer is not None:
            self._timer.cancel()
        self._take()
        self._loop = None
        self._stopping.set()
        self._has_rows.set()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=STOP_TIMEOUT)
            self._writing.cancel()
            await asyncio.wait([self._writing], timeout=1.0)
        self._overflow += self._rows
        self._rows = []
        while self._overflow or self._spilling is not None:
            self._spill()
            if self._spilling is not None:
                await asyncio.wait([self._spilling])
        if self._lines is not None:
            await self._lines.close(1.0)

    def _take(self) -> None:
        """Turn the records that have come into rows, and hand these on. Runs in the event loop, without a pause."""
        self._timer = None
        records, self._records = self._records, []
        if not records:
            return
        rows = request_rows(records, self._pricing)
        further = request_rows(_further(records), self._pricing)
        written = rows + further
        room = max(0, self._queue_rows - len(self._rows))
        self._rows += written[:room]
        self._has_rows.set()
        if len(written) > room:
            self._overflow += written[room:]
            self._spill()
            if self._spilling is not None and len(self._overflow) > 2 * self._queue_rows:
                self._drop_overflow()
        try:
            self._metrics.observe(rows)
            if further:
                self._metrics.observe_models(further)
            if self._lines is not None:
                self._lines.write(rows)
        except Exception:  # a record that is none must not cost the others
            _log.exception("requests cannot be counted or logged")

    async def _write(self) -> None:
        pause = first_pause = 0.1
        failing = False
        while True:
            await self._has_rows.wait()
            batch = self._rows[:_MOST_ROWS_A_WRITE]
            try:
                # With nothing to write, what else there is (a key's last use) is written when stopping.
                if batch or self._stopping.is_set():
                    await self._writer.write(batch)
                    del self._rows[: len(batch)]
                if failing:
                    _log.warning("the database takes request rows again")
                    pause, failing = first_pause, False
                if not self._rows and not self._stopping.is_set():
                    await self._replay()
            except Exception as error:
                if not self._db.is_unavailable(error):
                    _log.exception("request rows cannot be written")
                elif not failing:
                    _log.warning("the database does not take request rows, they wait: %s", type(error).__name__)
                failing = True
                if self._stopping.is_set():
                    return
                await self._pause(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            if not self._rows:
                if self._stopping.is_set():
                    return
                self._has_rows.clear()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _replay(self) -> None:
        """Write the rows of the spill file. A row that was written before, by whomever, is passed over."""
        now = asyncio.get_running_loop().time()
        if not self._spilled and now < self._replay_at:
            return
        if self._spilling is not None:
            await asyncio.wait([self._spilling])
        self._spilled, self._replay_at = False, now + _REPLAY_INTERVAL
        try:
            for path in await asyncio.to_thread(self._spill_file.claim):
                await self._replay_file(path)
        except BaseException:
            self._spilled = True
            raise

    async def _replay_file(self, path: Path) -> None:
        offset: int | None = 0
        while offset is not None:
            rows, bad_lines, offset = await asyncio.to_thread(self._spill_file.read, path, offset)
            if bad_lines:
                _log.warning("%d lines of %s are no rows", bad_lines, path.name)
                self._metrics.count_rows("refused", bad_lines)
            for begin in range(0, len(rows), _MOST_ROWS_A_WRITE):
                await self._writer.write(rows[begin : begin + _MOST_ROWS_A_WRITE])
        await asyncio.to_thread(self._spill_file.remove, path)

    def _spill(self) -> None:
        if self._spilling is None and self._overflow:
            self._spilling = asyncio.create_task(self._spill_overflow(), name="usage spill")
            self._spilling.add_done_callback(self._spill_ended)

    async def _spill_overflow(self) -> None:
        rows, self._overflow = self._overflow, []
        try:
            await asyncio.to_thread(self._spill_file.append, rows)
        except Exception as error:
            _log.error("%d request rows are lost: %s: %s", len(rows), self._spill_file.path.name, error)
            self._metrics.count_rows("dropped", len(rows))
        else:
            self._spilled = True
            self._metrics.count_rows("spilled", len(rows))

    def _drop_overflow(self) -> None:
        # Neither the database nor the disk answers: memory is the last thing to keep.
        count = len(self._overflow) - self._queue_rows
        del self._overflow[:count]
        _log.error("%d request rows are lost: the disk of the spill file does not answer", count)
        self._metrics.count_rows("dropped", count)

    def _spill_ended(self, _: asyncio.Task[None]) -> None:
        self._spilling = None
        if self._overflow and self._loop is not None:
            self._spill()


def _further(records: Iterable[RequestRecord]) -> list[RequestRecord]:
    return [call for record in records for call in record.further]
