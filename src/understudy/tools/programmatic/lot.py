"""Containers whose Python waits: for the results of a client's tools, or for the next cell."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from understudy.sandbox.interface import Container, Containers, Owner, Sandbox
from understudy.tools.programmatic.repl import Called, Repl
from understudy.wire.errors import OverloadedError

_log = structlog.stdlib.get_logger("understudy.tools")

CALL_SECONDS: Final = 270.0
"""For which code waits for the result of a call (documented)."""
PLACE_SECONDS: Final = 300.0
"""Idle containers are reclaimed "after about 5 minutes" (documented)."""

# Seconds for which a run waits for the one before it.
_QUEUE: Final = 30.0
# "no container can be reused more than 30 days after it was created" (documented).
_OLDEST: Final = timedelta(days=30)


@dataclass(slots=True)
class Place:
    """A container in use, and its Python once there is one. `cell` is the id of the call whose code waits in it, and
    `pending` are the calls that it waits for, by the ids of their blocks. `searched`: what web searches
    found has come into it."""

    owner: Owner
    container: Container
    sandbox: Sandbox
    held: AsyncExitStack
    repl: Repl | None = None
    cell: str | None = None
    pending: dict[str, Called] = field(default_factory=dict[str, Called])
    searched: bool = False
    used_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    timer: asyncio.TimerHandle | None = None

    def renew(self) -> None:
        """It is used again: its expiry rolls on."""
        now = datetime.now(UTC)
        expires_at = min(self.container.expires_at + (now - self.used_at), self.container.created_at + _OLDEST)
        self.container, self.used_at = replace(self.container, expires_at=expires_at), now

    async def end_python(self) -> None:
        repl, self.repl, self.cell, self.searched = self.repl, None, None, False
        self.pending.clear()
        if repl is not None:
            await repl.program.end()

    async def leave(self) -> None:
        """Give the container back."""
        try:
            await self.end_python()
        finally:
            await self.held.aclose()


class Lot:
    """Holds `most` containers at a time: those whose Python waits for no results go first, and the oldest of them. Each
    stays `seconds` at most. Code waits for a result for `wait` seconds."""

    def __init__(
        self, containers: Containers, most: int, *, wait: float = CALL_SECONDS, seconds: float = PLACE_SECONDS
    ) -> None:
        self._containers = containers
        self._most = most
        self.wait = wait
        self._seconds = seconds
        self._places: dict[tuple[Owner, str], Place] = {}
        self._used: dict[tuple[Owner, str], asyncio.Event] = {}
        self._ending: dict[tuple[Owner, str], asyncio.Task[None]] = {}

    async def take(self, owner: Owner, container_id: str) -> Place:
        """The container: as it was left, or from those that sleep. One run at a time has it. Raises what
        `Containers.use` does."""
        key = (owner, container_id)
        try:
            async with asyncio.timeout(_QUEUE):
                while (used := self._used.get(key)) is not None:
                    await used.wait()
                self._used[key] = asyncio.Event()
        except TimeoutError:
            raise OverloadedError("The container is in use. Try again later.") from None
        try:
            return await self._take(owner, container_id)
        except BaseException:
            self._free(key)
            raise

    async def _take(self, owner: Owner, container_id: str) -> Place:
        key = (owner, container_id)
        place = self._places.pop(key, None)
        if place is not None:
            if place.timer is not None:
                place.timer.cancel()
            place.renew()
            return place
        ending = self._ending.get(key)
        if ending is not None:
            await asyncio.wait({ending})
        held = AsyncExitStack()
        container, sandbox = await held.enter_async_context(self._containers.use(owner, container_id))
        return Place(owner, container, sandbox, held)

    async def put(self, place: Place) -> None:
        """Leave it with what its Python has, if there is room; else it is given back."""
        if place.repl is None or not self._most:
            await self.drop(place)
            return
        key = (place.owner, place.container.id)
        place.timer = asyncio.get_running_loop().call_later(self._seconds, self._end, key)
        self._places[key] = place
        while len(self._places) > self._most:
            self._end(min(self._places, key=self._rank))
        self._free(key)

    async def drop(self, place: Place) -> None:
        """Give it back, and with it all that its Python has."""
        try:
            await place.leave()
        finally:
            self._free((place.owner, place.container.id))

    def _free(self, key: tuple[Owner, str]) -> None:
        self._used.pop(key).set()

    def _rank(self, key: tuple[Owner, str]) -> tuple[bool, datetime]:
        place = self._places[key]
        return place.cell is not None, place.used_at

    def _end(self, key: tuple[Owner, str]) -> None:
        place = self._places.pop(key, None)
        if place is not None:
            if place.timer is not None:
                place.timer.cancel()
            task = self._ending[key] = asyncio.create_task(self._leave(place))
            task.add_done_callback(lambda _: self._ending.pop(key, None))

    async def _leave(self, place: Place) -> None:
        try:
            await place.leave()
        except Exception as error:
            _log.warning("a container is not given back", container_id=place.container.id, reason=str(error)[:300])

    async def close(self) -> None:
        """End all."""
        for key in list(self._places):
            self._end(key)
        while self._ending:
            await asyncio.wait(self._ending.values())
