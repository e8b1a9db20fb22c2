"""One process that reads PDFs, as this one sees it: started, given a document, listened to, ended."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from understudy.documents.pdf_worker import PAGE, REPLY, REQUEST
from understudy.documents.worker_pool import end_process, kill_process

MOST_CHARACTERS: Final = 8 * 1024 * 1024
"""Characters of text that are taken of one document; later pages are then without. It is ten times the longest
context."""

_PROGRAM: Final = Path(__file__).with_name("pdf_worker.py")
# Bytes that wait at most to be taken by the process.
_PIECE: Final = 256 * 1024


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


class PdfProcess:
    """Reads one document at a time.

    After any exception but PdfInvalidError and PdfPasswordProtectedError it must be killed.
    """

    __slots__ = ("_process", "documents")

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.documents = 0

    @classmethod
    async def start(cls, memory: int) -> PdfProcess:
        """A process of at most `memory` bytes. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # Its own directory is no place to import from.
            "-P",
            str(_PROGRAM),
            str(memory),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            cwd=Path(sys.executable).anchor,
            env=worker_environment(),
            # A key pressed at the terminal is for the server, which ends its processes by itself.
            start_new_session=True,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    async def read(self, data: bytes, most_pages: int, seconds: float) -> PdfText:
        """`seconds`: of the process's own time. Raises PdfError; OSError or EOFError when the process is gone."""
        kind, count = await self._ask(b"T", data, most_pages, MOST_CHARACTERS, seconds)
        match kind:
            case b"P":
                return PdfText(count, tuple(await self._pages(count)))
            case b"M":
                return PdfText(count, ())
            case _:
                raise _refusal(kind)

    async def draw(self, data: bytes, most_pages: int, most_characters: int, seconds: float) -> tuple[str, ...]:
        """As PdfReader.draw. `most_characters`: of all pictures' base64. Raises as `read` does."""
        kind, count = await self._ask(b"I", data, most_pages, most_characters, seconds)
        if kind != b"P":
            raise _refusal(kind)
        return tuple(await self._pages(count))

    async def _ask(self, kind: bytes, data: bytes, most_pages: int, most: int, seconds: float) -> tuple[bytes, int]:
        source, out = self._process.stdin, self._process.stdout
        assert source is not None
        assert out is not None
        self.documents += 1
        view = memoryview(data)
        source.write(REQUEST.pack(kind, ceil(seconds), len(data), most_pages, most))
        for start in range(0, len(data), _PIECE):
            source.write(view[start : start + _PIECE])
            await source.drain()
        return REPLY.unpack(await out.readexactly(REPLY.size))

    async def _pages(self, count: int) -> list[str]:
        out = self._process.stdout
        assert out is not None
        pages: list[str] = []
        for _ in range(count):
            (size,) = PAGE.unpack(await out.readexactly(PAGE.size))
            pages.append((await out.readexactly(size)).decode())
        return pages

    async def end(self) -> None:
        await end_process(self._process)

    async def kill(self) -> None:
        await kill_process(self._process)


def _refusal(kind: bytes) -> PdfError:
    return PdfPasswordProtectedError() if kind == b"E" else PdfInvalidError()


def worker_environment() -> dict[str, str]:
    """Where it finds what this process finds, and nothing else: no keys, no settings."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONUTF8": "1"}
