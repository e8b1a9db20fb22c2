"""Which containers are awake in this process, who has them, and when they fall asleep."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.machine import Machine
from understudy.sandbox.place import Place

_log = structlog.stdlib.get_logger("understudy.sandbox")

# Seconds between two looks at a container that another process has.
_ANOTHERS: Final = 0.05
# Seconds for which files that belong to no container are left alone: their row may be on its way.
_ABANDONED: Final = 60.0

Make = Callable[[str], LocalSandbox]


@dataclass(slots=True)
class Held:
    """A container of which this process has the lock."""

    sandbox: LocalSandbox
    lock: int
    used_at: float
    in_use: bool = True
    asleep_at: asyncio.TimerHandle | None = field(default=None)


class Running:
    """One run at a time has a container; `max_running` of them are awake at most."""

    def __init__(self, config: SandboxConfig, place: Place, *, shared: bool) -> None:
        self._config = config
        self._place = place
        self._shared = shared
        self._held: dict[str, Held] = {}
        # Those that are being put to sleep still count, and nobody else may have them yet.
        self._changed = asyncio.Condition()
        self._work: set[asyncio.Task[None]] = set()

    async def take(self, container_id: str, make: Make) -> Held:
        """Wait for the container, and for room to wake it. The caller bounds the time."""
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._may_take(container_id))
                held = self._held.get(container_id)
                if held is not None:
                    self._occupy(held)
                    return held
                resting = self._longest_unused() if len(self._held) >= self._config.max_running else None
                if resting is None:
                    lock = self._place.lock(container_id)
                    if lock is not None:
                        held = self._held[container_id] = Held(make(container_id), lock, self._now())
                        return held
                else:
                    self._occupy(resting)
            if resting is not None:
                # To its end, even if this run waits no longer: its disk must be let go before anybody has it again.
                await asyncio.shield(self._ending(resting))
            else:
                await asyncio.sleep(_ANOTHERS)

    async def take_if_idle(self, container_id: str, make: Make) -> Held | None:
        """The container unless somebody has it."""
        async with self._changed:
            held = self._held.get(container_id)
            if held is not None:
                if held.in_use:
                    return None
                self._occupy(held)
                return held
            lock = self._place.lock(container_id)
            if lock is None:
                return None
            held = self._held[container_id] = Held(make(container_id), lock, self._now())
            return held

    def _may_take(self, container_id: str) -> bool:
        held = self._held.get(container_id)
        if held is not None:
            return not held.in_use
        return len(self._held) < self._config.max_running or self._longest_unused() is not None

    def _longest_unused(self) -> Held | None:
        return min((held for held in self._held.values() if not held.in_use), key=lambda one: one.used_at, default=None)

    def _occupy(self, held: Held) -> None:
        held.in_use = True
        if held.asleep_at is not None:
            held.asleep_at.cancel()
            held.asleep_at = None

    async def give_back(self, held: Held, *, remove: bool = False) -> None:
        """The run is over: what it left running ends. `remove`: its files too."""
        if remove or self._shared or held.sandbox.process is None:
            await self._end(held, remove=remove)
            return
        await held.sandbox.rest()
        async with self._changed:
            held.used_at = self._now()
            held.in_use = False
            loop = asyncio.get_running_loop()
            held.asleep_at = loop.call_later(self._config.idle, self._fall_asleep, held)
            self._changed.notify_all()

    def _fall_asleep(self, held: Held) -> None:
        if held.in_use:
            return
        self._occupy(held)
        self._ending(held)

    def _ending(self, held: Held) -> asyncio.Task[None]:
        task = asyncio.create_task(self._end(held))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _end(self, held: Held, *, remove: bool = False) -> None:
        """Put a container that is occupied to sleep, and let it go."""
        try:
            await held.sandbox.sleep()
            if remove:
                await asyncio.to_thread(self._place.remove, held.sandbox.id)
        except Exception as error:
            _log.warning("a container does not end", container_id=held.sandbox.id, reason=str(error)[:300])
        finally:
            os.close(held.lock)
            async with self._changed:
                self._held.pop(held.sandbox.id, None)
                self._changed.notify_all()

    async def end(self) -> None:
        """Put all to sleep, those in use too."""
        await asyncio.gather(*(self._end_at_last(held) for held in list(self._held.values())))
        if self._work:
            await asyncio.wait(self._work)

    async def _end_at_last(self, held: Held) -> None:
        with suppress(Exception):
            await held.sandbox.close()
        if not held.in_use:
            self._occupy(held)
            await self._end(held)

    async def end_left(self, machine: Machine | None) -> None:
        """End what is left running of containers that no process has."""
        if machine is None:
            return
        for container_id in sorted(await asyncio.to_thread(machine.left) - self._held.keys()):
            known = self._place.directory(container_id).exists()
            lock = self._place.lock(container_id)
            if lock is None:
                continue
            try:
                await asyncio.to_thread(machine.end, container_id)
                if not known:
                    self._place.remove(container_id)
            except SandboxUnavailableError as error:
                # The next sweep tries again, and the others are not to wait for it.
                _log.warning("what is left of a container does not end", container_id=container_id, reason=str(error))
            finally:
                os.close(lock)

    async def remove_orphans(self, kept: set[str]) -> None:
        """Remove the files of containers that are not among `kept`."""
        for container_id in list(self._place.ids()):
            if container_id in kept or container_id in self._held or self._place.age(container_id) < _ABANDONED:
                continue
            lock = self._place.lock(container_id)
            if lock is None:
                continue
            try:
                await asyncio.to_thread(self._place.remove, container_id)
            finally:
                os.close(lock)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
