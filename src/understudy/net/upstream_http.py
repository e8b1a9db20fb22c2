"""The HTTP/1.1 client for upstreams that an operator configured: POST, kept connections, answers read as they come.

It is trusted where it leads: no guard judges addresses. Redirects are not followed, proxies of the environment are not
used, nothing is decompressed, no cookies are kept. It is written by hand because every forwarded request and every
event of a stream passes here: a general client costs two to three times as much.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, quote, unquote, urlsplit

from understudy import __version__

from .http_connection import Answer, BrokenError, Connection, NotConnectedError, TooSlowError, UpstreamHttpError

__all__ = ["Answer", "BrokenError", "NotConnectedError", "TooSlowError", "UpstreamHttpClient", "UpstreamHttpError"]

# Seconds in which a kept connection that ends without a byte is taken to have been closed just when it was used again.
_RACE: Final = 1.0
# Requests' heads that are remembered, and how many bytes each may have for that.
_MOST_HEADS: Final = 128
_LONGEST_HEAD: Final = 4096
# Characters that may stand in a path or a query as they are (RFC 3986).
_SAFE: Final = "/:@!$&'()*+,;=-._~%?"
_Found: TypeAlias = tuple[int, int, int, str, tuple[Any, ...]]
"""An address as getaddrinfo gives it: its family, type, protocol, name and socket address."""
_USER_AGENT: Final = f"understudy/{__version__}"


class UpstreamHttpClient:
    """`base_url`: http or https; paths are added to it. `headers` go with every request; a request's own win.

    `connect_timeout`: seconds until a connection stands, its name resolved and its TLS done. `keep_alive`: seconds in
    which an unused connection is closed. How many requests there are at once is the caller's business. Nothing is
    opened before the first request; TLS trusts what the system does.
    """

    def __init__(
        self,
        base_url: str,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout: float = 10.0,
        keep_alive: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"user-agent": _USER_AGENT, "accept": "*/*", "accept-encoding": "identity"}
        self._headers |= {name.lower(): value for name, value in (headers or {}).items()}
        self._connect_timeout = connect_timeout
        self._keep_alive = keep_alive
        self._tls = tls
        self._loop: asyncio.AbstractEventLoop | None = None
        self._idle: deque[Connection] = deque()
        self._open: set[Connection] = set()
        self._sweeper: asyncio.TimerHandle | None = None
        self._place: _Place | None = None
        self._heads: dict[tuple[object, ...], bytes] = {}

    async def close(self) -> None:
        """Break all connections off."""
        for connection in list(self._open):
            connection.close()
        self._forget()

    async def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, *, first_byte: float
    ) -> Answer:
        """POST `body` as JSON to `path` (with its query). Returns when the answer's headers have come.

        `first_byte`: seconds from the request to them, on a connection that stands. A kept connection that turns out to
        be closed is replaced once, where not a byte of an answer has come and the upstream had no time to work. Raises
        NotConnectedError, BrokenError, TooSlowError; ValueError for a header that cannot be sent.
        """
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._forget()
            self._loop = loop
        parts = [self._head(path, headers, len(body)), body]
        connection = self._kept(loop)
        if connection is not None:
            began = loop.time()
            try:
                return await connection.ask(parts, first_byte)
            except BrokenError as error:
                if error.answered or loop.time() - began > _RACE:
                    raise
        connection = await self._connected(loop)
        return await connection.ask(parts, first_byte)

    # --- what is sent ---

    def _head(self, path: str, headers: Mapping[str, str] | None, size: int) -> bytes:
        key = (path, *headers.items()) if headers else (path,)
        head = self._heads.get(key)
        if head is None:
            head = self._lines(path, headers or {})
            # Clients are of few kinds, so their headers are as well.
            if len(self._heads) < _MOST_HEADS and len(head) < _LONGEST_HEAD:
                self._heads[key] = head
        return b"%scontent-length: %d\r\n\r\n" % (head, size)

    def _lines(self, path: str, headers: Mapping[str, str]) -> bytes:
        place = self._place or self._find_place()
        named = self._headers | {name.lower(): value for name, value in headers.items()}
        lines = [f"POST {place.path}{quote(path, safe=_SAFE)} HTTP/1.1", f"host: {place.authority}"]
        if place.user is not None:
            named.setdefault("authorization", place.user)
        lines += [f"{name}: {value}" for name, value in named.items()]
        lines.append("content-type: application/json\r\n")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) or text.count("\r") != len(lines) or "\0" in text:
            raise ValueError("a header's value has more than one line")
        return text.encode("latin-1")

    def _find_place(self) -> _Place:
        try:
            self._place = _Place(urlsplit(self._base_url))
        except ValueError as error:
            raise NotConnectedError(f"its URL cannot be used: {error}") from None
        return self._place

    # --- connections ---

    def _kept(self, loop: asyncio.AbstractEventLoop) -> Connection | None:
        """The connection that was used last: of those that are kept it is the likeliest to be open still."""
        idle = self._idle
        while idle:
            connection = idle.pop()
            if not connection.lost and loop.time() - connection.idle_since < self._keep_alive:
                return connection
            connection.close()
        return None

    def _free(self, connection: Connection) -> None:
        if connection not in self._open:
            connection.abort()
            return
        self._idle.append(connection)
        if self._sweeper is None and self._loop is not None:
            self._sweeper = self._loop.call_later(self._keep_alive, self._sweep)

    def _sweep(self) -> None:
        """Close what was not used for too long; the first of them has waited longest."""
        assert self._loop is not None
        self._sweeper = None
        now = self._loop.time()
        while self._idle:
            oldest = self._idle[0]
            left = oldest.idle_since + self._keep_alive - now
            if left > 0 and not oldest.lost:
                self._sweeper = self._loop.call_later(left, self._sweep)
                return
            self._idle.popleft()
            oldest.close()

    def _forget(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        self._idle.clear()
        self._open.clear()

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> Connection:
        place = self._place or self._find_place()
        deadline = loop.time() + self._connect_timeout
        try:
            async with asyncio.timeout_at(deadline):
                if place.tls and self._tls is None:
                    # Reading the system's certificates takes some 20 ms.
                    self._tls = await asyncio.to_thread(_usual_tls)
                found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            return await self._connect_to_one(loop, place, found, deadline)
        except TimeoutError as error:
            raise NotConnectedError("no connection stood in time") from error
        except (OSError, ssl.SSLError, UnicodeError) as error:
            raise NotConnectedError(str(error)[:500]) from error

    async def _connect_to_one(
        self,
        loop: asyncio.AbstractEventLoop,
        place: _Place,
        found: Sequence[_Found],
        deadline: float,
    ) -> Connection:
        """A connection to the first address that takes one. Each gets its share of the time that is left."""
        failed: OSError = OSError("its name has no address")
        for number, (family, _, proto, _, address) in enumerate(found):
            share = (deadline - loop.time()) / (len(found) - number)
            try:
                async with asyncio.timeout(share):
                    _, connection = await loop.create_connection(
                        lambda: Connection(loop, self._free, self._open.discard),
                        str(address[0]),
                        place.port,
                        family=family,
                        proto=proto,
                        flags=socket.AI_NUMERICHOST,
                        ssl=self._tls if place.tls else None,
                        server_hostname=place.host if place.tls else None,
                    )
            except OSError as error:  # TimeoutError is one
                failed = error
                continue
            self._open.add(connection)
            return connection
        raise failed


class _Place:
    """Where a URL leads. Raises ValueError for one that cannot be used."""

    __slots__ = ("authority", "host", "path", "port", "tls", "user")

    def __init__(self, url: SplitResult) -> None:
        if url.scheme not in {"http", "https"} or not url.hostname:
            raise ValueError("it must begin with http:// or https:// and name a host")
        self.tls = url.scheme == "https"
        self.host = url.hostname if url.hostname.isascii() else url.hostname.encode("idna").decode()
        usual = 443 if self.tls else 80
        self.port = url.port or usual
        shown = f"[{self.host}]" if ":" in self.host else self.host
        self.authority = shown if self.port == usual else f"{shown}:{self.port}"
        self.path = quote(url.path, safe=_SAFE)
        self.user: str | None = None
        if url.username is not None:
            pair = f"{unquote(url.username)}:{unquote(url.password or '')}".encode()
            self.user = f"Basic {base64.b64encode(pair).decode()}"


def _usual_tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
