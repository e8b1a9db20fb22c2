"""Leaves a broken target alone, and tries it again with one request at a time."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` failures in a row. After `cool_down` seconds one request may try; if it fails, the same
    time begins anew.

    `begin` is called for every request that is sent, and exactly one of `succeeded`, `failed` and `ended` after it.
    """

    __slots__ = ("_clock", "_cool_down", "_failures", "_in_a_row", "_opened_at", "_probing")

    def __init__(self, failures: int = 5, cool_down: float = 10.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._failures = failures
        self._cool_down = cool_down
        self._clock = clock
        self._in_a_row = 0
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

    def begin(self) -> bool:
        """A request is sent. Returns whether it is a probe, which the outcome must tell."""
        if self._opened_at is None:
            return False
        self._probing = True
        return True

    def succeeded(self, *, probe: bool) -> None:
        # What was sent before it opened says nothing of now.
        if probe or self._opened_at is None:
            self._in_a_row = 0
            self._opened_at = None
        if probe:
            self._probing = False

    def failed(self, *, probe: bool) -> None:
        self._in_a_row += 1
        if probe:
            self._probing = False
            self._opened_at = self._clock()
        elif self._opened_at is None and self._in_a_row >= self._failures:
            self._opened_at = self._clock()

    def ended(self, *, probe: bool) -> None:
        """It ended without saying anything of the target's health, as when the client goes."""
        if probe:
            self._probing = False
