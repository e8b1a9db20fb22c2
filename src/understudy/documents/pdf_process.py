"""One process that reads PDFs, as this one sees it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from understudy.documents.pdf_worker import PAGE, REPLY, REQUEST
from understudy.documents.reading_process import ReadingProcess

MOST_CHARACTERS: Final = 8 * 1024 * 1024
"""Characters of text that are taken of one document; later pages are then without. It is ten times the longest
context."""

_PROGRAM: Final = Path(__file__).with_name("pdf_worker.py")


class PdfError(Exception):
    """A PDF that cannot be read."""


class PdfInvalidError(PdfError):
    """It is none, or broken beyond what readers mend."""


class PdfPasswordProtectedError(PdfError):
    """It cannot be opened without a password."""


class PdfTooCostlyError(PdfError):
    """Its reading took too much time or memory, or broke the process."""


@dataclass(frozen=True, slots=True)
class PdfText:
    """`pages` are the texts of the pages, "" for one without; empty where the document has more pages than wanted."""

    page_count: int
    pages: tuple[str, ...]


class PdfProcess(ReadingProcess):
    """After any exception but PdfInvalidError and PdfPasswordProtectedError it must be killed."""

    __slots__ = ()

    @classmethod
    async def start(cls, memory: int) -> PdfProcess:
        """A process of at most `memory` bytes. Raises OSError."""
        return await cls.run(_PROGRAM, memory)

    async def read(self, data: bytes, most_pages: int, seconds: float) -> PdfText:
        """`seconds`: of the process's own time. Raises PdfError; OSError or EOFError when the process is gone."""
        out = await self.ask(REQUEST.pack(b"T", ceil(seconds), len(data), most_pages, MOST_CHARACTERS), data)
        kind, count = REPLY.unpack(await out.readexactly(REPLY.size))
        match kind:
            case b"P":
                return PdfText(count, tuple(await _pages(out, count)))
            case b"M":
                return PdfText(count, ())
            case _:
                raise _refusal(kind)

    async def draw(self, data: bytes, most_pages: int, most_characters: int, seconds: float) -> tuple[str, ...]:
        """As PdfReader.draw. `most_characters`: of all pictures' base64. Raises as `read` does."""
        out = await self.ask(REQUEST.pack(b"I", ceil(seconds), len(data), most_pages, most_characters), data)
        kind, count = REPLY.unpack(await out.readexactly(REPLY.size))
        if kind != b"P":
            raise _refusal(kind)
        return tuple(await _pages(out, count))


async def _pages(out: asyncio.StreamReader, count: int) -> list[str]:
    pages: list[str] = []
    for _ in range(count):
        (size,) = PAGE.unpack(await out.readexactly(PAGE.size))
        pages.append((await out.readexactly(size)).decode())
    return pages


def _refusal(kind: bytes) -> PdfError:
    return PdfPasswordProtectedError() if kind == b"E" else PdfInvalidError()
