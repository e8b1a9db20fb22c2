"""How many requests an engine has at once, and the queue before it: first come, first served, and never long.

Work in the background, such as a batch's, comes last: it waits as long as anybody else does, and leaves one place free,
so that a request that comes meanwhile need not wait for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from understudy.engines.engine import Background


class QueueFullError(Exception):
    """As many wait as may."""


class Slots:
    """At most `limit` at once (None: no limit), and at most `queue` that wait."""

    __slots__ = ("_behind", "_limit", "_queue", "_waiting", "in_use")

    def __init__(self, limit: int | None = None, queue: int = 1_000) -> None:
        self._limit = limit
        self._queue = queue
        self._waiting: deque[asyncio.Future[Slots]] = deque()
        # Work in the background that waits.
        self._behind: deque[asyncio.Future[Slots]] = deque()
        self.in_use = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take_now(self) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        if self._limit is not None and (self.in_use >= self._limit or self._waiting):
            return False
        self.in_use += 1
        return True

    def take_idle(self) -> bool:
        """Take a slot for work in the background, if one more would still be free."""
        if not self._is_idle():
            return False
        self.in_use += 1
        return True

    def give_back(self) -> None:
        """A slot goes to who has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(self)
                return
        self.in_use -= 1
        while self._behind and self._is_idle():
            waiter = self._behind.popleft()
            if not waiter.done():
                self.in_use += 1
                waiter.set_result(self)

    def _is_idle(self) -> bool:
        # Of one slot alone none can be left.
        return self._limit is None or (not self._waiting and self.in_use < max(self._limit - 1, 1))

    def join(self, waiter: asyncio.Future[Slots]) -> bool:
        """Let `waiter` wait here. False when the queue is full."""
        if len(self._waiting) >= self._queue:
            return False
        self._waiting.append(waiter)
        return True

    def leave(self, waiter: asyncio.Future[Slots]) -> None:
        """`waiter` waits here no longer, if it did."""
        try:
            self._waiting.remove(waiter)
        except ValueError:
            pass

    def join_behind(self, waiter: asyncio.Future[Slots]) -> None:
        """Let `waiter`, which is work in the background, wait here."""
        self._behind.append(waiter)

    def leave_behind(self, waiter: asyncio.Future[Slots]) -> None:
        """As `leave`, for work in the background."""
        try:
            self._behind.remove(waiter)
        except ValueError:
            pass


async def take_any(among: Sequence[Slots], timeout: float) -> Slots:  # noqa: ASYNC109
    """Take a slot of the first of `among` that has one, or wait `timeout` seconds for whichever is free first.

    Raises TimeoutError, and QueueFullError at once where nobody may wait any more.
    """
    for slots in among:
        if slots.take_now():
            return slots
    waiter: asyncio.Future[Slots] = asyncio.get_running_loop().create_future()
    joined = [slots for slots in among if slots.join(waiter)]
    if not joined:
        raise QueueFullError
    try:
        async with asyncio.timeout(timeout):
            return await waiter
    except BaseException:
        # The slot may have come in the same moment as the end of waiting.
        if waiter.done() and not waiter.cancelled():
            waiter.result().give_back()
        raise
    finally:
        for slots in joined:
            slots.leave(waiter)


async def take_idle(among: Sequence[Slots], background: Background) -> Slots:
    """The same for work in the background: it waits, however long it takes, until no other request wants a slot."""
    for slots in among:
        if slots.take_idle():
            background.begun = True
            return slots
    waiter: asyncio.Future[Slots] = asyncio.get_running_loop().create_future()
    for slots in among:
        slots.join_behind(waiter)
    background.waiting = True
    try:
        taken = await waiter
    except BaseException:
        if waiter.done() and not waiter.cancelled():
            waiter.result().give_back()
        raise
    finally:
        background.waiting = False
        for slots in among:
            slots.leave_behind(waiter)
    background.begun = True
    return taken
