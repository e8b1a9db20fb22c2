"""Noticing what other processes have changed: one look at the database for all who follow something there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, select

from understudy.storage.database import Database

POLL_INTERVAL: Final = 0.5
"""Seconds between two looks: the longest that a change of another process goes unnoticed."""

ASKED_INTERVAL: Final = 0.1
"""Least seconds between two looks that were asked for, however many ask."""

_TIMEOUT: Final = 10.0  # after which a look is given up, and the next one takes another connection

Take = Callable[[Sequence[Any]], Awaitable[None]]
"""Called with the values of its columns at every look, whether they have changed or not."""


class _Follower:
    __slots__ = ("columns", "failing", "failure", "log", "take")

    def __init__(self, columns: Sequence[ColumnElement[Any]], take: Take, log: logging.Logger, failure: str) -> None:
        self.columns = columns
        self.take = take
        self.log = log
        self.failure = failure
        self.failing = False

    def tell(self, error: Exception | None) -> None:
        if error is not None and not self.failing:  # one line an outage
            self.log.warning("%s: %s", self.failure, type(error).__name__)
        self.failing = error is not None


class Following:
    """Reads all columns that are followed in one statement, every POLL_INTERVAL, and sooner when somebody asks."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._followers: list[_Follower] = []
        self._query: Select[Any] | None = None
        self._asked = asyncio.Event()
        self._looked: asyncio.Future[None] | None = None  # resolved by the next look that begins
        self._task: asyncio.Task[None] | None = None

    def add(self, columns: Sequence[ColumnElement[Any]], take: Take, log: logging.Logger, failure: str) -> None:
        """Follow `columns`, each of one value. `failure` is logged when they, or what `take` reads, cannot be read."""
        self._followers.append(_Follower(columns, take, log, failure))
        self._query = None

    def start(self) -> None:
        """Begin to look. What is followed has been read once by then."""
        self._task = asyncio.create_task(self._follow(), name="changes")

    async def stop(self) -> None:
        """Whoever waits for a look goes on without."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        if self._looked is not None and not self._looked.done():
            self._looked.set_result(None)

    async def next_look(self, timeout: float) -> None:  # noqa: ASYNC109 nothing is cancelled by it
        """Wait for a look that begins from now on, which all share who wait; no longer than `timeout` seconds."""
        if self._task is None:
            return
        if self._looked is None:
            self._looked = asyncio.get_running_loop().create_future()
            self._asked.set()
        # wait() leaves the shared future alone when this request is cancelled or out of time.
        await asyncio.wait([self._looked], timeout=timeout)

    async def look(self) -> None:
        """Look once."""
        query = self._query
        if query is None:
            query = self._query = select(*(column for one in self._followers for column in one.columns))
        try:
            async with asyncio.timeout(_TIMEOUT), self._db.connect() as connection:
                values: Sequence[Any] = (await connection.execute(query)).one()
        except Exception as error:
            for follower in self._followers:
                follower.tell(error)
            return
        place = 0
        for follower in self._followers:
            here, place = place, place + len(follower.columns)
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await follower.take(values[here:place])
            except Exception as error:
                follower.tell(error)
            else:
                follower.tell(None)

    async def _follow(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            begun = clock()
            try:
                async with asyncio.timeout(POLL_INTERVAL):
                    await self._asked.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(max(0.0, begun + ASKED_INTERVAL - clock()))
            looked, self._looked = self._looked, None
            self._asked.clear()
            await self.look()
            if looked is not None and not looked.done():
                looked.set_result(None)
