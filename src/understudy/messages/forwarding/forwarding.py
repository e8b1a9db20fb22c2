"""Requests that a Claude upstream answers: its bytes pass through, and only the envelope is judged here.

What is nobody's but the upstream's — fields, betas, limits of the model, tools — is left to it; its errors come back as
they are, under our request id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
import structlog

from understudy.engines.claude import (
    BadGatewayError,
    EventReader,
    GatewayTimeoutError,
    Observed,
    Response,
    Upstream,
    error_answer,
    going_on_without,
    with_model,
)
from understudy.engines.claude.errors import BROKE_OFF, NO_ANSWER, STATUS_OF_TYPE, is_error
from understudy.engines.routing import Choice, Route, Target
from understudy.engines.routing.engine import log_attempt
from understudy.http.exchange import Exchange
from understudy.messages.files import Files
from understudy.messages.signatures import Signer
from understudy.messages.streaming import end_cut, end_with
from understudy.wire import sse
from understudy.wire.errors import ApiError, InternalError
from understudy.wire.json_text import to_json

from .files import inline_files
from .noting import note
from .requests import Endpoint, Issuers
from .silence import Silence

_log = structlog.stdlib.get_logger("understudy.messages")

_PATHS: Final[dict[Endpoint, str]] = {"messages": "/v1/messages", "count_tokens": "/v1/messages/count_tokens"}
_BETA_QUERY: Final = b"beta=true"

# Headers of a request that are the upstream's business. No other goes there: not its credentials, nor where it is from.
_PASSED: Final = ("anthropic-version", "anthropic-beta", "user-agent")


class _UpstreamError(Exception):
    """An error that the upstream answered with. `body` is for our client already."""

    def __init__(self, status: int, kind: str, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status = status
        self.kind = kind
        self.body = body
        self.headers = headers
        super().__init__(kind)


@dataclass(frozen=True, slots=True)
class _Request:
    """One request on its way. `model` is what its answer calls the model; None leaves what the upstream says."""

    exchange: Exchange
    body: bytes
    parsed: dict[str, Any]
    endpoint: Endpoint
    path: str
    headers: dict[str, str]
    model: str | None


class Forwarding:
    """`signer` tells thinking that was signed here. `ping_interval`: seconds of silence before a ping."""

    def __init__(self, signer: Signer, ping_interval: float, files: Files | None = None) -> None:
        # What is stored here; the upstream knows none of it.
        self._files = files
        self._issuers = Issuers(signer)
        self._ping_interval = ping_interval

    async def forward(
        self,
        exchange: Exchange,
        body: bytes,
        request: dict[str, Any],
        route: Route,
        choice: Choice,
        endpoint: Endpoint,
    ) -> bool:
        """Let the next targets of `choice` answer, as long as they are Claude upstreams.

        `request` is what `check_forwarded` took, `body` its bytes. Returns False where the next target is an engine:
        nothing was sent then. Raises the API's errors for what fails here.
        """
        record = exchange.record
        record.stream = request.get("stream") is True and endpoint == "messages"
        one: _Request | None = None
        while True:
            target = await choice.next()
            upstream = target.claude
            if upstream is None:
                return False
            if one is None:
                one = await self._prepare(exchange, body, request, route, endpoint)
            record.engine, record.upstream_model = target.model.engine, target.model.upstream
            try:
                await self._answer(one, target, upstream, choice.passed)
            except (ApiError, _UpstreamError) as error:
                if isinstance(error, _UpstreamError):
                    kind = record.error_type = error.kind
                else:
                    kind = error.type
                again = choice.failed(error.status, kind)
                if exchange.started:
                    return True
                if again:
                    log_attempt(choice, exchange.request_id)
                    record.error_type = None
                    continue
                if isinstance(error, ApiError):
                    raise
                headers = [*error.headers, (b"understudy-engine", target.header)]
                await exchange.respond(error.status, error.body, b"application/json", headers)
            return True

    async def _prepare(
        self, exchange: Exchange, body: bytes, request: dict[str, Any], route: Route, endpoint: Endpoint
    ) -> _Request:
        # What we signed no upstream can check.
        principal = exchange.principal
        left = self._issuers.without_ours(request, "" if principal is None else principal.organization_id)
        if left is not request:
            request = going_on_without(left)
            body = to_json(request).encode()
        if self._files is not None and principal is not None and principal.workspace_id is not None:
            inline = await inline_files(request, self._files, principal.workspace_id)
            if inline is not request:
                request, body = inline, to_json(inline).encode()
        headers: dict[str, str] = {}
        for name in _PASSED:
            value = exchange.header(name.encode())
            if value is not None:
                headers[name] = value
        path = _PATHS[endpoint]
        if exchange.scope["query_string"] == _BETA_QUERY:
            path += "?beta=true"
        # [guess] The answer names the model as every other engine's does here: by the id that clients of this server
        # can ask for. Server-side fallbacks may have another model answer, which must be told.
        model = None if request.get("fallbacks") else route.model.id
        return _Request(exchange, body, request, endpoint, path, headers, model)

    async def _answer(self, one: _Request, target: Target, upstream: Upstream, passed: Callable[[], None]) -> None:
        response = await upstream.ask(one.path, one.parsed, one.headers, model=target.model.upstream, raw=one.body)
        one.exchange.record.upstream_request_id = response.request_id
        try:
            if response.status != 200:
                raise await _refusal(one, upstream, response)
            headers = [*response.headers, (b"understudy-engine", target.header)]
            if one.exchange.record.stream:
                await self._stream(one, upstream, response, headers, passed)
            else:
                await _whole(one, upstream, response, headers, passed)
        finally:
            response.close()

    async def _stream(
        self,
        one: _Request,
        upstream: Upstream,
        response: Response,
        headers: list[tuple[bytes, bytes]],
        passed: Callable[[], None],
    ) -> None:
        exchange = one.exchange
        if not response.is_stream or not response.is_plain:
            raise await _not_a_stream(one, upstream, response)
        reader = EventReader(model=one.model, request_id=exchange.request_id, secret=upstream.secret)
        try:
            async with asyncio.timeout(upstream.settings.first_byte_timeout):
                first = await _first(reader, response)
        except TimeoutError:
            raise GatewayTimeoutError from None
        if reader.failure is not None and not reader.begun:
            raise _as_plain(reader.failure, response)
        passed()
        await exchange.start(200, [*headers, (b"content-type", sse.CONTENT_TYPE), (b"cache-control", b"no-cache")])
        try:
            await self._rest(exchange, reader, response, first, upstream.settings.idle_timeout)
        except (BadGatewayError, GatewayTimeoutError) as error:
            await end_with(exchange, error)
            raise
        except ApiError as error:
            # A scenario's, at the connection: the upstream is not to blame.
            await end_with(exchange, error)
            return
        except asyncio.CancelledError:
            await end_cut(exchange)
            raise
        except Exception:
            _log.exception("internal error in a stream", request_id=exchange.request_id)
            await end_with(exchange, InternalError())
            return
        finally:
            note(exchange.record, reader.observed)
        if reader.failure is not None:
            kind = exchange.record.error_type = reader.failure["error"]["type"]
            raise _UpstreamError(STATUS_OF_TYPE.get(kind, 500), kind, b"", [])
        await response.finish()

    async def _rest(
        self, exchange: Exchange, reader: EventReader, response: Response, first: bytes, idle_timeout: float
    ) -> None:
        whole = first
        record = exchange.record
        try:
            async with asyncio.timeout(None) as patience:
                silence = Silence(exchange, self._ping_interval, idle_timeout, patience)
                try:
                    while True:
                        if whole:
                            silence.sending = True
                            if reader.ended:
                                record.time_to_first_token = record.time_to_first_token or exchange.elapsed()
                                await silence.stop()
                            await exchange.write(whole, more=not reader.ended)
                            silence.sending = False
                            silence.heard = True
                            if reader.ended:
                                return
                        chunk = await response.chunk()
                        if not chunk:
                            raise BadGatewayError(BROKE_OFF)
                        if record.time_to_first_token is None:
                            record.time_to_first_token = exchange.elapsed()
                        silence.received = True
                        whole = reader.feed(chunk)
                finally:
                    await silence.stop()
        except TimeoutError:
            raise GatewayTimeoutError from None


async def _first(reader: EventReader, response: Response) -> bytes:
    """The stream's beginning, as soon as something of it may be sent, or it has failed."""
    while True:
        chunk = await response.chunk()
        if not chunk:
            raise BadGatewayError(BROKE_OFF)
        whole = reader.feed(chunk)
        if reader.begun or reader.failure is not None:
            return whole


