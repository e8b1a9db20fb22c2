"""One HTTP/1.1 connection to a llama.cpp server: one request after the other, each answer read as its bytes come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from .failures import LlamaGoneError, LlamaTimeoutError

# Bytes of a body that are held for a reader who does not come; the socket is read no further meanwhile.
_MOST_HELD: Final = 1024 * 1024
# Bytes in a row that are no body: an answer's head, or what frames its chunks.
_MOST_FRAMING: Final = 64 * 1024


class Socket(asyncio.Protocol):
    """`status` is that of the answer whose head has come, `answered` whether any byte of it has."""

    def __init__(self) -> None:
        self.status = 0
        self.answered = False
        # Seconds that whoever asked has left for the rest of the answer.
        self.left = 0.0
        # The loop's time when it was last put aside.
        self.since = 0.0
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self._framing = 0
        self._headed = False
        self._complete = False
        # Whether the answer says where it ends.
        self._framed = False
        self._paused = False
        self._lost: str | None = None
        self._waiter: asyncio.Future[None] | None = None
        # One timer for many waits: a token comes long before it, and leaves it as it is.
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._rings = 0.0
        self._rest: asyncio.TimerHandle | None = None
        self._then: Callable[[Socket], None] | None = None

    @property
    def usable(self) -> bool:
        """Whether the last answer was whole and the next request can be sent."""
        return self._complete and self._lost is None

    @property
    def complete(self) -> bool:
        """Whether the last answer was whole."""
        return self._complete

    @property
    def lost(self) -> bool:
        return self._lost is not None

    def send(self, request: bytes) -> None:
        """Begin the next exchange."""
        self._stop_resting()
        self.status = 0
        self.answered = self._headed = self._complete = self._framed = False
        self._held = self._framing = 0
        self._pieces.clear()
        self._parser = httptools.HttpResponseParser(self)
        if self._transport is not None and self._lost is None:
            self._transport.write(request)

    async def head(self, seconds: float) -> None:
        """Wait until the answer's head is there. Raises LlamaGoneError and LlamaTimeoutError."""
        due = self._loop.time() + seconds
        while not self._headed:
            if self._lost is not None:
                raise LlamaGoneError(self._lost)
            await self._wait(due)

    async def read(self, seconds: float) -> bytes:
        """The next bytes of the body; none at its end. Raises LlamaGoneError and LlamaTimeoutError."""
        if not self._pieces:
            due = self._loop.time() + seconds
            while not self._pieces:
                if self._complete:
                    return b""
                if self._lost is not None:
                    raise LlamaGoneError(self._lost)
                await self._wait(due)
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self._held = 0
        if self._paused and self._transport is not None:
            self._paused = False
            if self._lost is None:
                self._transport.resume_reading()
        return data

    def rest(self, seconds: float, then: Callable[[Socket], None]) -> None:
        """Nobody reads here now. It is closed in `seconds`; `then` is called once, when it is closed by whomever."""
        self.since = self._loop.time()
        self._pieces.clear()
        self._then = then
        self._rest = self._loop.call_later(seconds, self.abort)

    def abort(self) -> None:
        """Close at once, whatever is under way: whoever waits gets LlamaGoneError."""
        self._lose("The connection to the llama.cpp server was closed.")
        if self._transport is not None:
            self._transport.abort()

    async def _wait(self, due: float) -> None:
        """Until anything happens. Raises LlamaTimeoutError if it was past `due`."""
        seconds = due - self._loop.time()
        if seconds <= 0.0:
            raise LlamaTimeoutError("The llama.cpp server took too long.")
        self._due = due
        if self._timer is None or self._rings > due:
            self._set_timer(seconds)
        self._waiter = waiter = self._loop.create_future()
        try:
            await waiter
        finally:
            self._waiter = None

    def _set_timer(self, seconds: float) -> None:
        self._stop_timer()
        self._rings = self._due
        self._timer = self._loop.call_later(seconds, self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        if self._waiter is not None:
            left = self._due - self._loop.time()
            if left > 0.0:
                self._set_timer(left)
            else:
                self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _stop_resting(self) -> Callable[[Socket], None] | None:
        if self._rest is not None:
            self._rest.cancel()
        then, self._rest, self._then = self._then, None, None
        return then

    def _settle(self) -> None:
        """Nothing more comes: say so to whoever reads or left it to rest."""
        self._stop_timer()
        self._wake()
        if then := self._stop_resting():
            then(self)

    def _lose(self, why: str) -> None:
        self._lost = self._lost or why
        self._settle()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._parser is None or self._complete:
            self._lose("The llama.cpp server sent what nobody asked for.")
            self.abort()
            return
        self.answered = True
        before = self._held
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._lose("The llama.cpp server's answer is no HTTP.")
            self.abort()
            return
        self._framing = self._framing + len(data) if self._held == before else 0
        if self._framing > _MOST_FRAMING:
            self._lose("The llama.cpp server's answer has too long a head.")
            self.abort()
        elif self._held > _MOST_HELD and not self._paused and self._transport is not None and self._rest is None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._headed and not self._framed and exc is None:
            # An answer without a length ends with its connection.
            self._complete = True
        self._lose("The llama.cpp server broke the connection off.")

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        assert self._parser is not None
        self.status = self._parser.get_status_code()
        # 100 Continue and its like come before the answer.
        if self.status >= 200:
            self._headed = True
            self._wake()

    def on_body(self, body: bytes) -> None:
        self._pieces.append(body)
        self._held += len(body)
        self._wake()

    def on_message_complete(self) -> None:
        if self._headed:
            assert self._parser is not None
            self._complete = True
            if not self._parser.should_keep_alive():
                self._lost = "The llama.cpp server closes the connection."
            self._settle()
