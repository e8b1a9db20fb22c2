"""Addresses that keep sending bad credentials are told to slow down.

A good credential is known before anybody looks here, so nobody can lock its holder out, not even from the same address.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from typing import Final

from understudy.wire.errors import RateLimitError

_MOST_ADDRESSES: Final = 10_000


class FailedAttempts:
    """A bucket of `burst` failures for each address, refilled by `rate` a second. IPv6 is counted by its /64.

    Only so many addresses are remembered; those that failed the longest ago are forgotten first. `clock`: seconds, not
    of the day.
    """

    def __init__(self, burst: float = 300.0, rate: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._rate, self._clock = burst, rate, clock
        # Address → how full its bucket was with failures, and when.
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def check(self, address: str) -> None:
        """RateLimitError (429) once the bucket is full."""
        if not self._failures:
            return
        level = self._level(_prefix(address))
        if level > self._burst - 1:
            seconds = math.ceil((level - self._burst + 1) / self._rate) or 1
            raise RateLimitError(
                "Too many requests with invalid credentials. Try again later.",
                headers={"retry-after": str(seconds)},
            )

    def note(self, address: str) -> None:
        """One more failure of `address`."""
        prefix = _prefix(address)
        self._failures[prefix] = (self._level(prefix) + 1, self._clock())
        self._failures.move_to_end(prefix)
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.popitem(last=False)

    def excuse(self, address: str) -> None:
        """What was noted last of `address` was no failure."""
        prefix = _prefix(address)
        if prefix in self._failures:
            self._failures[prefix] = (max(0.0, self._level(prefix) - 1), self._clock())

    def forget(self, address: str) -> None:
        """What failed there counts no more."""
        self._failures.pop(_prefix(address), None)

    def _level(self, prefix: str) -> float:
        level, at = self._failures.get(prefix, (0.0, 0.0))
        return max(0.0, level - (self._clock() - at) * self._rate)


def _prefix(address: str) -> str:
    if ":" not in address:
        return address
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped is not None else parsed.packed[:8].hex()
