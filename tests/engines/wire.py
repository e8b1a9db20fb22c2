"""A connection to an upstream that can be cut anywhere: a proxy of bytes between an engine and a server on a socket."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

END = b"\n\n"
"""What ends an event of a stream."""


@dataclass
class Wire:
    """`sent` and `answered` are all bytes of both directions, as their senders wrote them.

    `size`: answers come in pieces of so many bytes. `events`: after so many events of an answer, or `most` bytes of it,
    the connection breaks, or, with `stalls`, nothing comes any more. `left_at`: when the engine has closed its
    connection (the loop's clock).
    """

    url: str = ""
    size: int | None = None
    events: int | None = None
    most: int | None = None
    stalls: bool = False
    sent: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    left_at: float = 0.0
    tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    def whole(self) -> None:
        """Let everything pass from now on, and forget what has."""
        self.size = self.events = self.most = None
        self.stalls = False
        self.sent.clear()
        self.answered.clear()
        self.left.clear()

    async def carry(
        self, upstream: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            up_reader, up_writer = await asyncio.open_connection(*upstream)
            try:
                asking = asyncio.ensure_future(self._ask(reader, up_writer))
                answering = asyncio.ensure_future(self._answer(up_reader, writer))
                await asyncio.wait([asking, answering], return_when=asyncio.FIRST_COMPLETED)
                for direction in (asking, answering):
                    direction.cancel()
                    with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                        await direction
            finally:
                up_writer.close()
        finally:
            writer.close()
            self.tasks.discard(task)

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                self.sent += data
                self.answered.clear()
                writer.write(data)
        except ConnectionError:
            pass
        self.left_at = asyncio.get_running_loop().time()
        self.left.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            before = len(self.answered)
            self.answered += data
            end = self._end()
            if end is not None:
                data = data[: max(end - before, 0)]
            size = self.size or max(len(data), 1)
            for start in range(0, len(data), size):
                writer.write(data[start : start + size])
                await writer.drain()
                if self.size is not None:
                    await asyncio.sleep(0)
            if end is not None:
                if self.stalls:
                    await asyncio.Event().wait()
                return

    def _end(self) -> int | None:
        """Where the answer is cut: behind its last event that passes, or before all of it."""
        if self.events is None:
            return None if self.most is None or len(self.answered) < self.most else self.most
        place = 0
        for _ in range(self.events):
            found = self.answered.find(END, place)
            if found < 0:
                return None
            place = found + len(END)
        return place


@asynccontextmanager
async def wire_to(url: str) -> AsyncGenerator[Wire]:
    """A wire whose `url` leads where `url` does."""
    parts = urlsplit(url)
    assert parts.hostname is not None and parts.port is not None
    wire, upstream = Wire(), (parts.hostname, parts.port)
    server = await asyncio.start_server(
        lambda reader, writer: wire.carry(upstream, reader, writer), "127.0.0.1", 0
    )  # fmt: skip
    wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}{parts.path}"
    try:
        yield wire
    finally:
        server.close()
        for task in list(wire.tasks):
            task.cancel()
        await asyncio.gather(*wire.tasks, return_exceptions=True)
