"""A server of single connections: each is handed to what the test wrote, byte by byte."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class Talker:
    """One connection. `number` counts them from 1."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    number: int
    requests: list[bytes]

    async def request(self) -> bytes:
        """A whole request, its head and its body."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
        whole = head + await self.reader.readexactly(int(length.partition(b": ")[2]))
        self.requests.append(whole)
        return whole

    async def say(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            if len(pieces) > 1:
                await asyncio.sleep(0.001)

    async def answer(self, body: bytes, *lines: bytes, status: bytes = b"200 OK") -> None:
        head = [b"HTTP/1.1 " + status, b"content-length: %d" % len(body), *lines, b"", b""]
        await self.say(b"\r\n".join(head) + body)

    async def gone(self) -> None:
        """Returns when the other end has closed."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            pass


@dataclass
class Host:
    """`requests` are all that came, `connections` counts."""

    url: str = ""
    connections: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])


Talk = Callable[[Talker], Awaitable[None]]


@asynccontextmanager
async def talking(talk: Talk, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Host]:
    host = Host()
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        host.connections += 1
        try:
            await talk(Talker(reader, writer, host.connections, host.requests))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, limit=1 << 20)
    host.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield host
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
