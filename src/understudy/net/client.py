"""The one client for URLs that others chose: bounded in bytes, time and redirects, and held by the guard.

aiohttp is imported at the first fetch: most servers never make one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import zlib
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Any, Final

from understudy import __version__
from understudy.net.addresses import Address
from understudy.net.guard import Guard, Target, UrlRefusedError, canonical

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

_MOST_REDIRECTS: Final = 5
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# Bytes taken, or inflated, between two looks at the bound.
_PIECE: Final = 64 * 1024
_USER_AGENT: Final = f"understudy/{__version__}"


class FetchError(Exception):
    """What was asked for did not come: no answer, not the wanted one, or not in time."""


class FetchTooLargeError(FetchError):
    """It has more bytes than were wanted."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """`content_type` is what the server said, in lower case and without parameters; "" if nothing."""

    body: bytes
    content_type: str
    final_url: str


class Fetcher:
    """Fetches at most `at_once` URLs at a time. No cookies, no proxies, no credentials, no kept connections."""

    def __init__(self, guard: Guard, *, at_once: int = 32) -> None:
        self.guard = guard
        self._slots = asyncio.Semaphore(at_once)
        self._tls: ssl.SSLContext | None = None

    async def fetch(self, url: str, *, most_bytes: int, timeout: float) -> Fetched:  # noqa: ASYNC109
        """GET `url`. `timeout`: seconds for all of it, redirects and waiting for a turn included.

        Raises UrlRefusedError where the guard does, FetchTooLargeError beyond `most_bytes`, FetchError for all else.
        """
        try:
            async with asyncio.timeout(timeout), self._slots:
                return await self._follow(self.guard.judge(url), most_bytes)
        except TimeoutError:
            raise FetchError("it took too long") from None

    async def post_form(
        self,
        url: str,
        fields: Mapping[str, str],
        *,
        headers: Mapping[str, str],
        most_bytes: int,
        timeout: float,  # noqa: ASYNC109
    ) -> Fetched:
        """POST `fields` as a form, to that URL and no other. Raises as `fetch` does; a redirect is no answer."""
        import aiohttp

        try:
            async with asyncio.timeout(timeout), self._slots:
                target = self.guard.judge(url)
                addresses = await self.guard.addresses(target)
                posted = self._open(target, addresses, "POST", data=dict(fields), headers=dict(headers))
                async with posted as response:
                    if response.status != 200:
                        raise FetchError(f"status {response.status}")
                    body = await _read(response, most_bytes)
                    said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                    return Fetched(body, said, str(target.url))
        except TimeoutError:
            raise FetchError("it took too long") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            refused = _refusal(error)
            raise refused if refused is not None else FetchError(type(error).__name__) from error

    async def _follow(self, target: Target, most_bytes: int) -> Fetched:
        import aiohttp

        for _ in range(_MOST_REDIRECTS + 1):
            try:
                addresses = await self.guard.addresses(target)
                async with self._open(target, addresses) as response:
                    if response.status not in _REDIRECTS:
                        if response.status != 200:
                            raise FetchError(f"status {response.status}")
                        body = await _read(response, most_bytes)
                        said = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
                        return Fetched(body, said, str(target.url))
                    target = self._next(target, response.headers.getall("Location", []))
            except (aiohttp.ClientError, OSError, ValueError) as error:
                # A connection that the guard stopped comes wrapped in the client's own error.
                refused = _refusal(error)
                raise refused if refused is not None else FetchError(type(error).__name__) from error
        raise FetchError("it redirects too often")

    def _next(self, target: Target, locations: list[str]) -> Target:
        if len(locations) != 1:
            raise FetchError("it redirects to nowhere")
        following = self.guard.judge(locations[0], target.url)
        if target.url.scheme == "https" and following.url.scheme != "https":
            raise UrlRefusedError("it redirects from https to http")
        return following

    @contextlib.asynccontextmanager
    async def _open(
        self, target: Target, addresses: Sequence[Address], method: str = "GET", **request: Any
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        import aiohttp

        if self._tls is None:
            # Reading the system's certificates takes some 20 ms.
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        connector = aiohttp.TCPConnector(
            resolver=_pinned(addresses),
            socket_factory=_SocketsTo(frozenset(addresses)),
            use_dns_cache=False,
            force_close=True,
            limit=1,
            ssl=self._tls,
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"User-Agent": _USER_AGENT, "Accept-Encoding": "identity"},
                # The time of all redirects together is bounded above.
                timeout=aiohttp.ClientTimeout(total=None),
            ) as session,
            session.request(method, target.url, allow_redirects=False, **request) as response,
        ):
            yield response


def _pinned(addresses: Sequence[Address]) -> AbstractResolver:
    """A resolver that knows only the addresses that were judged."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Pinned(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
        ) -> list[ResolveResult]:
            return [
                ResolveResult(
                    hostname=host,
                    host=str(address),
                    port=port,
                    family=socket.AF_INET if isinstance(address, IPv4Address) else socket.AF_INET6,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for address in addresses
            ]

        async def close(self) -> None:
            pass

    return Pinned()


class _SocketsTo:
    """Makes sockets, and only to the addresses that were judged: whatever led here, this is the last look."""

    __slots__ = ("_addresses",)

    def __init__(self, addresses: frozenset[Address]) -> None:
        self._addresses = addresses

    def __call__(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, proto, _, name = info
        if canonical(str(name[0])) not in self._addresses:
            raise _StoppedError("it leads to an address that was not judged")
        made = socket.socket(family, kind, proto)
        made.setblocking(False)
        return made


class _StoppedError(OSError):
    pass


def _refusal(error: BaseException | None) -> UrlRefusedError | None:
    while error is not None:
        if isinstance(error, _StoppedError):
            return UrlRefusedError(str(error))
        error = error.__cause__ or error.__context__
    return None


async def _read(response: aiohttp.ClientResponse, most_bytes: int) -> bytes:
    """The body, decoded if need be, never more than `most_bytes` of it before it is given up."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding not in {"", "identity", "gzip", "x-gzip", "deflate"}:
        raise FetchError("its content coding was not asked for")
    if (response.content_length or 0) > most_bytes:
        raise FetchTooLargeError
    inflate = None if coding in {"", "identity"} else _Inflate()
    body: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_PIECE):
        for part in (chunk,) if inflate is None else inflate.feed(chunk):
            size += len(part)
            if size > most_bytes:
                raise FetchTooLargeError
            body.append(part)
            await asyncio.sleep(0)
    if inflate is not None and not inflate.ended:
        raise FetchError("it ended too early")
    return b"".join(body)


class _Inflate:
    """Undoes gzip and deflate, in pieces that are never large."""

    __slots__ = ("_stream",)

    def __init__(self) -> None:
        # 32: gzip or zlib, whichever its first bytes say.
        self._stream = zlib.decompressobj(32 + zlib.MAX_WBITS)

    @property
    def ended(self) -> bool:
        return self._stream.eof

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while not self._stream.eof:
                part = self._stream.decompress(chunk, _PIECE)
                yield part
                chunk = self._stream.unconsumed_tail
                # A full piece may have left something behind even when all was taken in.
                if not chunk and len(part) < _PIECE:
                    return
        except zlib.error as error:
            raise FetchError("it cannot be decoded") from error
