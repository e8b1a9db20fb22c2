"""Requests to one llama.cpp server, over its Unix socket or over HTTP.

A token is an event of its own here, so this is written for little work an event: one protocol object a socket, parsed
by httptools, no task and no copy between it and whoever asked. A request that is given up closes its socket at once,
for that is the only way in which llama.cpp learns of it.
"""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit

import orjson

from understudy import __version__
from understudy.engines.openai_compatible.sse import EventReader, EventTooLongError

from .failures import LlamaError, LlamaGoneError, LlamaTimeoutError
from .sockets import Socket

__all__ = ["Connection", "LlamaError", "LlamaGoneError", "LlamaTimeoutError"]

# Seconds in which an unused connection is closed: llama.cpp closes its end after five.
_KEEP_ALIVE: Final = 4.0
# Seconds after its sockets in which it is known that a worker's process has ended too.
_MOMENT: Final = 0.1
# Unused connections that are kept. Each holds a thread of the server.
_MOST_KEPT: Final = 8
# Bytes of an answer that is no stream: the tokens of a prompt of a million tokens are 7 MB.
_MOST_ANSWER: Final = 64 * 1024 * 1024


class Connection:
    """`address` is the path of a Unix socket or an `http://` or `https://` URL, which may have a path of its own.

    `api_key` is sent as a Bearer token. `connect_timeout` is in seconds. `ready`, where given, is awaited before each
    request, and may raise LlamaGoneError: so a request waits while a worker starts again.

    Every request raises LlamaError for what the server says is wrong, LlamaGoneError where it cannot be reached or
    broke its answer off, and LlamaTimeoutError. Belongs to one event loop.
    """

    def __init__(
        self,
        address: Path | str,
        api_key: str | None,
        *,
        connect_timeout: float = 10.0,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._path: Path | None = None
        self._ssl: ssl.SSLContext | None = None
        prefix = ""
        host = "localhost"
        if isinstance(address, Path):
            self._path = address
        else:
            url = urlsplit(address)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ValueError(f"{address!r} is neither a path nor an http:// or https:// URL.")
            if url.scheme == "https":
                self._ssl = ssl.create_default_context()
            self._host, self._port = url.hostname, url.port or (443 if url.scheme == "https" else 80)
            prefix, host = url.path.rstrip("/"), url.netloc.rpartition("@")[2]
        self._prefix = prefix
        lines = [f"Host: {host}", f"User-Agent: understudy/{__version__}", "Accept-Encoding: identity"]
        if api_key:
            if not (api_key.isascii() and api_key.isprintable()):
                raise ValueError("The key of a llama.cpp server must be printable ASCII.")
            lines.append(f"Authorization: Bearer {api_key}")
        self._head = "\r\n".join(lines)
        self._connect_timeout = connect_timeout
        self._ready = ready
        # Used from its right end: the one that waited least is the least likely to be closed at the other end.
        self._kept: deque[Socket] = deque()
        self._busy: set[Socket] = set()
        self._closed = False
        # The loop's time until which it is not sure that the server still runs.
        self._doubtful = 0.0

    async def get(self, path: str, timeout: float = 10.0) -> dict[str, Any]:  # noqa: ASYNC109
        """The JSON object that GET `path` answers within `timeout` seconds."""
        return _object(await self._whole("GET", path, None, timeout))

    async def post(self, path: str, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:  # noqa: ASYNC109
        """The JSON object that POST `path` answers within `timeout` seconds.

        llama.cpp does not notice when such a request is given up: for whatever decodes, take `stream`.
        """
        return _object(await self._whole("POST", path, orjson.dumps(body), timeout))

    async def stream(
        self, path: str, body: Mapping[str, Any], *, first: float, idle: float
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The JSON objects of the answer's `data:` lines, those that arrived together in one list.

        The first must come within `first` seconds and each later one `idle` seconds after the last; the time that the
        caller takes between two does not count. An object with an `error` is raised as LlamaError. Closing the
        generator closes the socket at once, unless the answer was whole.
        """
        socket = await self._ask("POST", path, orjson.dumps(body), first, "text/event-stream")
        left = socket.left
        try:
            if socket.status != 200:
                raise _error(socket.status, await self._body(socket, left))
            reader = EventReader()
            clock = asyncio.get_running_loop().time
            began = clock()
            while True:
                data = await socket.read(left)
                try:
                    events = reader.feed(data) if data else reader.end()
                except EventTooLongError as error:
                    raise LlamaGoneError("The llama.cpp server sent an event without an end.") from error
                if events:
                    found, end = _objects(events)
                    if found:
                        yield found
                    if isinstance(end, Exception):
                        raise end
                    if end:
                        return
                    left, began = idle, clock()
                else:
                    # The caller did nothing meanwhile.
                    now = clock()
                    left, began = left - (now - began), now
                if not data:
                    return
        finally:
            # llama.cpp's HTTP library closes a connection after a stream, and says so to nobody: a request sent on it
            # is read and thrown away, and 0.1 s later the socket is gone.
            self._busy.discard(socket)
            self._doubt(socket)
            socket.abort()

    async def close(self) -> None:
        """Close all sockets. Requests that are under way fail with LlamaGoneError, and so does every later one."""
        self._closed = True
        self.drop()

    def drop(self) -> None:
        """Close all sockets: nobody answers on them any more. Requests that are under way fail at once."""
        for socket in [*self._kept, *self._busy]:
            socket.abort()
        self._kept.clear()
        self._busy.clear()

    async def _whole(self, method: str, path: str, body: bytes | None, seconds: float) -> object:
        socket = await self._ask(method, path, body, seconds, "application/json")
        try:
            answer = await self._body(socket, socket.left)
            if socket.status != 200:
                raise _error(socket.status, answer)
            try:
                return orjson.loads(answer)
            except ValueError as error:
                raise LlamaGoneError("The llama.cpp server answered no JSON.") from error
        finally:
            self._leave(socket)

    async def _body(self, socket: Socket, seconds: float) -> bytes:
        """What is left of the answer, which must be whole within `seconds`."""
        clock = asyncio.get_running_loop().time
        due = clock() + seconds
        pieces: list[bytes] = []
        size = 0
        while piece := await socket.read(due - clock()):
            pieces.append(piece)
            size += len(piece)
            if size > _MOST_ANSWER:
                raise LlamaGoneError("The llama.cpp server sent more than an answer can be.")
        return b"".join(pieces)

    async def _ask(self, method: str, path: str, body: bytes | None, seconds: float, accept: str) -> Socket:
        """The socket on which the head of the answer has come; its `left` are the seconds that are left."""
        await self._until_ready()
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}\r\nAccept: {accept}\r\n"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        request = (head + "\r\n").encode("latin-1") + (body or b"")
        clock = asyncio.get_running_loop().time
        due = clock() + seconds
        while True:
            if self._closed:
                raise LlamaGoneError("The connection to the llama.cpp server is closed.")
            kept = self._take()
            socket = kept or await self._open(min(self._connect_timeout, max(due - clock(), 0.0)))
            self._busy.add(socket)
            try:
                socket.send(request)
                await socket.head(due - clock())
            except LlamaGoneError:
                self._leave(socket)
                # A socket that was kept may have been closed at the other end meanwhile; a new one says the truth.
                if kept is None or socket.answered:
                    raise
            except BaseException:
                self._leave(socket)
                raise
            else:
                socket.left = due - clock()
                return socket

    async def _until_ready(self) -> None:
        if self._ready is None:
            return
        # A worker's sockets end a moment before it is known that its process has.
        doubtful = self._doubtful - asyncio.get_running_loop().time()
        if doubtful > 0.0:
            await asyncio.sleep(doubtful)
        await self._ready()

    async def _open(self, seconds: float) -> Socket:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                if self._path is not None:
                    _, socket = await loop.create_unix_connection(Socket, str(self._path))
                else:
                    _, socket = await loop.create_connection(Socket, self._host, self._port, ssl=self._ssl)
        except TimeoutError as error:
            raise LlamaGoneError("The llama.cpp server does not take the connection.") from error
        except OSError as error:
            self._doubtful = asyncio.get_running_loop().time() + _MOMENT
            raise LlamaGoneError("The llama.cpp server cannot be reached.") from error
        if self._closed:
            socket.abort()
        return socket

    def _take(self) -> Socket | None:
        oldest = asyncio.get_running_loop().time() - _KEEP_ALIVE
        while self._kept:
            socket = self._kept.pop()
            if socket.usable and socket.since > oldest:
                return socket
            socket.abort()
        return None

    def _leave(self, socket: Socket) -> None:
        """`socket` is kept for the next request if its answer is whole; else it is closed."""
        self._busy.discard(socket)
        if self._closed or socket.lost:
            self._doubt(socket)
            socket.abort()
        elif socket.usable:
            socket.rest(_KEEP_ALIVE, self._forget)
            self._kept.append(socket)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popleft().abort()
        else:
            socket.abort()

    def _doubt(self, socket: Socket) -> None:
        """A server that broke an answer off may be gone, although nobody has noticed yet."""
        if socket.lost and not socket.complete:
            self._doubtful = asyncio.get_running_loop().time() + _MOMENT

    def _forget(self, socket: Socket) -> None:
        if socket in self._kept:
            self._kept.remove(socket)


def _objects(events: list[list[bytes]]) -> tuple[list[dict[str, Any]], bool | LlamaError | LlamaGoneError]:
    """What the events hold, and whether they end the stream, or what ends it."""
    found: list[dict[str, Any]] = []
    for lines in events:
        data = lines[0] if len(lines) == 1 else b"\n".join(lines)
        if data == b"[DONE]":
            return found, True
        try:
            event = orjson.loads(data)
        except ValueError:
            return found, LlamaGoneError("The llama.cpp server sent an event that is no JSON.")
        if not isinstance(event, dict):
            return found, LlamaGoneError("The llama.cpp server sent an event that is no JSON object.")
        if "error" in event:
            return found, _error(200, data)
        found.append(cast("dict[str, Any]", event))
    return found, False


def _object(found: object) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise LlamaGoneError("The llama.cpp server answered no JSON object.")
    return cast("dict[str, Any]", found)


def _error(status: int, body: bytes) -> LlamaError:
    """`body` is what the server says is wrong; what is behind a proxy may be anything."""
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    said = cast("dict[str, Any]", found).get("error") if isinstance(found, dict) else None
    if isinstance(said, str):
        return LlamaError(status, "", said)
    if not isinstance(said, dict):
        return LlamaError(status, "", body[:500].decode(errors="replace").strip())
    details = dict(cast("dict[str, Any]", said))
    code = details.pop("code", None)
    kind = details.pop("type", None)
    message = details.pop("message", None)
    if status == 200 and isinstance(code, int):
        status = code
    return LlamaError(status, str(kind or ""), str(message or ""), details)