async def _whole(
    one: _Request,
    upstream: Upstream,
    response: Response,
    headers: list[tuple[bytes, bytes]],
    passed: Callable[[], None],
) -> None:
    exchange = one.exchange
    body = await response.read()
    answer = _parsed(body)
    if is_error(answer):
        raise _as_plain(answer, response, one, upstream)
    if answer is None:
        raise BadGatewayError(NO_ANSWER)
    if one.endpoint == "messages":
        if answer.get("type") != "message":
            raise BadGatewayError(NO_ANSWER)
        observed = Observed()
        observed.message(answer)
        note(exchange.record, observed)
        exchange.record.time_to_first_token = exchange.elapsed()
        named = answer.get("model")
        if one.model is not None and isinstance(named, str) and named != one.model:
            body = with_model(body, answer, one.model)
    passed()
    await exchange.respond(200, body, b"application/json", headers)


async def _refusal(one: _Request, upstream: Upstream, response: Response) -> _UpstreamError:
    status = response.status
    body = await response.read()
    # What is no answer at all (a redirect, a 204) is a fault of the upstream's.
    status = status if 400 <= status <= 599 else 502
    shown, kind = error_answer(status, body, one.exchange.request_id, upstream.secret)
    return _UpstreamError(status, kind, shown, response.headers)


async def _not_a_stream(one: _Request, upstream: Upstream, response: Response) -> Exception:
    """An upstream that answers a stream with something else: an error with the wrong status, or garbage."""
    answer = _parsed(await response.read())
    return _as_plain(answer, response, one, upstream) if is_error(answer) else BadGatewayError(NO_ANSWER)


def _as_plain(
    error: dict[str, Any], response: Response, one: _Request | None = None, upstream: Upstream | None = None
) -> _UpstreamError:
    """An error that came with a 200, before anything was sent: it gets the status of its type."""
    kind: str = error["error"]["type"]
    status = STATUS_OF_TYPE.get(kind, 500)
    body = orjson.dumps(error)
    if one is not None and upstream is not None:
        body, kind = error_answer(status, body, one.exchange.request_id, upstream.secret)
    return _UpstreamError(status, kind, body, response.headers)


def _parsed(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None
