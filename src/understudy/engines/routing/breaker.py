"""Leaves a broken target alone, and tries it again with one request at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

_ONE_EVENT: Final = 1.0
"""Seconds within which requests that went on together fail together."""


class Sent(NamedTuple):
    """A request that was sent: how many failures had counted before, and whether it is a probe."""

    counted: int
    probe: bool


class Breaker:
    """Opens after `failures` failures in a row. After `cool_down` seconds one request may try; if it fails, the same
    time begins anew.

    What takes many requests with it, such as a restart of the target, is one failure: one that was sent before the
    last failure that counted, and fails within a second of it, does not count again.

    `begin` is called for every request that is sent, and exactly one of `succeeded`, `failed` and `ended` after it;
    one that has succeeded may still fail.
    """

    __slots__ = ("_clock", "_cool_down", "_counted", "_counted_at", "_failures", "_in_a_row", "_opened_at", "_probing")

    def __init__(self, failures: int = 5, cool_down: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._cool_down = cool_down
        self._clock = clock
        self._in_a_row = 0
        # How many failures have ever counted, and when the last one did.
        self._counted = 0
        self._counted_at = -_ONE_EVENT
        self._opened_at: float | None = None
        self._probing = False

    @property
    def is_open(self) -> bool:
        return self._opened_at is not None

    def ready(self) -> bool:
        """Whether a request may be sent now."""
        if self._opened_at is None:
            return True
        return not self._probing and self._clock() - self._opened_at >= self._cool_down

    def wait(self) -> float:
        """Seconds until a request may be sent, as far as that is known."""
        if self._opened_at is None:
            return 0.0
        return max(self._opened_at + self._cool_down - self._clock(), 0.0)

    def begin(self) -> Sent:
        """A request is sent. Its outcome must tell what is returned."""
        probe = self._opened_at is not None
        if probe:
            self._probing = True
        return Sent(self._counted, probe)

    def succeeded(self, sent: Sent) -> None:
        # What was sent before it opened says nothing of now.
        if sent.probe or self._opened_at is None:
            self._in_a_row = 0
            self._opened_at = None
        if sent.probe:
            self._probing = False

    def failed(self, sent: Sent) -> None:
        now = self._clock()
        if not sent.probe and sent.counted != self._counted and now - self._counted_at < _ONE_EVENT:
            return
        self._counted += 1
        self._counted_at = now
        self._in_a_row += 1
        if sent.probe:
            self._probing = False
            self._opened_at = now
        elif self._opened_at is None and self._in_a_row >= self._failures:
            self._opened_at = now

    def ended(self, sent: Sent) -> None:
        """It ended without saying anything of the target's health, as when the client goes."""
        if sent.probe:
            self._probing = False
