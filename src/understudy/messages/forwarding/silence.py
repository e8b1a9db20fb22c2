"""What happens while an upstream is silent in the middle of its stream."""

from __future__ import annotations

import asyncio

from understudy.http.exchange import Exchange
from understudy.wire import sse


class Silence:
    """Looks at a stream every so often: a ping is sent after `ping_interval` without an event, and after
    `idle_timeout` without a byte `patience` is at its end. Costs nothing an event but two assignments.
    """

    def __init__(
        self, exchange: Exchange, ping_interval: float, idle_timeout: float, patience: asyncio.Timeout
    ) -> None:
        self._exchange = exchange
        self._loop = asyncio.get_running_loop()
        self._patience = patience
        self._ping: asyncio.Task[None] | None = None
        self._ping_interval, self._idle_timeout = ping_interval, idle_timeout
        # A look comes late by at most a tenth of the shorter of the two.
        self._step = min(ping_interval, idle_timeout) / 10
        self._heard_at = self._received_at = self._loop.time()
        self._timer = self._loop.call_later(self._step, self._look)
        self.sending = self.heard = self.received = False

    def _look(self) -> None:
        now = self._loop.time()
        if self.heard:
            self.heard, self._heard_at = False, now
        if self.received:
            self.received, self._received_at = False, now
        if now - self._received_at >= self._idle_timeout and not self.sending:
            self._patience.reschedule(now)
            return
        if now - self._heard_at >= self._ping_interval and not self.sending:
            self._heard_at = now
            self._ping = self._loop.create_task(self._exchange.write(sse.PING, more=True))
        self._timer = self._loop.call_later(self._step, self._look)

    async def stop(self) -> None:
        self._timer.cancel()
        if self._ping is not None and not self._ping.done():
            await asyncio.wait([self._ping])
