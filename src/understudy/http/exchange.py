"""One request and its answer, as the routes see it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import orjson

from understudy.http.compression import compress
from understudy.http.protocol import CLIENT_GONE, RESPOND
from understudy.http.record import RequestRecord
from understudy.wire.errors import ApiError, error_body
from understudy.wire.ids import new_id

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from understudy.http.framing import Framing
    from understudy.http.principal import Principal

# What a browser's script may read of an answer; the rest is hidden by the browser.
_EXPOSED = ", ".join(
    (
        "request-id, anthropic-organization-id, anthropic-workspace-id, retry-after, x-should-retry, understudy-engine",
        *(
            f"anthropic-{limit}-{what}"
            for limit in (
                "ratelimit-requests",
                "ratelimit-tokens",
                "ratelimit-input-tokens",
                "ratelimit-output-tokens",
                "fast-input-tokens",
                "fast-output-tokens",
                "priority-input-tokens",
                "priority-output-tokens",
            )
            for what in ("limit", "remaining", "reset")
        ),
        *(
            f"x-ratelimit-{what}-{limit}"
            for limit in ("requests", "tokens")
            for what in ("limit", "remaining", "reset")
        ),
    )
).encode()

_NO_PARAMS: Final[Mapping[str, str]] = MappingProxyType({})


def fold_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Header fields by lower-case name; repeats are joined with a comma, as RFC 9110 §5.3 says."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name in headers:
            headers[name] += b"," + value
        else:
            headers[name] = value
    return headers


class Exchange:
    """What the envelope knows of a request, and the one place that writes an answer's headers."""

    __slots__ = (
        "_began",
        "_receive",
        "_send",
        "betas",
        "cors",
        "disconnected",
        "framing",
        "headers",
        "path_params",
        "principal",
        "record",
        "request_id",
        "scope",
        "started",
        "translated",
        "unknown_betas",
        "version",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._began = time.perf_counter()
        self._receive = receive
        self._send = send
        self.scope = scope
        self.headers = fold_headers(scope["headers"])
        self.request_id = new_id("req_")
        self.principal: Principal | None = None
        self.version: str = ""
        self.betas: tuple[str, ...] = ()
        # Those that no table here has; who leaves a request to a Claude upstream does not mind them.
        self.unknown_betas: tuple[str, ...] = ()
        self.path_params: Mapping[str, str] = _NO_PARAMS
        # Of a route of another flavour: how its answers are written, and its request as one of the Messages API.
        self.framing: Framing | None = None
        self.translated: bytes | None = None
        self.cors = False
        self.started = False
        self.disconnected = False
        self.record = RequestRecord(
            request_id=self.request_id, received_at=time.time(), method=scope["method"], path=scope["path"][:500]
        )

    def header(self, name: bytes) -> str | None:
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def is_disconnected(self) -> bool:
        """Whether the client has gone before its answer was whole."""
        return self.disconnected or CLIENT_GONE in self.scope

    def elapsed(self) -> float:
        """Seconds since the request's headers were read."""
        return time.perf_counter() - self._began

    async def receive(self) -> Message:
        return await self._receive()

    def give_back(self, body: bytes) -> None:
        """Let the whole body, which was read to judge the caller, be read once more."""
        receive, given = self._receive, False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        self._receive = again

    def tap(self, around_receive: Callable[[Receive], Receive], around_send: Callable[[Send], Send]) -> None:
        """Let others stand between the routes and the connection. Whole answers then take the long way, too."""
        self._receive, self._send = around_receive(self._receive), around_send(self._send)
        self.scope.pop(RESPOND, None)

    def identity_headers(self) -> list[tuple[bytes, bytes]]:
        """`request-id`, and once the caller is known, its organization and workspace."""
        headers = [(b"request-id", self.request_id.encode())]
        principal = self.principal
        if principal is not None:
            headers.append((b"anthropic-organization-id", principal.organization_id.encode()))
            if principal.workspace_id is not None:
                headers.append((b"anthropic-workspace-id", principal.workspace_id.encode()))
        if self.cors:
            headers.append((b"access-control-allow-origin", b"*"))
            headers.append((b"access-control-expose-headers", _EXPOSED))
        if self.framing is not None:
            headers += self.framing.headers(self.request_id)
        return headers

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the status line and headers; `headers` are added to those every answer has."""
        self.started = True
        self.record.status = status
        if self.framing is not None:
            headers = self.framing.fields(headers)
        await self._send(
            {"type": "http.response.start", "status": status, "headers": self.identity_headers() + headers}
        )

    def sender(self) -> Send:
        """A `send` for Starlette's responses that adds the headers every answer has."""

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self.start(message["status"], list(message.get("headers", [])))
            else:
                await self._send(message)

        return send

    async def write(self, body: bytes, *, more: bool) -> None:
        if self.framing is not None:
            body = self.framing.piece(body)
            if more and not body:
                return
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def respond(
        self, status: int, body: bytes, content_type: bytes, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        """A whole answer, compressed when the client accepts that and it is worth it."""
        fields = list(headers) if headers else []
        if self.framing is not None:
            body, fields = self.framing.whole(body), self.framing.fields(fields)
            status = self.framing.status(status)
        accepted = self.headers.get(b"accept-encoding")
        if accepted is not None and len(body) >= 1024:
            encoded = await compress(body, accepted)
            fields.append((b"vary", b"accept-encoding"))
            if encoded is not None:
                body, coding = encoded
                fields.append((b"content-encoding", coding))
        fields.append((b"content-type", content_type))
        fields.append((b"content-length", b"%d" % len(body)))
        respond = self.scope.get(RESPOND)
        if respond is not None and respond(status, self.identity_headers() + fields, body):
            self.started = True
            self.record.status = status
            return
        await self.start(status, fields)
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def respond_json(
        self, value: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        await self.respond(status, orjson.dumps(value), b"application/json", headers)

    async def respond_error(self, error: ApiError, *, close: bool = False) -> None:
        """The error in the API's envelope. Keys and figures of the request never stand in it."""
        self.record.error_type = error.type
        headers = [(b"x-should-retry", b"true" if error.retry else b"false")]
        headers += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in error.headers.items()]
        if close:
            headers.append((b"connection", b"close"))
        body = error_body(error.type, error.message, self.request_id, error.details)
        await self.respond_json(body, error.status, headers)


class DisconnectWatch:
    """Cancels the task that answers when the client goes away.

    Under our own protocol that happens by itself (see `protocol.py`). Elsewhere nothing is started for an answer that
    is ready within `grace` seconds; after that one task listens for the disconnect. Use as `async with`;
    `exchange.is_disconnected()` says why the cancellation came.
    """

    __slots__ = ("_exchange", "_listener", "_owner", "_timer")

    grace = 0.05

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._listener: asyncio.Task[None] | None = None
        self._owner: asyncio.Task[Any] | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> None:
        if RESPOND in self._exchange.scope:
            return
        self._owner = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(self.grace, self._listen)

    async def __aexit__(self, *exc_info: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._listener is not None:
            self._listener.cancel()

    def _listen(self) -> None:
        self._listener = asyncio.get_running_loop().create_task(self._wait_for_disconnect())

    async def _wait_for_disconnect(self) -> None:
        while True:
            message = await self._exchange.receive()
            if message["type"] == "http.disconnect":
                break
        self._exchange.disconnected = True
        if self._owner is not None:
            self._owner.cancel()
