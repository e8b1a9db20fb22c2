"""The text of PDFs and pictures of their pages, by processes of their own that are started when there is work.

The library is the optional extra `documents`. Without it `available` is False and nothing is ever started.
"""

from __future__ import annotations

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
from understudy.documents.worker_pool import TooCostlyError, WorkerPool
from understudy.tokens.pace import Pace

__all__ = ["PdfError", "PdfInvalidError", "PdfPasswordProtectedError", "PdfReader", "PdfText", "PdfTooCostlyError"]

MOST_PAGES: Final = 600
"""Pages beyond which no text is read: the most that any model takes in a request."""

MOST_DRAWN: Final = 100
"""Pages of a document that are drawn."""

MOST_DRAWN_CHARACTERS: Final = 32 * 1024 * 1024
"""Characters of a document's pictures as base64: what a whole request of the API may have. Pages behind the first for
which there is no room are not drawn."""

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
        self._pool: WorkerPool[PdfProcess] = WorkerPool(
            lambda: PdfProcess.start(memory),
            processes=processes,
            idle=idle,
            queue_timeout=queue_timeout,
            harmless=(PdfInvalidError, PdfPasswordProtectedError),
        )
        self._timeout = timeout
        self._drawing_timeout = 3 * timeout if drawing_timeout is None else drawing_timeout
        self._texts: Remembered[PdfText | _Refusal] = Remembered(remembered)
        self._pictures: Remembered[tuple[str, ...] | _Refusal] = Remembered(remembered_pictures)
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
        await self._pool.close()

    def pids(self) -> list[int]:
        """Of the processes there are."""
        return self._pool.pids()

    async def _found(self, work: Callable[[PdfProcess], Awaitable[_Work]], seconds: float) -> _Work | _Refusal:
        """What a process finds, or how it refuses the document."""
        try:
            return await self._pool.run(work, seconds)
        except (PdfInvalidError, PdfPasswordProtectedError) as error:
            return type(error)
        except TooCostlyError as error:
            raise PdfTooCostlyError from error


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
