"""The floor: a raw ASGI app that hands a request's bytes on and its answer's bytes back, under uvicorn.

It looks at nothing but the lengths of bodies, and keeps its connections to the upstream.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import httptools
import uvicorn

from .ready import Place, parser, place

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_KEPT: Final = frozenset({b"content-type", b"content-length"})


class Connection(asyncio.Protocol):
    """One connection to the upstream. Its `on_*` methods are httptools' callbacks."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self.lost = False
        self._reset()

    def _reset(self) -> None:
        self._parser: Any = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._wake()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)
        if self.status:
            self._wake()

    def on_header(self, name: bytes, value: bytes) -> None:
        low = name.lower()
        if low in _KEPT:
            self.headers.append((low, value))

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()

    def on_body(self, data: bytes) -> None:
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        self._ended = True

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def begin(self, request: bytes) -> None:
        """Send a request and wait for its answer's headers."""
        assert self._transport is not None
        self._reset()
        self._transport.write(request)
        while not self.status:
            await self._wait()

    async def piece(self) -> tuple[bytes, bool]:
        """What has come of the body, and whether that is its end."""
        while not self._pieces and not self._ended:
            await self._wait()
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data, self._ended

    async def _wait(self) -> None:
        if self.lost:
            raise ConnectionError
        self._waiter = self._loop.create_future()
        await self._waiter


class Proxy:
    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[Connection] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        pieces: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            pieces.append(message["body"])
            if not message["more_body"]:
                break
        body = b"".join(pieces)
        path: bytes = scope["raw_path"]
        head = b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n" % path
        request = head + b"content-length: %d\r\n\r\n" % len(body) + body
        connection = await self._connection()
        await connection.begin(request)
        await send({"type": "http.response.start", "status": connection.status, "headers": connection.headers})
        ended = False
        while not ended:
            data, ended = await connection.piece()
            await send({"type": "http.response.body", "body": data, "more_body": not ended})
        self._idle.append(connection)

    async def _connection(self) -> Connection:
        while self._idle:
            found = self._idle.pop()
            if not found.lost:
                return found
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return made


class ReadyServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, where: Place) -> None:
        super().__init__(config)
        self._where = where

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._where.announce()


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--upstream-port", type=int, required=True)
    found = options.parse_args()
    with place(found) as where:
        config = uvicorn.Config(
            cast("Any", Proxy(found.upstream_port)),
            loop="uvloop",
            http="httptools",
            lifespan="off",
            access_log=False,
            log_level="warning",
        )
        ReadyServer(config, where).run(sockets=[where.listener])


if __name__ == "__main__":
    main()
