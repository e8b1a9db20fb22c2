"""The connection to a Claude upstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from understudy.net.upstream_http import Answer, TooSlowError, UpstreamHttpClient, UpstreamHttpError

from .errors import BROKE_OFF, NO_ANSWER, UNREACHABLE, BadGatewayError, GatewayTimeoutError
from .settings import ClaudeSettings

# A whole answer: as large as the largest request.
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
# Headers of an upstream's answer that are the client's business too. Anything else stays here.
_KEPT: Final = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
_KEPT_PREFIXES: Final = (b"anthropic-ratelimit-", b"anthropic-priority-", b"anthropic-fast-")
# Seconds for the end of an answer whose last event has come; it lets the connection be used again.
_LINGER: Final = 1.0


class ClaudeUpstream:
    """One server of the API, with connections that are kept. Nothing is opened before the first request."""

    def __init__(self, name: str, settings: ClaudeSettings) -> None:
        self.name = name
        self.settings = settings
        credentials: dict[str, str] = {}
        if settings.api_key is not None:
            credentials = (
                {"x-api-key": settings.api_key}
                if settings.auth == "x-api-key"
                else {"authorization": f"Bearer {settings.api_key}"}
            )
        self._client = UpstreamHttpClient(
            settings.base_url, headers=credentials, connect_timeout=settings.connect_timeout
        )

    @property
    def secret(self) -> str | None:
        """What must never reach a client."""
        return self.settings.api_key

    async def close(self) -> None:
        await self._client.close()

    async def send(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """POST `body` to `path` (with its query). Returns when the answer's headers have come; close what is returned.

        `headers` are the request's that may be passed on. Raises BadGatewayError and GatewayTimeoutError.
        """
        settings = self.settings
        try:
            answer = await self._client.post(path, body, headers, first_byte=settings.first_byte_timeout)
        except TooSlowError:
            raise GatewayTimeoutError from None
        except (UpstreamHttpError, ValueError) as error:
            raise BadGatewayError(UNREACHABLE) from error
        return Response(answer, settings)


class Response:
    """An upstream's answer of which nothing but the headers was read."""

    __slots__ = ("_answer", "_settings", "headers", "request_id", "status")

    def __init__(self, answer: Answer, settings: ClaudeSettings) -> None:
        self._answer = answer
        self._settings = settings
        self.status = answer.status
        self.request_id: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        for header in answer.headers:
            name, value = header
            if name in _KEPT or name.startswith(_KEPT_PREFIXES):
                self.headers.append(header)
            elif name == b"request-id":
                self.request_id = value[:200].decode("latin-1")

    @property
    def is_plain(self) -> bool:
        """Whether its body can be read as it comes, as it was asked for."""
        return self._answer.header(b"content-encoding") in {"identity", ""}

    @property
    def is_stream(self) -> bool:
        return self._answer.content_type == "text/event-stream"

    async def read(self) -> bytes:
        """The whole body. Raises BadGatewayError, GatewayTimeoutError."""
        if not self.is_plain:
            raise BadGatewayError(NO_ANSWER)
        parts: list[bytes] = []
        size = 0
        self._answer.allow(self._settings.idle_timeout)
        while chunk := await self.chunk():
            size += len(chunk)
            if size > _LARGEST_ANSWER:
                raise BadGatewayError(NO_ANSWER)
            parts.append(chunk)
            self._answer.allow(self._settings.idle_timeout)
        return b"".join(parts)

    async def chunk(self) -> bytes:
        """What has come of the body, at least a byte of it; none at its end. The caller watches the time.

        Raises BadGatewayError when it breaks off.
        """
        try:
            return await self._answer.read()
        except TooSlowError:
            raise GatewayTimeoutError from None
        except UpstreamHttpError as error:
            raise BadGatewayError(BROKE_OFF) from error

    async def finish(self) -> None:
        """Wait shortly for the end of an answer that has said all, so that its connection can be used again."""
        self._answer.allow(_LINGER)
        try:
            while await self._answer.read():
                pass
        except UpstreamHttpError:
            self.close()

    def close(self) -> None:
        """Break the connection off, unless the answer was read to its end."""
        self._answer.close()
