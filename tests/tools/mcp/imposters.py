"""MCP servers that misbehave: what they answer is written by the test, byte by byte."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Reply = Callable[["Asked"], Awaitable[None]]


@dataclass
class Asked:
    """One request. `message` is its JSON-RPC message, empty where it has none."""

    method: str
    path: str
    headers: dict[str, str]
    message: Json
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def gone(self) -> None:
        """Returns when the other end has left."""
        await self.reader.read()

    def say(self, body: bytes, *lines: str, status: str = "200 OK", kind: str = "application/json") -> None:
        head = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", f"Content-Length: {len(body)}", *lines, "", ""]
        self.writer.write("\r\n".join(head).encode() + body)

    def result(self, result: Json) -> None:
        self.say(json.dumps({"jsonrpc": "2.0", "id": self.message.get("id"), "result": result}).encode())

    def error(self, message: str) -> None:
        body = {"jsonrpc": "2.0", "id": self.message.get("id"), "error": {"code": -32000, "message": message}}
        self.say(json.dumps(body).encode())

    def begin(self, kind: str = "text/event-stream") -> None:
        """An answer without end."""
        self.writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n".encode())


@dataclass
class Imposter:
    url: str = ""
    asked: list[Asked] = field(default_factory=list[Asked])
    open: int = 0

    def methods(self) -> list[str]:
        return [one.message.get("method", one.method) for one in self.asked]


@asynccontextmanager
async def imposter(
    reply: Reply, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Imposter]:
    here = Imposter()
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        here.open += 1
        try:
            while True:
                asked = await _read(reader, writer)
                here.asked.append(asked)
                await reply(asked)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            here.open -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    here.url = f"{'http' if tls is None else 'https'}://{host}:{server.sockets[0].getsockname()[1]}/mcp"
    try:
        yield here
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Asked:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = lines[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Asked(method, path, headers, json.loads(body) if body else {}, reader, writer)


INITIALIZED: Json = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "imposter", "version": "1"},
}
TOOL: Json = {"name": "look", "description": "Look.", "inputSchema": {"type": "object"}}


def acting(**replies: Reply) -> Reply:
    """A server that keeps the protocol but for `replies`: by method, with underscores for slashes."""

    async def reply(asked: Asked) -> None:
        method = asked.message.get("method", asked.method)
        own = replies.get(method.replace("/", "_"))
        if own is not None:
            await own(asked)
        elif method == "initialize":
            asked.result(INITIALIZED)
        elif method == "tools/list":
            asked.result({"tools": [TOOL]})
        elif method == "tools/call":
            asked.result({"content": [{"type": "text", "text": "seen"}]})
        elif method.startswith("notifications/"):
            asked.say(b"", status="202 Accepted")
        elif "id" in asked.message:
            asked.error("Method not found")
        else:
            asked.say(b"", status="405 Method Not Allowed")

    return reply
