"""What lies below ASGI: bounds on headers and on slowness, and refusals in the API's envelope.

A small subclass of uvicorn's HttpToolsProtocol. A request that arrives whole in one read, as nearly all do, arms no
timer and is measured once.
"""

from __future__ import annotations

import asyncio
import re
import time
from enum import Enum
from functools import partial
from typing import Any, ClassVar, Final, cast

import orjson
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from understudy.http.record import RequestLog, RequestRecord
from understudy.settings import HttpSettings
from understudy.wire.errors import (
    ApiError,
    HeaderFieldsTooLargeError,
    InvalidRequestError,
    RequestTimeoutError,
    error_body,
)
from understudy.wire.ids import new_id

# A body may take the timeout, and beyond it must keep up this many bytes a second.
_LEAST_BODY_RATE: Final = 1024

# Seconds in which what a client goes on sending after its answer is read and dropped.
_LINGER: Final = 10.0

# Set in the scope when the body came too slowly; the body reader answers 408 (see body.py).
BODY_TOO_SLOW: Final = "understudy.body_too_slow"

# In the scope: writes a whole answer (see BoundedHttpProtocol._respond). A server that is not ours has none.
RESPOND: Final = "understudy.respond"

# Set in the scope when the client has gone, before the task that answers it is cancelled.
CLIENT_GONE: Final = "understudy.client_gone"

_CLOSE: Final = (b"connection", b"close")
_REASONS: Final = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


# Bytes of a request in which an offer to upgrade is looked for.
_H2C_WITHIN: Final = 4096
_H2C_LINE: Final = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)


def _decline_h2c(data: bytes) -> bytes:
    """`data` without an offer to speak HTTP/2, as Java's HttpClient makes with its first request.

    The parser would stop at it and lose the body; a server that takes no offer may simply go on in HTTP/1.1
    (RFC 9110 §7.8).
    """
    head, end, rest = data.partition(b"\r\n\r\n")
    return _H2C_LINE.sub(b"", head + b"\r\n")[:-2] + end + rest if end else data


def cut(respond: object) -> None:
    """Close the connection under an answer, as a network that breaks does; what was written before is still sent.

    `respond` is what the request's scope holds under RESPOND. Does nothing for one of another server.
    """
    if isinstance(respond, partial):
        cycle = cast("RequestResponseCycle", respond.args[0])
        cycle.disconnected = True
        cycle.transport.close()


class _UntilClosed(int):
    """The length of an HTTP/1.0 answer that ends with its connection: never exceeded, and never missing."""

    def __sub__(self, other: int) -> _UntilClosed:
        return self

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


class _Phase(Enum):
    IDLE = "between two requests"
    HEAD = "in a request's line and headers"
    BODY = "behind the headers, until the request's end"


class BoundedHttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 with limits. uvicorn makes one for each connection; the class variables are set once for the process."""

    bounds: ClassVar[HttpSettings] = HttpSettings()
    request_log: ClassVar[RequestLog | None] = None

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._refused = False
        # The request that is being answered, and by which task; `self.cycle` is the newest that was read.
        self._answering: RequestResponseCycle | None = None
        self._task: asyncio.Task[None] | None = None
        self._phase = _Phase.IDLE
        self._discarding = False
        # Bytes of the head at hand; not exact when it began in the same read as its predecessor ended.
        self._head_bytes = 0
        self._head_is_exact = True
        self._read_bytes = 0
        # Bytes of the body at hand, and those of them, at the end, that were chunk framing or trailers.
        self._body_bytes = 0
        self._framing_bytes = 0
        # Since when the phase at hand is incomplete, and when its newest bytes came.
        self._waiting_since = 0.0
        self._newest_byte = 0.0
        self._progress_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None

    # --- connection ---

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_progress()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        # As uvicorn does, but the task is kept: it is cancelled when the client goes.
        scope = cast("dict[str, Any]", cycle.scope)
        scope[RESPOND] = partial(self._respond, cycle)
        if scope["http_version"] == "1.0":
            # Chunks are not for HTTP/1.0 (RFC 9112 §6.1). An answer that names its length overrides this.
            cycle.chunked_encoding = None if scope["method"] == "HEAD" else False
            cycle.expected_content_length = _UntilClosed(1 << 62)
        self._answering = cycle
        self._task = task = self.loop.create_task(cycle.run_asgi(app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def connection_lost(self, exc: Exception | None) -> None:
        cycle = self._answering
        if cycle is not None and self._task is not None and not cycle.response_complete:
            cycle.disconnected = True
            cast("dict[str, Any]", cycle.scope)[CLIENT_GONE] = True
            self._task.cancel()
        for timer in (self._progress_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    # --- reading ---

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._read_bytes = len(data)
        if self._phase is _Phase.HEAD:
            self._head_bytes += len(data)
        elif self._phase is _Phase.BODY:
            self._body_bytes += len(data)
            self._framing_bytes += len(data)
        elif data.find(b"h2c", 0, _H2C_WITHIN) > 0:
            data = _decline_h2c(data)
        super().data_received(data)
        if self._refused:
            return
        if self._phase is _Phase.IDLE:
            self._keep_alive()
        elif self._phase is _Phase.HEAD:
            if self._head_bytes > self.bounds.max_header_bytes:
                self._refuse(HeaderFieldsTooLargeError())
            else:
                self._watch_progress()
        elif self._framing_bytes > self.bounds.max_header_bytes:
            self._refuse(HeaderFieldsTooLargeError("Request trailer fields too large"))
        elif self.cycle.response_complete:
            self._discard()
        else:
            self._watch_progress()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_is_exact = self._phase is _Phase.IDLE and self._read_bytes > 0
        self._head_bytes = self._read_bytes if self._head_is_exact else 1
        # What else begins in this read is not measured by its size.
        self._read_bytes = 0
        self._phase = _Phase.HEAD

    def on_headers_complete(self) -> None:
        self._phase = _Phase.BODY
        self._body_bytes = self._framing_bytes = 0
        self._stop_watching()
        # The count may hold bytes of the body that came in the same read, so it is only a reason to look closer.
        if self._head_bytes > self.bounds.max_header_bytes or not self._head_is_exact:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self.bounds.max_header_bytes:
                self._refuse(HeaderFieldsTooLargeError())
                return
        super().on_headers_complete()
        # Trailer fields are read into the list at hand. They must not stand among the headers: nobody in front of us
        # looks there for a credential (RFC 9110 §6.5.1).
        self.headers = []

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._phase = _Phase.IDLE
        self._stop_watching()
        if not self._refused:
            super().on_message_complete()
            if not self.pipeline:
                # A long body has paused reading; nobody would notice that the client goes.
                self.flow.resume_reading()

    def _keep_alive(self) -> None:
        """Close the connection if nothing more comes, unless uvicorn sees to that when it has answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is not None and cycle.response_complete and self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _discard(self) -> None:
        """The answer (a 413, a 401) came before the end of the body: read on, so that the client gets to read it.

        Closing at once would reset the connection under the client's feet. uvicorn drops what is read.
        """
        if not self._discarding:
            self._stop_watching()
            self._discarding = True
            self._progress_timer = self.loop.call_later(_LINGER, self.transport.close)

    def _unsupported_upgrade_warning(self) -> None:
        """An offer to upgrade is declined by answering in HTTP/1.1; that is no event."""

    # --- slowness ---

    def _watch_progress(self) -> None:
        self._newest_byte = self.loop.time()
        if self._progress_timer is None:
            self._waiting_since = self._newest_byte
            in_body = self._phase is _Phase.BODY
            timeout = self.bounds.body_timeout if in_body else self.bounds.header_timeout
            self._progress_timer = self.loop.call_later(timeout, self._check_progress)

    def _stop_watching(self) -> None:
        self._discarding = False
        if self._progress_timer is not None:
            self._progress_timer.cancel()
            self._progress_timer = None

    def _check_progress(self) -> None:
        self._progress_timer = None
        if self._refused or self.transport.is_closing():
            return
        if self._phase is _Phase.BODY:
            self._check_body()
        elif self._answering is not None and not self._answering.response_complete:
            # The next request comes slowly while this one is answered; there is time for both.
            self._watch_progress()
        elif self._phase is _Phase.HEAD:
            self._refuse(RequestTimeoutError("Request headers were not received in time"))
        elif self._answering is None:
            self.transport.close()

    def _check_body(self) -> None:
        now = self.loop.time()
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            # The client waits for us.
            self._newest_byte = self._waiting_since = now
        silent_until = self._newest_byte + self.bounds.body_timeout
        slow_until = self._waiting_since + self.bounds.body_timeout + self._body_bytes / _LEAST_BODY_RATE
        deadline = min(silent_until, slow_until)
        if now >= deadline:
            cast("dict[str, Any]", self.cycle.scope)[BODY_TOO_SLOW] = True
            self.cycle.message_event.set()
        else:
            self._progress_timer = self.loop.call_later(deadline - now, self._check_progress)

    # --- writing ---

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.bounds.write_timeout, self._cut_off)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _cut_off(self) -> None:
        self._write_timer = None
        self.transport.abort()

    def _respond(
        self, cycle: RequestResponseCycle, status: int, fields: list[tuple[bytes, bytes]], body: bytes
    ) -> bool:
        """Write a whole answer at once: what three ASGI messages would do, for a third of their cost.

        `fields` name the content-length. Returns False, and does nothing, when it must be done in the usual way.
        """
        unusual = self.flow.write_paused or cycle.response_started or cycle.disconnected
        if unusual or cycle.scope["method"] == "HEAD":
            return False
        if _CLOSE in fields:
            fields.remove(_CLOSE)
            cycle.keep_alive = False
        fields = self.server_state.default_headers + fields
        head = b"\r\n".join(map(b": ".join, fields))
        if head.count(b"\n") != len(fields) - 1 or head.count(b"\r") != len(fields) - 1:
            raise ValueError("a header value with a line break")
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        end = b"\r\n\r\n" if cycle.keep_alive else b"\r\nconnection: close\r\n\r\n"
        self.transport.write(b"".join((STATUS_LINE[status], head, end, body)))
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    # --- refusing ---

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            self._refuse(InvalidRequestError(msg))

    def _refuse(self, error: ApiError) -> None:
        """Answer without the application and close. While an answer is being written, only close."""
        self._refused = True
        cycle = cast("RequestResponseCycle | None", self.cycle)
        answering = self._answering is not None and not self._answering.response_complete
        if cycle is not None and cycle is self._answering and not cycle.response_started:
            # The application waits for a body that will not come.
            answering = False
            cycle.disconnected = True
            cycle.message_event.set()
        request_id = new_id("req_")
        self._record(error, request_id)
        if not answering and not self.transport.is_closing():
            body = orjson.dumps(error_body(error.type, error.message, request_id))
            self.transport.write(
                b"HTTP/1.1 %d %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nrequest-id: %s\r\n"
                b"x-should-retry: false\r\nconnection: close\r\n\r\n%s"
                % (error.status, _REASONS[error.status], len(body), request_id.encode(), body)
            )
            if self.transport.can_write_eof():
                # What the client still sends is dropped until it has read the answer and closes.
                self.transport.write_eof()
                self._stop_watching()
                self._progress_timer = self.loop.call_later(_LINGER, self.transport.close)
                return
        self.transport.close()

    def _record(self, error: ApiError, request_id: str) -> None:
        if self.request_log is not None:
            record = RequestRecord(request_id, time.time(), "-", "-", status=error.status, error_type=error.type)
            self.request_log.begin()
            self.request_log.record(record)
