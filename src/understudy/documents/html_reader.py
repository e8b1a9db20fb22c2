"""The title and the readable text of HTML pages, by processes of their own that are started when there is work.

The library is the optional extra `web`. Without it `available` is False and nothing is ever started.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from math import ceil
from pathlib import Path
from typing import Final

import orjson

from understudy.documents.html_worker import REPLY, REQUEST
from understudy.documents.reading_process import ReadingProcess
from understudy.documents.worker_pool import TooCostlyError, WorkerPool

_PROGRAM: Final = Path(__file__).with_name("html_worker.py")


class HtmlError(Exception):
    """A page that cannot be read, or not in time."""


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """`text` is Markdown. `date` is when the page was written, as YYYY-MM-DD, where it tells."""

    title: str
    text: str
    date: str | None = None


class HtmlReader:
    """Reads pages, at most `processes` at once. `timeout`: seconds for one; `memory`: bytes a process may have."""

    def __init__(
        self,
        *,
        processes: int = 2,
        timeout: float = 20.0,
        memory: int = 768 * 1024 * 1024,
        idle: float = 60.0,
        queue_timeout: float = 30.0,
    ) -> None:
        self._timeout = timeout
        self._pool: WorkerPool[_HtmlProcess] = WorkerPool(
            lambda: _HtmlProcess.run(_PROGRAM, memory), processes=processes, idle=idle, queue_timeout=queue_timeout
        )
        self.available = find_spec("trafilatura") is not None
        """Whether there is a library to read with."""

    async def read(self, data: bytes) -> HtmlPage:
        """The page in these bytes. Raises HtmlError, and OverloadedError when too many others are being read."""
        try:
            answer = await self._pool.run(lambda process: process.read(data, self._timeout), self._timeout)
        except TooCostlyError as error:
            raise HtmlError("the page took too much time or memory") from error
        if not answer:
            raise HtmlError("the page cannot be read")
        found = orjson.loads(answer)
        return HtmlPage(found["title"], found["text"], found["date"])

    async def close(self) -> None:
        """End all processes, those at work too."""
        await self._pool.close()


class _HtmlProcess(ReadingProcess):
    """After any exception it must be killed."""

    __slots__ = ()

    async def read(self, data: bytes, seconds: float) -> bytes:
        out = await self.ask(REQUEST.pack(ceil(seconds), len(data)), data)
        (size,) = REPLY.unpack(await out.readexactly(REPLY.size))
        return await out.readexactly(size)
