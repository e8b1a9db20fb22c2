"""Times: what they are in the API, and whose clock decides when a credential has expired."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import ColumnElement, Double, extract, func, literal_column

Clock = Callable[[], float]
"""Seconds since the epoch."""

_NOISE: Final = 0.1  # seconds


class SharedClock:
    """The database's clock, as far as it was heard of: servers whose own clocks differ agree when a key expires.

    `hear` is told the database's time now and then; until it is, and in between, the own clock goes on from there.
    What is less than _NOISE may as well be the way here.
    """

    __slots__ = ("_ahead",)

    def __init__(self) -> None:
        self._ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead

    def hear(self, now: float) -> None:
        ahead = now - time.time()
        self._ahead = ahead if abs(ahead) > _NOISE else 0.0


def database_time(dialect: str) -> ColumnElement[float]:
    """The database's own time as a column."""
    if dialect == "sqlite":
        return literal_column("(julianday('now') - 2440587.5) * 86400.0", Double())
    return extract("epoch", func.clock_timestamp()).cast(Double())


def rfc3339(seconds: float) -> str:
    """A time as the API writes it, with microseconds."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rfc3339_or_none(seconds: float | None) -> str | None:
    return None if seconds is None else rfc3339(seconds)
