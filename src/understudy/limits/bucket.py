"""The arithmetic of one token bucket, in whole numbers, so that two implementations agree to the last unit.

A bucket of `limit` units in `period` seconds fills without steps. Its level is kept in parts: one unit has
`period / tick` parts, and each tick brings `limit` parts. Nothing is ever rounded, so a retry after the time that was
told passes to the millisecond, and slow buckets lose nothing to many small looks. Lua, which Redis runs, counts in
doubles: whole numbers below 2**53 are exact there, which a tick of a second for daily buckets leaves room for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

MINUTE: Final = 60
DAY: Final = 86_400

MOST: Final = 10_000_000_000
"""The largest limit: its parts stay exact in a double."""


class Bucket(NamedTuple):
    """What a bucket is. `limit` is units a `period` (seconds), `tick` milliseconds; the rest is in parts.

    `full`: the most that it holds. `floor`: the deepest debt that settling leaves, one period's refill.
    """

    key: str
    limit: int
    period: int
    tick: int
    unit: int
    full: int
    floor: int


def bucket(key: str, limit: int, period: int = MINUTE, burst: float = 1.0) -> Bucket:
    """A bucket that holds `burst` of a period's units, and no less than one."""
    tick = 1 if period <= MINUTE else 1000
    unit = period * 1000 // tick
    limit = min(limit, MOST)
    capacity = limit if burst == 1.0 else min(limit, max(1, int(limit * burst)))
    return Bucket(key, limit, period, tick, unit, capacity * unit, -limit * unit)


def refilled(level: int, at: int, now: int, of: Bucket) -> tuple[int, int]:
    """Level and time of a bucket that had `level` at `at`, at `now` (milliseconds of one clock).

    A clock that went back starts anew from there: it neither fills the bucket nor stops it. Parts of a tick are kept.
    """
    if now <= at:
        return min(level, of.full), now
    ticks = (now - at) // of.tick
    level += ticks * of.limit
    if level >= of.full:
        return of.full, now
    return level, at + ticks * of.tick


def wait(level: int, at: int, now: int, need: int, of: Bucket) -> int | None:
    """Milliseconds from `now` until the bucket holds `need` parts, None for more than it ever holds."""
    if level >= need:
        return 0
    if need > of.full:
        return None
    ticks = -((level - need) // of.limit)
    return at + ticks * of.tick - now


def charged(level: int, cost: int, of: Bucket) -> int:
    """The level after `cost` parts are taken, or given back where it is negative."""
    level -= cost
    return of.full if level > of.full else max(level, of.floor)
