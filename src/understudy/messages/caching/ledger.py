"""Where it is remembered which prefixes are cached. Nothing of a prompt is kept but hashes and counts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Protocol

MOST_ENTRIES: Final = 65_536
"""Entries that a ledger has room for, if nobody says another number."""

MOST_VALUES: Final = 4_096
"""Values that it keeps."""


class Entry(NamedTuple):
    """A cached prefix. `key` says which, and whose; `tokens` it has; `ttl`: seconds it lives from its last use."""

    key: bytes
    tokens: int
    ttl: int


class Ledger(Protocol):
    """One for all workspaces: keys of two never meet. All keys of one call are of one workspace.

    Times are seconds of one clock.
    """

    async def look(self, keys: Sequence[bytes], *, renew: bool = True) -> Entry | None:
        """The first of `keys` that lives. Unless `renew` is false it lives for its `ttl` again, from now on."""
        ...

    async def write(self, entries: Sequence[Entry], since: float) -> None:
        """Let entries live for their `ttl` from `since`. One that lives already keeps the longer `ttl`."""
        ...

    async def keep(self, key: bytes, value: bytes, ttl: int) -> None:
        """Remember any value for some seconds, or less where there is no room."""
        ...

    async def kept(self, key: bytes) -> bytes | None: ...


class _Live(NamedTuple):
    entry: Entry
    until: float


class MemoryLedger(Ledger):
    """In this process, bounded: where there is no room, what would end first ends now."""

    def __init__(
        self, clock: Callable[[], float], most_entries: int = MOST_ENTRIES, most_values: int = MOST_VALUES
    ) -> None:
        self._clock = clock
        self._most_entries = most_entries
        self._most_values = most_values
        # By ttl, so that each is in the order in which its entries end.
        self._live: dict[int, OrderedDict[bytes, _Live]] = {}
        self._values: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._live.values()))

    async def look(self, keys: Sequence[bytes], *, renew: bool = True) -> Entry | None:
        now = self._clock()
        for key in keys:
            live = self._find(key, now)
            if live is not None:
                if renew:
                    self._put(live.entry, now)
                return live.entry
        return None

    async def write(self, entries: Sequence[Entry], since: float) -> None:
        now = self._clock()
        for entry in entries:
            live = self._find(entry.key, now)
            if live is not None and live.entry.ttl > entry.ttl:
                entry = live.entry
            elif live is not None and live.entry.ttl < entry.ttl:
                del self._live[live.entry.ttl][entry.key]
            self._put(entry, since)
        while len(self) > self._most_entries:
            first = min((lives for lives in self._live.values() if lives), key=_first_end)
            first.popitem(last=False)

    def _find(self, key: bytes, now: float) -> _Live | None:
        for lives in self._live.values():
            live = lives.get(key)
            if live is not None:
                if now < live.until:
                    return live
                del lives[key]
        return None

    def _put(self, entry: Entry, since: float) -> None:
        lives = self._live.setdefault(entry.ttl, OrderedDict())
        known = lives.get(entry.key)
        until = since + entry.ttl
        if known is None or known.until < until:
            lives[entry.key] = _Live(entry, until)
            lives.move_to_end(entry.key)

    async def keep(self, key: bytes, value: bytes, ttl: int) -> None:
        self._values[key] = value, self._clock() + ttl
        self._values.move_to_end(key)
        if len(self._values) > self._most_values:
            self._values.popitem(last=False)

    async def kept(self, key: bytes) -> bytes | None:
        value, until = self._values.get(key, (None, 0.0))
        return value if self._clock() < until else None


def _first_end(lives: OrderedDict[bytes, _Live]) -> float:
    return next(iter(lives.values())).until
