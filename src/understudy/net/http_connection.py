"""One connection to an upstream that speaks HTTP/1.1, and the answer that is read from it.

llhttp (by httptools) parses; what is decided here is how much is taken, whether an answer is whole, and whether its
connection can be used again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, cast

import httptools

# Bytes of an answer's status line and headers, those of interim answers before it included.
_MOST_HEAD: Final = 256 * 1024
# Bytes of a body that wait to be read, beyond which the upstream is made to wait.
_MOST_WAITING: Final = 256 * 1024
# Least seconds between two looks at whether a read takes too long.
_LOOK: Final = 0.01


class UpstreamHttpError(Exception):
    """A request that got no answer, or only a part of one. The text is for logs."""


class NotConnectedError(UpstreamHttpError):
    """No connection stood, so not a byte of the request was sent."""


class BrokenError(UpstreamHttpError):
    """The connection ended before the answer was whole, or what came was not HTTP. `answered`: a byte had come."""

    def __init__(self, why: str, *, answered: bool) -> None:
        super().__init__(why)
        self.answered = answered


class TooSlowError(UpstreamHttpError):
    """Nothing came in time."""


class Answer:
    """An answer whose status and headers have come. Names of headers are in lower case.

    Read it to its end, or `close` it: else its connection is lost. One at a time may read.
    """

    __slots__ = (
        "_connection",
        "_due",
        "_error",
        "_left",
        "_loop",
        "_pieces",
        "_size",
        "_timer",
        "_waiter",
        "ended",
        "headers",
        "status",
    )

    def __init__(self, connection: Connection, loop: asyncio.AbstractEventLoop) -> None:
        self._connection: Connection | None = connection
        self._loop = loop
        self._pieces: list[bytes] = []
        self._size = 0
        self._error: UpstreamHttpError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._left: float | None = None
        self._due: float | None = None
        self._timer: asyncio.TimerHandle | None = None
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.ended = False

    def header(self, name: bytes) -> str:
        """A header's value, of several the first; "" if there is none."""
        return next((value for found, value in self.headers if found == name), b"").decode("latin-1")

    @property
    def content_type(self) -> str:
        """In lower case and without parameters; "" if nothing was said."""
        return self.header(b"content-type").partition(";")[0].strip().lower()

    def allow(self, seconds: float) -> None:
        """From now on reads may wait this long, all together, until this is called again. No limit before.

        Only time in which a read waits counts, and one timer watches over all reads: arming one for each would cost as
        much as the read.
        """
        self._left = max(seconds, 0.0)
        if self._due is not None:
            self._due = self._loop.time() + self._left
        if self._timer is not None and self._loop.time() + self._left < self._timer.when():
            self._timer.cancel()
            self._timer = None if self._due is None else self._loop.call_later(self._left, self._look)

    async def read(self) -> bytes:
        """What has come of the body, at least a byte of it; none at its end.

        Raises BrokenError where it breaks off, TooSlowError where it takes longer than allowed. What came before is
        given first.
        """
        while not self._pieces:
            if self.ended:
                return b""
            await self._wait_for_body()
        pieces = self._pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        if self._size > _MOST_WAITING and self._connection is not None:
            self._connection.resume()
        self._size = 0
        return data

    async def _wait_for_body(self) -> None:
        left = self._left
        if left is None:
            await self.wait()
            return
        now = self._loop.time()
        self._due = now + left
        if self._timer is None:
            self._timer = self._loop.call_later(left, self._look)
        try:
            await self.wait()
        finally:
            due, self._due = self._due, None
            self._left = max(due - self._loop.time(), 0.0)

    def _look(self) -> None:
        now = self._loop.time()
        due = now + (self._left or 0.0) if self._due is None else self._due
        if self._due is not None and now >= due:
            self._timer = None
            self.fail(TooSlowError("nothing came in time"))
        else:
            # Nobody who is not waiting can have waited too long, however little is left.
            self._timer = self._loop.call_at(max(due, now + _LOOK), self._look)

    def close(self) -> None:
        """Break the connection off, unless the answer has come to its end."""
        if self._connection is not None:
            self._connection.abort()
        self._detach()

    # --- for the connection ---

    async def wait(self) -> None:
        """Wait until something has changed."""
        if self._error is not None:
            raise self._error
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None
        if self._error is not None and not self._pieces:
            raise self._error

    def wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def add(self, data: bytes) -> bool:
        """Returns whether that is enough for now."""
        self._pieces.append(data)
        self._size += len(data)
        return self._size > _MOST_WAITING

    def end(self) -> None:
        self.ended = True
        self._detach()
        self.wake()

    def fail(self, error: UpstreamHttpError) -> None:
        self._error = error
        connection = self._connection
        self._detach()
        if connection is not None:
            connection.abort()
        self.wake()

    def _detach(self) -> None:
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Connection(asyncio.Protocol):
    """`free` is called when an answer has ended and another request may be sent, `gone` when the connection has ended;
    `lost` tells that none can be sent any more.

    Its `on_*` methods are httptools' callbacks.
    """

    __slots__ = (
        "_answer",
        "_framed",
        "_free",
        "_gone",
        "_head",
        "_interim",
        "_keep",
        "_loop",
        "_parser",
        "_paused",
        "_surplus",
        "_transport",
        "idle_since",
        "lost",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        free: Callable[[Connection], None],
        gone: Callable[[Connection], None],
    ) -> None:
        self._loop = loop
        self._free = free
        self._gone = gone
        self._transport: asyncio.Transport | None = None
        self._parser: Any = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._head = 0
        self._framed = False
        self._interim = False
        self._keep = False
        self._paused = False
        self._surplus = False
        self.idle_since = 0.0
        self.lost = False

    async def ask(self, parts: list[bytes], first_byte: float) -> Answer:
        """Send a request. Returns when its answer's status and headers have come.

        Raises BrokenError; TooSlowError after `first_byte` seconds.
        """
        assert self._transport is not None
        answer = self._answer = Answer(self, self._loop)
        self._head = 0
        self._framed = False
        timer = self._loop.call_later(first_byte, answer.fail, TooSlowError("no answer came in time"))
        self._transport.writelines(parts)
        try:
            while not answer.status:
                await answer.wait()
        except BaseException:
            answer.close()
            raise
        finally:
            timer.cancel()
        return answer

    def resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    def close(self) -> None:
        """Close it; an answer that is under way breaks off."""
        self.lost = True
        if self._answer is not None:
            self._answer.fail(BrokenError("the client was closed", answered=True))
            return
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End it at once, whatever is under way."""
        self.lost = True
        self._answer = None
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio's callbacks ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own class does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._transport = None
        self._gone(self)
        answer, self._answer = self._answer, None
        if answer is None:
            return
        # A body of no told length ends with its connection; a connection that fails ends none.
        if answer.status and not self._framed and exc is None:
            answer.end()
        else:
            answer.fail(BrokenError("the connection ended", answered=self._head > 0))

    def data_received(self, data: bytes) -> None:
        answer = self._answer
        if answer is None:
            # Nobody asked for it.
            self.abort()
            return
        if not answer.status:
            self._head += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._not_http(answer, str(error))
            return
        if answer.ended:
            self._ended()
        elif not answer.status and self._head > _MOST_HEAD:
            self._not_http(answer, "its headers are too long")
        else:
            answer.wake()

    def _not_http(self, answer: Answer, why: str) -> None:
        answer.fail(BrokenError(f"what came is not HTTP as it is understood: {why}"[:500], answered=True))
        self.abort()

    def _ended(self) -> None:
        self._answer = None
        transport = self._transport
        # An answer before the request's end leaves the rest of it in the way of the next one.
        if transport is None or self._surplus or not self._keep or transport.get_write_buffer_size():
            self.abort()
            return
        self.resume()
        self.idle_since = self._loop.time()
        self._free(self)

    # --- the parser's callbacks ---

    def on_message_begin(self) -> None:
        answer = self._answer
        if answer is None or answer.ended:
            self._surplus = True

    def on_header(self, name: bytes, value: bytes) -> None:
        answer = self._answer
        if answer is None or answer.ended or answer.status:
            # Nobody's, or a trailer: nothing in it is of use.
            return
        low = name.lower()
        answer.headers.append((low, value))
        if low in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        answer = self._answer
        if answer is None or answer.ended:
            return
        status: int = self._parser.get_status_code()
        self._interim = 100 <= status <= 199
        if self._interim:
            answer.headers.clear()
            self._framed = False
        else:
            answer.status = status
            # The parser forgets it with the message's end.
            self._keep = self._parser.should_keep_alive()

    def on_body(self, data: bytes) -> None:
        answer = self._answer
        if answer is None or answer.ended:
            return
        if answer.add(data) and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        answer = self._answer
        if self._interim:
            self._interim = False
        elif answer is not None and not answer.ended:
            answer.end()
