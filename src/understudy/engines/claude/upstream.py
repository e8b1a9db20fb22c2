"""The connection to a Claude upstream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from .errors import BROKE_OFF, NO_ANSWER, UNREACHABLE, BadGatewayError, GatewayTimeoutError
from .settings import ClaudeSettings

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

# A whole answer: as large as the largest request.
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
# Headers of an upstream's answer that are the client's business too. Anything else stays here.
_KEPT: Final = frozenset({"retry-after", "retry-after-ms", "x-should-retry"})
_KEPT_PREFIXES: Final = ("anthropic-ratelimit-", "anthropic-priority-", "anthropic-fast-")
# Seconds for the end of an answer whose last event has come; it lets the connection be used again.
_LINGER: Final = 1.0


class ClaudeUpstream:
    """One server of the API, with connections that are kept. Nothing is opened before the first request."""

    def __init__(self, name: str, settings: ClaudeSettings) -> None:
        self.name = name
        self.settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._urls: dict[str, URL] = {}
        self._credentials: dict[str, str] = {}
        if settings.api_key is not None:
            self._credentials = (
                {"x-api-key": settings.api_key}
                if settings.auth == "x-api-key"
                else {"authorization": f"Bearer {settings.api_key}"}
            )

    @property
    def secret(self) -> str | None:
        """What must never reach a client."""
        return self.settings.api_key

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """POST `body` to `path` (with its query). Returns when the answer's headers have come; close what is returned.

        `headers` are the request's that may be passed on. Raises BadGatewayError and GatewayTimeoutError.
        """
        import aiohttp

        session = self._session or self._open()
        url = self._urls.get(path)
        if url is None:
            url = self._url(path)
        sent = {**headers, **self._credentials}
        again = True
        while True:
            try:
                async with asyncio.timeout(self.settings.first_byte_timeout):
                    answer = await session.post(url, data=body, headers=sent, allow_redirects=False)
                return Response(answer, self.settings)
            except TimeoutError:
                raise GatewayTimeoutError from None
            except (aiohttp.ClientError, OSError) as error:
                # A kept connection may be closed by the other end in the moment it is used again.
                gone = isinstance(
                    error, (aiohttp.ServerDisconnectedError, aiohttp.ClientConnectionResetError, aiohttp.ClientOSError)
                ) and not isinstance(error, aiohttp.ClientConnectorError)
                if not gone or not again:
                    raise BadGatewayError(UNREACHABLE) from error
                again = False
            except ValueError as error:
                raise BadGatewayError(UNREACHABLE) from error

    def _url(self, path: str) -> URL:
        from yarl import URL

        url = URL(self.settings.base_url.rstrip("/") + path, encoded=True)
        # There are two paths, each with or without one known query.
        if len(self._urls) < 16:
            self._urls[path] = url
        return url

    def _open(self) -> aiohttp.ClientSession:
        import aiohttp

        self._session = aiohttp.ClientSession(
            # How many there are at once is decided before.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0, ttl_dns_cache=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.settings.connect_timeout),
        )
        return self._session


class Response:
    """An upstream's answer of which nothing but the headers was read."""

    __slots__ = ("_answer", "_settings", "headers", "request_id", "status")

    def __init__(self, answer: aiohttp.ClientResponse, settings: ClaudeSettings) -> None:
        self._answer = answer
        self._settings = settings
        self.status = answer.status
        self.request_id: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        for name, value in answer.headers.items():
            low = name.lower()
            if low in _KEPT or low.startswith(_KEPT_PREFIXES):
                self.headers.append((low.encode("latin-1", "replace"), value.encode("latin-1", "replace")))
            elif low == "request-id":
                self.request_id = value[:200]

    @property
    def is_plain(self) -> bool:
        """Whether its body can be read as it comes, as it was asked for."""
        return self._answer.headers.get("Content-Encoding", "identity") in {"identity", ""}

    @property
    def is_stream(self) -> bool:
        return self._answer.content_type == "text/event-stream"

    async def read(self) -> bytes:
        """The whole body. Raises BadGatewayError, GatewayTimeoutError."""
        if not self.is_plain:
            raise BadGatewayError(NO_ANSWER)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._settings.idle_timeout) as patience:
                while chunk := await self.chunk():
                    size += len(chunk)
                    if size > _LARGEST_ANSWER:
                        raise BadGatewayError(NO_ANSWER)
                    parts.append(chunk)
                    patience.reschedule(asyncio.get_running_loop().time() + self._settings.idle_timeout)
        except TimeoutError:
            raise GatewayTimeoutError from None
        return b"".join(parts)

    async def chunk(self) -> bytes:
        """What has come of the body, at least a byte of it; none at its end. The caller watches the time.

        Raises BadGatewayError when it breaks off.
        """
        import aiohttp

        try:
            return await self._answer.content.readany()
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError) as error:
            raise BadGatewayError(BROKE_OFF) from error

    async def finish(self) -> None:
        """Wait shortly for the end of an answer that has said all, so that its connection can be used again."""
        content = self._answer.content
        try:
            if not content.at_eof():
                async with asyncio.timeout(_LINGER):
                    while await content.readany():
                        pass
        except Exception:
            self.close()

    def close(self) -> None:
        """Break the connection off, unless the answer was read to its end."""
        self._answer.close()
