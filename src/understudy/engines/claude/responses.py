"""Answers of upstreams, as they are read: whatever way they came, they are those of the Messages API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from understudy.net.upstream_http import Answer, TooSlowError, UpstreamHttpClient, UpstreamHttpError

from .errors import BROKE_OFF, NO_ANSWER, UNREACHABLE, BadGatewayError, GatewayTimeoutError

# A whole answer: as large as the largest request.
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
# Headers of an upstream's answer that are the client's business too. Anything else stays here.
_KEPT: Final = frozenset({b"retry-after", b"retry-after-ms", b"x-should-retry"})
_KEPT_PREFIXES: Final = (b"anthropic-ratelimit-", b"anthropic-priority-", b"anthropic-fast-")
# Seconds for the end of an answer whose last event has come; it lets the connection be used again.
_LINGER: Final = 1.0


class Patience(Protocol):
    """Seconds until the first byte of an answer (of a stream: its first event), and without any byte after that."""

    @property
    def first_byte_timeout(self) -> float: ...
    @property
    def idle_timeout(self) -> float: ...


class Response(Protocol):
    """An upstream's answer, of which perhaps nothing but its beginning has come. Close it, unless it was finished."""

    @property
    def status(self) -> int: ...
    @property
    def request_id(self) -> str | None:
        """The upstream's own."""
        ...

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """Those that are the client's business."""
        ...

    @property
    def is_plain(self) -> bool:
        """Whether its body can be read as it comes, as it was asked for."""
        ...

    @property
    def is_stream(self) -> bool: ...

    async def read(self) -> bytes:
        """The whole body. Raises BadGatewayError, GatewayTimeoutError."""
        ...

    async def chunk(self) -> bytes:
        """What has come of the body, at least a byte of it; none at its end. The caller watches the time.

        Raises BadGatewayError when it breaks off.
        """
        ...

    async def finish(self) -> None:
        """Wait shortly for the end of an answer that has said all, so that its connection can be used again."""
        ...

    def close(self) -> None:
        """Break the connection off, unless the answer was read to its end."""
        ...


class Upstream(Protocol):
    """Where Claude answers. What differs from one such place to the next ends here."""

    @property
    def name(self) -> str: ...
    @property
    def settings(self) -> Patience: ...
    @property
    def secret(self) -> str | None:
        """What must never reach a client."""
        ...

    async def ask(
        self, path: str, request: dict[str, Any], headers: Mapping[str, str], *, model: str, raw: bytes | None = None
    ) -> Response:
        """Ask `model` with `request`, a body of POST /v1/messages or /v1/messages/count_tokens; `path` is one of the
        two, perhaps with a query. `raw` is the text that `request` was parsed from, if there is one. `headers` are the
        API's own that are to be passed on. Returns when the answer's headers have come; close what is returned.

        Raises BadGatewayError and GatewayTimeoutError.
        """
        ...

    async def close(self) -> None: ...


async def post(
    client: UpstreamHttpClient, path: str, body: bytes, headers: Mapping[str, str], patience: Patience
) -> Answer:
    """As UpstreamHttpClient.post. Raises BadGatewayError and GatewayTimeoutError."""
    try:
        return await client.post(path, body, headers, first_byte=patience.first_byte_timeout)
    except TooSlowError:
        raise GatewayTimeoutError from None
    except (UpstreamHttpError, ValueError) as error:
        raise BadGatewayError(UNREACHABLE) from error


class HttpResponse:
    """An answer that comes over a connection. `id_header`: where the upstream names the request, in lower case."""

    __slots__ = ("_answer", "_settings", "headers", "request_id", "status")

    def __init__(self, answer: Answer, settings: Patience, id_header: bytes = b"request-id") -> None:
        self._answer = answer
        self._settings = settings
        self.status = answer.status
        self.request_id: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        for header in answer.headers:
            name, value = header
            if name in _KEPT or name.startswith(_KEPT_PREFIXES):
                self.headers.append(header)
            elif name == id_header:
                self.request_id = value[:200].decode("latin-1")

    @property
    def is_plain(self) -> bool:
        return self._answer.header(b"content-encoding") in {"identity", ""}

    @property
    def is_stream(self) -> bool:
        return self._answer.content_type == "text/event-stream"

    async def read(self) -> bytes:
        if not self.is_plain:
            raise BadGatewayError(NO_ANSWER)
        parts: list[bytes] = []
        size = 0
        self._answer.allow(self._settings.idle_timeout)
        while chunk := await self._piece():
            size += len(chunk)
            if size > _LARGEST_ANSWER:
                raise BadGatewayError(NO_ANSWER)
            parts.append(chunk)
            self._answer.allow(self._settings.idle_timeout)
        return b"".join(parts)

    async def chunk(self) -> bytes:
        return await self._piece()

    async def _piece(self) -> bytes:
        try:
            return await self._answer.read()
        except TooSlowError:
            raise GatewayTimeoutError from None
        except UpstreamHttpError as error:
            raise BadGatewayError(BROKE_OFF) from error

    async def finish(self) -> None:
        self._answer.allow(_LINGER)
        try:
            while await self._answer.read():
                pass
        except UpstreamHttpError:
            self.close()

    def close(self) -> None:
        self._answer.close()


class GivenResponse:
    """An answer that was read to its end, and translated."""

    __slots__ = ("_body", "headers", "request_id", "status")

    def __init__(
        self, status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]], request_id: str | None
    ) -> None:
        self.status = status
        self.request_id = request_id
        self.headers = list(headers)
        self._body = body

    @property
    def is_plain(self) -> bool:
        return True

    @property
    def is_stream(self) -> bool:
        return False

    async def read(self) -> bytes:
        return self._body

    async def chunk(self) -> bytes:
        body, self._body = self._body, b""
        return body

    async def finish(self) -> None:
        pass

    def close(self) -> None:
        pass
