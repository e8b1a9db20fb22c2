"""The text of PDFs, read in processes of their own that are started when there is something to read.

The library is the optional extra `documents`. Without it `available` is False and nothing is ever started.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from importlib.util import find_spec
from typing import Final, TypeAlias

from understudy.documents.pdf_process import (
    PdfError,
    PdfInvalidError,
    PdfPasswordProtectedError,
    PdfProcess,
    PdfText,
    PdfTooCostlyError,
)
from understudy.tokens.pace import Pace
from understudy.wire.errors import OverloadedError

__all__ = ["PdfError", "PdfInvalidError", "PdfPasswordProtectedError", "PdfReader", "PdfText", "PdfTooCostlyError"]

MOST_PAGES: Final = 600
"""Pages beyond which no text is read: the most that any model takes in a request."""

# A process that read this many makes room for a fresh one.
_MOST_DOCUMENTS: Final = 200
# Bytes hashed between two looks at the clock.
_PIECE: Final = 256 * 1024
# What a remembered answer costs beside its text.
_ENTRY: Final = 256

_Answer: TypeAlias = PdfText | type[PdfInvalidError] | type[PdfPasswordProtectedError]


class PdfReader:
    """Reads PDFs, at most `processes` of them at once.

    `timeout`: seconds for one document, after which its process is killed. `memory`: bytes of address space a process
    may have. `idle`: seconds without work after which a process ends. `queue_timeout`: seconds a document waits for a
    process. `remembered`: bytes of text that are kept, by the hash of the document.
    """

    def __init__(
        self,
        *,
        processes: int = 2,
        timeout: float = 20.0,
        memory: int = 512 * 1024 * 1024,
        idle: float = 60.0,
        queue_timeout: float = 30.0,
        remembered: int = 64 * 1024 * 1024,
    ) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._timeout = timeout
        self._memory = memory
        self._idle_for = idle
        self._queue_timeout = queue_timeout
        self._most_remembered = remembered
        self._remembered: OrderedDict[bytes, tuple[_Answer, int]] = OrderedDict()
        self._bytes = 0
        self._idle: list[tuple[PdfProcess, asyncio.TimerHandle]] = []
        self._busy: set[PdfProcess] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False
        self.available = find_spec("pypdfium2") is not None
        """Whether there is a library to read with."""

    async def read(self, data: bytes, *, tenant: str = "") -> PdfText:
        """The text of a PDF, page by page. What was read for one `tenant` is not remembered for another.

        Raises PdfError for what is wrong with it, OverloadedError when too many others are being read.
        """
        key = await _hash(data, tenant)
        known = self._remembered.get(key)
        if known is not None:
            self._remembered.move_to_end(key)
            return _answered(known[0])
        try:
            text: _Answer = await self._read(data)
        except (PdfInvalidError, PdfPasswordProtectedError) as error:
            text = type(error)
        self._remember(key, text)
        return _answered(text)

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

    # Processes

    async def _read(self, data: bytes) -> PdfText:
        try:
            async with asyncio.timeout(self._queue_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise OverloadedError from None
        try:
            return await self._read_now(data)
        finally:
            self._slots.release()

    async def _read_now(self, data: bytes) -> PdfText:
        process: PdfProcess | None = None
        sound = False
        try:
            async with asyncio.timeout(self._timeout):
                process = await self._take()
                text = await process.read(data, MOST_PAGES)
            sound = True
            return text
        except (PdfInvalidError, PdfPasswordProtectedError):
            sound = True
            raise
        except (TimeoutError, OSError, EOFError, ValueError) as error:
            if process is None and isinstance(error, OSError) and not isinstance(error, TimeoutError):
                # No process could be started: the machine's trouble, not the document's.
                raise OverloadedError from error
            raise PdfTooCostlyError from error
        finally:
            if process is not None:
                self._busy.discard(process)
                if sound and not self._closed and process.documents < _MOST_DOCUMENTS:
                    timer = asyncio.get_running_loop().call_later(self._idle_for, self._end_idle, process)
                    self._idle.append((process, timer))
                else:
                    self._end(process, kill=not sound)

    async def _take(self) -> PdfProcess:
        if self._closed:
            raise OverloadedError
        while self._idle:
            # The last one used, so that the others may end.
            process, timer = self._idle.pop()
            timer.cancel()
            if not process.ended:
                self._busy.add(process)
                return process
        process = await PdfProcess.start(self._memory, self._timeout)
        self._busy.add(process)
        return process

    def _end_idle(self, process: PdfProcess) -> None:
        self._idle = [entry for entry in self._idle if entry[0] is not process]
        self._end(process, kill=False)

    def _end(self, process: PdfProcess, *, kill: bool) -> None:
        task = asyncio.get_running_loop().create_task(process.kill() if kill else process.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    # What was read before

    def _remember(self, key: bytes, answer: _Answer) -> None:
        size = _ENTRY
        if isinstance(answer, PdfText):
            size += sum(len(page) for page in answer.pages) * 2 + 64 * len(answer.pages)
        if size > self._most_remembered or key in self._remembered:
            return
        self._remembered[key] = (answer, size)
        self._bytes += size
        while self._bytes > self._most_remembered:
            _, (_, freed) = self._remembered.popitem(last=False)
            self._bytes -= freed


def _answered(answer: _Answer) -> PdfText:
    if isinstance(answer, PdfText):
        return answer
    raise answer


async def _hash(data: bytes, tenant: str) -> bytes:
    digest, view, pace = hashlib.blake2b(tenant.encode() + b"\0", digest_size=32), memoryview(data), Pace()
    try:
        for start in range(0, len(data), _PIECE):
            digest.update(view[start : start + _PIECE])
            if pace.due():
                await pace.pause()
    finally:
        pace.end()
    return digest.digest()
