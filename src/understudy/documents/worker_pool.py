"""A few processes that read what others send, started when there is work and ended when there is none for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from understudy.documents.reading_process import ReadingProcess
from understudy.wire.errors import OverloadedError

# A process that read this many makes room for a fresh one.
_MOST_DOCUMENTS: Final = 200


_Process = TypeVar("_Process", bound=ReadingProcess)
_Work = TypeVar("_Work")


class TooCostlyError(Exception):
    """The work took too much time or memory, or broke its process."""


class WorkerPool(Generic[_Process]):
    """At most `processes` made by `start` are at work at once.

    `idle`: seconds without work after which a process ends. `queue_timeout`: seconds that work waits for a process.
    `harmless`: errors of the work after which its process is as good as before.
    """

    def __init__(
        self,
        start: Callable[[], Awaitable[_Process]],
        *,
        processes: int,
        idle: float,
        queue_timeout: float,
        harmless: tuple[type[Exception], ...] = (),
    ) -> None:
        self._start = start
        self._slots = asyncio.Semaphore(processes)
        self._idle_for = idle
        self._queue_timeout = queue_timeout
        self._harmless = harmless
        self._idle: list[tuple[_Process, asyncio.TimerHandle]] = []
        self._busy: set[_Process] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def run(self, work: Callable[[_Process], Awaitable[_Work]], seconds: float) -> _Work:
        """What `work` makes of a process within `seconds`.

        Raises TooCostlyError, what is harmless, and OverloadedError when too much waits or no process can be started.
        """
        try:
            async with asyncio.timeout(self._queue_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise OverloadedError from None
        try:
            return await self._run_now(work, seconds)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """End all processes, those at work too."""
        self._closed = True
        idle, self._idle = self._idle, []
        for process, timer in idle:
            timer.cancel()
            self._end(process, kill=False)
        for process in list(self._busy):
            self._end(process, kill=True)
        if self._ending:
            await asyncio.wait(self._ending)

    def pids(self) -> list[int]:
        """Of the processes there are."""
        return [process.pid for process, _ in self._idle] + [process.pid for process in self._busy]

    async def _run_now(self, work: Callable[[_Process], Awaitable[_Work]], seconds: float) -> _Work:
        process: _Process | None = None
        sound = False
        try:
            async with asyncio.timeout(seconds):
                process = await self._take()
                found = await work(process)
            sound = True
            return found
        except self._harmless:
            sound = True
            raise
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            if process is None and isinstance(error, OSError) and not isinstance(error, TimeoutError):
                # No process could be started: the machine's trouble, not the document's.
                raise OverloadedError from error
            raise TooCostlyError from error
        finally:
            if process is not None:
                self._busy.discard(process)
                if sound and not self._closed and process.documents < _MOST_DOCUMENTS:
                    timer = asyncio.get_running_loop().call_later(self._idle_for, self._end_idle, process)
                    self._idle.append((process, timer))
                else:
                    self._end(process, kill=not sound)

    async def _take(self) -> _Process:
        if self._closed:
            raise OverloadedError
        while self._idle:
            # The last one used, so that the others may end.
            process, timer = self._idle.pop()
            timer.cancel()
            if not process.ended:
                self._busy.add(process)
                return process
        process = await self._start()
        self._busy.add(process)
        return process

    def _end_idle(self, process: _Process) -> None:
        self._idle = [entry for entry in self._idle if entry[0] is not process]
        self._end(process, kill=False)

    def _end(self, process: _Process, *, kill: bool) -> None:
        task = asyncio.get_running_loop().create_task(process.kill() if kill else process.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
