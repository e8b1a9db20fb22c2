"""Small web servers to fetch from, which write bytes so that they can misbehave; a resolver that changes its mind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

Answer = Callable[[str, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """`requests` are the heads of those that came, `hung_up` counts clients that left before the end."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.requests: list[str] = []
        self.hung_up = 0

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@asynccontextmanager
async def site(answer: Answer, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[Site, None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            here.requests.append(head)
            await answer(head.split(" ")[1], writer)
            await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            here.hung_up += 1
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port)
    here = Site(host, server.sockets[0].getsockname()[1])
    async with server:
        yield here


def response(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status}", *headers, *([f"Content-Length: {len(body)}"] if length else []), "", ""]
    return "\r\n".join(lines).encode() + body


def says(body: bytes, *headers: str, status: str = "200 OK", length: bool = True) -> Answer:
    async def answer(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(response(body, *headers, status=status, length=length))

    return answer


def redirects(location: str, status: str = "302 Found") -> Answer:
    return says(b"", f"Location: {location}", status=status)


class Resolver:
    """Answers each question about a name with the next of its answers, and with the last one from then on."""

    def __init__(self, **answers: Sequence[Sequence[str]]) -> None:
        self._answers = {name.replace("_", "."): list(given) for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self._answers:
            raise OSError("no such name")
        given = self._answers[host]
        return given.pop(0) if len(given) > 1 else given[0]
