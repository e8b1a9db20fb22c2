"""How MCP servers are connected to: by the guard, to one origin, and with a bound on what they say.

Only this module and `connection` know the HTTP client of the `mcp` package; they are imported at the first use.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterable
from typing import TYPE_CHECKING, Any, Final, cast

import httpcore2
import httpx2

from understudy import __version__
from understudy.net.guard import Guard, Target, UrlRefusedError

if TYPE_CHECKING:
    from httpcore2 import AsyncNetworkStream

# Seconds until a connection must stand.
_CONNECT: Final = 10.0
_MOST_CONNECTIONS: Final = 4
_USER_AGENT: Final = f"understudy/{__version__}"


class TooLargeError(httpx2.StreamError):
    """The server says more than is taken."""


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Reaches the origin of `target` and nothing else; whatever leads elsewhere is refused.

    `token` goes with every request. `allow` says how many bytes may come before it is called again. Since then
    `status` is the last that was an error, and `broken`: a connection could not be made, or broke off. `refusal` says
    why one was refused. `connected` is to be set when the server has shown that it is one of MCP.
    """

    def __init__(self, guard: Guard, target: Target, token: str | None, tls: ssl.SSLContext) -> None:
        self._target = target
        self._token = token
        self._left = 0
        self._backend = _GuardedBackend(guard, target)
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_connections=_MOST_CONNECTIONS, network_backend=self._backend
        )
        self.status: int | None = None
        self.connected = False
        self.too_large = False
        self.broken = False

    @property
    def refusal(self) -> str | None:
        return self._backend.refusal

    def allow(self, size: int) -> None:
        self._left = size
        self.status = None
        self.too_large = self.broken = False

    def take(self, size: int) -> None:
        """Count bytes that came. Raises TooLargeError."""
        self._left -= size
        if self._left < 0:
            self.too_large = True
            raise TooLargeError("the server says too much")

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url, origin = request.url, self._target.url
        host = url.raw_host.decode("ascii", "replace").lower().removesuffix(".")
        if (url.scheme, host, url.port or _usual(url.scheme)) != (
            origin.scheme,
            self._target.host,
            self._target.port,
        ):
            self._backend.refusal = "it leads to another server"
            raise httpx2.ConnectError("it leads to another server", request=request)
        headers = [
            (name, value)
            for name, value in request.headers.raw
            if name.lower() not in {b"authorization", b"accept-encoding", b"user-agent"}
        ]
        headers += [(b"User-Agent", _USER_AGENT.encode()), (b"Accept-Encoding", b"identity")]
        if self._token is not None:
            headers.append((b"Authorization", f"Bearer {self._token}".encode("utf-8", "replace")))
        sent = httpcore2.Request(
            method=request.method,
            url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=headers,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            answer = await self._pool.handle_async_request(sent)
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException, OSError) as error:
            self.broken = True
            raise httpx2.ConnectError(type(error).__name__, request=request) from error
        # Once connected, many a server refuses to be listened to, or to be told farewell.
        if answer.status >= 400 and (request.method == "POST" or not self.connected):
            self.status = answer.status
        response = httpx2.Response(
            status_code=answer.status,
            headers=answer.headers,
            stream=_Counted(answer, self),
        )
        if response.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
            await response.aclose()
            self.broken = True
            raise httpx2.RemoteProtocolError("its content coding was not asked for", request=request)
        return response

    async def aclose(self) -> None:
        await self._pool.aclose()


def _usual(scheme: str) -> int:
    return 443 if scheme == "https" else 80


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, answer: httpcore2.Response, transport: GuardedTransport) -> None:
        self._answer = answer
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._answer.aiter_stream():
                self._transport.take(len(part))
                yield part
        except (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException) as error:
            self._transport.broken = True
            raise httpx2.ReadError(type(error).__name__) from error

    async def aclose(self) -> None:
        await self._answer.aclose()


class _GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to the addresses that the guard has judged at this very moment."""

    def __init__(self, guard: Guard, target: Target) -> None:
        self._guard = guard
        self._target = target
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())
        self.refusal: str | None = None

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  the client's own interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        target = self._target
        try:
            addresses = await self._guard.addresses(target)
            if target.url.scheme != "https" and not all(self._guard.trusts(target, address) for address in addresses):
                raise UrlRefusedError("it is not https")
        except UrlRefusedError as error:
            self.refusal = str(error)
            raise httpcore2.ConnectError("refused") from error
        except OSError as error:
            raise httpcore2.ConnectError("its name has no address") from error
        failed: httpcore2.ConnectError | httpcore2.ConnectTimeout | None = None
        for address in addresses:
            try:
                return await self._backend.connect_tcp(str(address), target.port, _CONNECT / len(addresses))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failed = error
        assert failed is not None
        raise failed

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109  the client's own interface
        socket_options: Iterable[Any] | None = None,
    ) -> AsyncNetworkStream:
        raise httpcore2.ConnectError("no socket files")

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)
