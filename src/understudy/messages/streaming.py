"""An answer's events on the wire, as they come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import structlog

from understudy.http.exchange import Exchange
from understudy.messages.turn import Events
from understudy.wire import sse
from understudy.wire.errors import ApiError, InternalError, OverloadedError, error_body

_log = structlog.stdlib.get_logger("understudy.messages")

# Seconds for the last event of a stream that is cut.
_LAST_WORD: Final = 1.0

Encode = Callable[[Iterable[Mapping[str, Any]]], bytes]


class _Pinger:
    """Sends a ping whenever the stream has been silent for `interval` seconds."""

    def __init__(self, exchange: Exchange, interval: float) -> None:
        self._exchange = exchange
        self._interval = interval
        self._loop = asyncio.get_running_loop()
        self._ping: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(interval, self._fire)
        self.last_sent = time.monotonic()
        self.sending = False

    def _fire(self) -> None:
        silent = time.monotonic() - self.last_sent
        if silent < self._interval * 0.99:
            self._timer = self._loop.call_later(self._interval - silent, self._fire)
            return
        if not self.sending:
            self.last_sent = time.monotonic()
            self._ping = self._loop.create_task(self._exchange.write(sse.PING, more=True))
        self._timer = self._loop.call_later(self._interval, self._fire)

    async def stop(self) -> None:
        self._timer.cancel()
        if self._ping is not None and not self._ping.done():
            await asyncio.wait([self._ping])


async def send_stream(
    exchange: Exchange,
    events: AsyncGenerator[Events, None],
    encode: Encode,
    headers: Callable[[], list[tuple[bytes, bytes]]],
    ping_interval: float,
) -> None:
    """Send all `events`, and a ping after `ping_interval` seconds of silence.

    What fails before the first event is raised; what fails later becomes the stream's last event. `headers` is asked
    once the first event has come.
    """
    first = await anext(events)
    await exchange.start(200, [*headers(), (b"content-type", sse.CONTENT_TYPE), (b"cache-control", b"no-cache")])
    await exchange.write(encode(first), more=True)
    record = exchange.record
    pinger = _Pinger(exchange, ping_interval)
    try:
        async for batch in events:
            if record.time_to_first_token is None:
                record.time_to_first_token = exchange.elapsed()
            pinger.sending = True
            last = batch[-1]["type"] == "message_stop"
            if last:
                await pinger.stop()
            await exchange.write(encode(batch), more=not last)
            pinger.last_sent = time.monotonic()
            pinger.sending = False
    except ApiError as error:
        await pinger.stop()
        await end_with(exchange, error)
    except asyncio.CancelledError:
        await pinger.stop()
        await end_cut(exchange)
        raise
    except Exception:
        _log.exception("internal error in a stream", request_id=exchange.request_id)
        await pinger.stop()
        await end_with(exchange, InternalError())


async def end_cut(exchange: Exchange) -> None:
    """End a stream whose task was cancelled. A client that is still there is told that the drain time is over, and may
    try again elsewhere; one that does not read is not waited for."""
    if not exchange.is_disconnected():
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORD):
                await end_with(exchange, OverloadedError())


async def end_with(exchange: Exchange, error: ApiError) -> None:
    """The stream's last event. Unlike a plain error, it always names `details`, and first (recorded 2026)."""
    exchange.record.error_type = error.type
    body = error_body(error.type, error.message, exchange.request_id)
    body["error"] = {"details": error.details, **body["error"]}
    await exchange.write(sse.encode([body]), more=False)
