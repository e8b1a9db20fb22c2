"""Keeping requests' and answers' bodies: seen on their way, written behind the request's back.

Made only where the installation keeps any. Then every piece of a body is also put into a list; what becomes of it is
decided when the request has ended.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from understudy.http.exchange import Exchange
from understudy.http.record import RequestLog, RequestRecord
from understudy.storage.blobs import BlobsError
from understudy.usage.kept_bodies import Body, Capture, KeptBodies, blob_name, day_of, packed
from understudy.usage.tables import DAY

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Send

STOP_TIMEOUT: Final = 5.0
"""Seconds that `stop` gives what waits to be written; the rest is not kept."""

_MOST_WAITING: Final = 64 * 1024 * 1024  # bytes; blobs that are slower than requests must not fill our memory
_PRUNE_INTERVAL: Final = 3_600.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept: of `all` requests that asked a model, or those that ended in an error; `max_bytes` of each body; of
    the workspaces that are named, or of all."""

    what: Literal["all", "errors"] = "all"
    max_bytes: int = 1024 * 1024
    workspaces: Collection[str] = ()


class RequestBodies:
    """Implements http's RequestLog around another. `watch` is asked before each endpoint (Envelope.watch)."""

    def __init__(self, log: RequestLog, kept: KeptBodies, keeping: Keeping) -> None:
        self._log = log
        self._kept = kept
        self._keeping = keeping
        self._captures: dict[str, Capture] = {}
        self._waiting: deque[tuple[RequestRecord, Capture]] = deque()
        self._bytes = 0
        self._has_work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self.dropped = 0

    async def watch(self, exchange: Exchange) -> None:
        """Begin to keep what is sent and answered."""
        record, keeping = exchange.record, self._keeping
        if record.method != "POST" or (keeping.workspaces and record.workspace_id not in keeping.workspaces):
            return
        content_type = exchange.header(b"content-type") or "application/json"
        if "json" not in content_type:  # uploads, and forms
            return
        encoding = exchange.header(b"content-encoding") or ""
        capture = Capture(Body(keeping.max_bytes, content_type, encoding), Body(keeping.max_bytes))
        self._captures[record.request_id] = capture
        tap = _Tap(capture)
        exchange.tap(tap.around_receive, tap.around_send)

    def begin(self) -> None:
        self._log.begin()

    def record(self, record: RequestRecord) -> None:
        self._log.record(record)
        capture = self._captures.pop(record.request_id, None)
        # Without a model it was another resource's, or refused by what it said of itself.
        if capture is None or record.model is None:
            return
        if self._keeping.what == "errors" and record.error_type is None and record.status < 400:
            return
        size = capture.request.kept + capture.response.kept
        if self._bytes + size > _MOST_WAITING:
            self._drop("they come faster than they can be written")
            return
        self._bytes += size
        self._waiting.append((record, capture))
        self._has_work.set()

    async def start(self) -> None:
        self._task = asyncio.create_task(self._write(), name="request bodies")

    async def stop(self) -> None:
        """After the last request. Raises nothing."""
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._bytes and self._task is not None and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _write(self) -> None:
        while True:
            await self._has_work.wait()
            self._has_work.clear()
            while self._waiting:
                record, capture = self._waiting.popleft()
                try:
                    await self._keep(record, capture)
                except BlobsError as error:
                    self._drop(str(error))
                except Exception as error:  # one that cannot be kept must not cost the others
                    self._drop(type(error).__name__)
                else:
                    self._failing = False
                self._bytes -= capture.request.kept + capture.response.kept

    async def _keep(self, record: RequestRecord, capture: Capture) -> None:
        name = blob_name(record.organization_id or "", record.request_id)
        if name is not None:
            await self._kept.blobs.put(name, await packed(record, capture, asyncio.to_thread))

    def _drop(self, reason: str) -> None:
        self.dropped += 1
        if not self._failing:  # one line an outage
            _log.warning("requests' bodies are not kept now: %s", reason[:300])
        self._failing = True


class BodiesPruning:
    """Removes bodies of more than `days` days ago, once a day; None is for ever. `clock`: seconds since the epoch.

    `keeps`: whether new ones are written. Where not, a store elsewhere than in a directory is left alone.
    """

    def __init__(
        self, kept: KeptBodies, days: int | None, *, keeps: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self._kept = kept
        self._days = days
        self._keeps = keeps
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._days is not None and (self._keeps or self._kept.has_directory()):
            self._task = asyncio.create_task(self._run(self._days), name="request bodies' retention")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, days: int) -> None:
        pruned = ""
        while True:
            before = self._clock() - days * DAY
            if day_of(before) != pruned:
                try:
                    await self._kept.prune(before)
                    pruned = day_of(before)
                except Exception as error:
                    _log.warning("requests' old bodies cannot be removed now: %s", type(error).__name__)
            await asyncio.sleep(_PRUNE_INTERVAL)


class _Tap:
    def __init__(self, capture: Capture) -> None:
        self._capture = capture

    def around_receive(self, receive: Receive) -> Receive:
        body = self._capture.request

        async def receive_and_keep() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                body.add(message.get("body", b""))
            return message

        return receive_and_keep

    def around_send(self, send: Send) -> Send:
        body = self._capture.response

        async def send_and_keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                body.content_type = headers.get(b"content-type", b"").decode("latin-1")
                body.content_encoding = headers.get(b"content-encoding", b"").decode("latin-1")
            elif message["type"] == "http.response.body":
                body.add(message.get("body", b""))
            await send(message)

        return send_and_keep
