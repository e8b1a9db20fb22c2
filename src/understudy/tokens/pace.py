"""Long work on the event loop in short stretches, so that no stream waits for it."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Final
from weakref import WeakKeyDictionary

# Seconds. Others wait this much longer than they would, plus one indivisible piece of the work.
_STRETCH: Final = 0.002

_locks: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()


class Pace:
    """One long work's pauses. Call `end` when it is over, however it ends.

    Work that turns out to be long queues up behind other such work: ten of them, taking turns, would else make
    everybody wait for ten stretches. Work that ends within one stretch never waits.
    """

    __slots__ = ("_lock", "_since")

    def __init__(self) -> None:
        self._lock: asyncio.Lock | None = None
        self._since = perf_counter()

    def due(self) -> bool:
        """Whether it is time to pause."""
        return perf_counter() - self._since > _STRETCH

    async def pause(self) -> None:
        """Let everything run that is waiting."""
        if self._lock is None:
            loop = asyncio.get_running_loop()
            lock = _locks.get(loop)
            if lock is None:
                lock = _locks[loop] = asyncio.Lock()
            await lock.acquire()
            self._lock = lock
        await asyncio.sleep(0)
        self._since = perf_counter()

    def end(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
