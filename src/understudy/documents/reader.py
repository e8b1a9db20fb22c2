"""The text of PDFs and pictures of their pages, by processes of their own that are started when there is work.

The library is the optional extra `documents`. Without it `available` is False and nothing is ever started.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Final, TypeAlias, TypeVar

from understudy.documents.pdf_process import (
    PdfError,
    PdfInvalidError,
    PdfPasswordProtectedError,
    PdfProcess,
    PdfText,
    PdfTooCostlyError,
)
from understudy.documents.remembered import Remembered
from understudy.tokens.pace import Pace
from understudy.wire.errors import OverloadedError

__all__ = ["PdfError", "PdfInvalidError", "PdfPasswordProtectedError", "PdfReader", "PdfText", "PdfTooCostlyError"]

MOST_PAGES: Final = 600
"""Pages beyond which no text is read: the most that any model takes in a request."""

MOST_DRAWN: Final = 100
"""Pages of a document that are drawn."""

MOST_DRAWN_CHARACTERS: Final = 32 * 1024 * 1024
"""Characters of a document's pictures as base64: what a whole request of the API may have. Pages behind the first for
which there is no room are not drawn."""

# A process that read this many makes room for a fresh one.
_MOST_DOCUMENTS: Final = 200
# Bytes hashed between two looks at the clock.
_PIECE: Final = 256 * 1024
# What a remembered answer costs beside its text.
_ENTRY: Final = 256

_Refusal: TypeAlias = type[PdfInvalidError] | type[PdfPasswordProtectedError]
_Work = TypeVar("_Work")


class PdfReader:
    """Reads PDFs, at most `processes` of them at once.

    `timeout`: seconds for one document, after which its process is killed. `memory`: bytes of address space a process
    may have. `idle`: seconds without work after which a process ends. `queue_timeout`: seconds a document waits for a
    process. `remembered`: bytes of text that are kept, by the hash of the document. `drawing_timeout`: seconds for the
    pictures of its pages, three times `timeout` if not said. `remembered_pictures`: bytes of them that are kept.
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
        drawing_timeout: float | None = None,
        remembered_pictures: int = 64 * 1024 * 1024,
    ) -> None:
        self._slots = asyncio.Semaphore(processes)
        self._timeout = timeout
        self._memory = memory
        self._idle_for = idle
        self._queue_timeout = queue_timeout
        self._drawing_timeout = 3 * timeout if drawing_timeout is None else drawing_timeout
        self._texts: Remembered[PdfText | _Refusal] = Remembered(remembered)
        self._pictures: Remembered[tuple[str, ...] | _Refusal] = Remembered(remembered_pictures)
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
        known = self._texts.get(key)
        if known is None:
            known = await self._found(lambda process: process.read(data, MOST_PAGES, self._timeout), self._timeout)
            size = sum(len(page) for page in known.pages) * 2 if isinstance(known, PdfText) else 0
            pages = len(known.pages) if isinstance(known, PdfText) else 0
            self._texts.put(key, known, _ENTRY + size + 64 * pages)
        if isinstance(known, PdfText):
            return known
        raise known

    async def draw(self, data: bytes, *, tenant: str = "") -> tuple[str, ...]:
        """PNGs as base64 of a PDF's first pages, at most MOST_DRAWN; "" for one that is not drawn. See pdf_worker for
        their size.

        Otherwise as `read`.
        """
        key = await _hash(data, tenant)
        known = self._pictures.get(key)
        if known is None:
            seconds = self._drawing_timeout
            known = await self._found(
                lambda process: process.draw(data, MOST_DRAWN, MOST_DRAWN_CHARACTERS, seconds), seconds
            )
            size = sum(len(picture) for picture in known) if isinstance(known, tuple) else 0
            self._pictures.put(key, known, _ENTRY + size)
        if isinstance(known, tuple):
            return known
        raise known

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

    async def _found(self, work: Callable[[PdfProcess], Awaitable[_Work]], seconds: float) -> _Work | _Refusal:
        """What a process finds, or how it refuses the document."""
        try:
            async with asyncio.timeout(self._queue_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise OverloadedError from None
        try:
            return await self._found_now(work, seconds)
        except (PdfInvalidError, PdfPasswordProtectedError) as error:
            return type(error)
        finally:
            self._slots.release()

    async def _found_now(self, work: Callable[[PdfProcess], Awaitable[_Work]], seconds: float) -> _Work:
        process: PdfProcess | None = None
        sound = False
        try:
            async with asyncio.timeout(seconds):
                process = await self._take()
                found = await work(process)
            sound = True
            return found
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
        process = await PdfProcess.start(self._memory)
        self._busy.add(process)
        return process

    def _end_idle(self, process: PdfProcess) -> None:
        self._idle = [entry for entry in self._idle if entry[0] is not process]
        self._end(process, kill=False)

    def _end(self, process: PdfProcess, *, kill: bool) -> None:
        task = asyncio.get_running_loop().create_task(process.kill() if kill else process.end())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


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
