"""The outermost application: every request of every route passes through here, and every error leaves from here."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import structlog
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router, compile_path

from understudy.http.body import ClientGoneError
from understudy.http.cors import answer_preflight, check_origin, is_preflight
from understudy.http.credentials import authenticate
from understudy.http.exchange import Exchange
from understudy.http.framing import Framing
from understudy.http.limiting import UNLIMITED, LimitedPart, Limits
from understudy.http.principal import Authenticator, Principal
from understudy.http.protocol import RESPOND
from understudy.http.record import RequestLog
from understudy.http.versions import read_betas, read_version, refuse_unknown_betas
from understudy.settings import SettingsError
from understudy.wire.errors import (
    ApiError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    OverloadedError,
    RequestTimeoutError,
)

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

Endpoint: TypeAlias = Callable[[Exchange], Awaitable[None]]
Lifespan: TypeAlias = Callable[[], Awaitable[None]]

_log = structlog.stdlib.get_logger("understudy.http")

# In the scope of Starlette's routes.
EXCHANGE = "understudy.exchange"

# Seconds for cut requests to end.
_LAST_WORDS = 2.0

# The client stopped waiting; nginx's number for it. It stands in the log only.
CLIENT_CLOSED_REQUEST = 499

# After these the rest of the body will not come, so the connection cannot be used again.
_CLOSING = (RequestTimeoutError,)


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """An endpoint of the API itself: the caller is known, and the version and betas are read, before it is asked.

    `path` may hold parameters as Starlette writes them (`{model_id}`, `{model_id:path}`); the endpoint finds them in
    `exchange.path_params`. A GET endpoint answers HEAD too. `any_betas`: the endpoint itself refuses unknown betas.
    `limited`: requests count against this part's limit before the endpoint is asked; None where the endpoint itself
    knows what a request costs. For flavours of the API: `framing` makes the form of each answer, and `version` is that
    of all requests, whose headers for versions and betas are then not read; `authenticate` tells the caller where that
    takes more than a key in a header. It may raise ApiError. `cors`: whether pages of other origins may ask.
    """

    path: str
    method: str
    endpoint: Endpoint
    any_betas: bool = False
    framing: Callable[[], Framing] | None = None
    version: str | None = None
    limited: LimitedPart | None = None
    authenticate: Callable[[Exchange], Awaitable[Principal]] | None = None
    cors: bool = True


def limited(part: LimitedPart, routes: Iterable[ApiRoute]) -> list[ApiRoute]:
    """The routes, each of whose requests counts against the limit of `part`, or of the part it has already."""
    return [replace(route, limited=route.limited or part) for route in routes]


Flavours: TypeAlias = Mapping[str, Callable[[], Iterable[ApiRoute]]]
_Methods: TypeAlias = dict[str, ApiRoute]


class Envelope:
    """ASGI application.

    `api_routes` are looked up by their exact path, which is all that the busiest of them cost. Then those with
    parameters are tried in order. All other paths go to Starlette's router. `flavours` takes the API's own routes, and
    gives by the first part of their paths (`/bedrock`) what makes those of its flavours, once the first of their
    requests comes.
    """

    def __init__(
        self,
        *,
        api_routes: list[ApiRoute],
        other_routes: list[BaseRoute],
        authenticator: Authenticator,
        request_log: RequestLog,
        start: Lifespan,
        stop: Lifespan,
        limits: Limits = UNLIMITED,
        flavours: Callable[[list[ApiRoute]], Flavours] | None = None,
    ) -> None:
        # Why it did not start, where that is the operator's to mend.
        self.failure: SettingsError | None = None
        # For those who compare them with the real service's.
        self.routes = tuple((route.method, route.path) for route in api_routes)
        self._flavours = {} if flavours is None else dict(flavours(api_routes))
        self._exact: dict[str, _Methods] = {}
        # By the first part of their paths, which holds no parameter.
        self._patterns: dict[str, list[tuple[re.Pattern[str], _Methods]]] = {}
        self._add(api_routes)
        self._router = Router(other_routes, redirect_slashes=False)
        self._authenticator = authenticator
        self._limits = limits
        self.request_log = request_log
        self._start = start
        self._stop = stop
        self._open = 0
        # Sees each request of an API route before its endpoint does; may raise ApiError.
        self.watch: Endpoint | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._start()
        except SettingsError as error:
            self.failure = error
            _log.error("could not start", reason=str(error))
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception as error:
            _log.exception("could not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        # Requests that were cut when the drain time ended still have their last words to say, and to record.
        deadline = time.monotonic() + _LAST_WORDS
        while self._open and time.monotonic() < deadline:
            await asyncio.sleep(0.01)
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, receive, send)
        record = exchange.record
        agent = exchange.headers.get(b"user-agent")
        if agent is not None:
            record.user_agent = agent[:200].decode("latin-1")
        self._open += 1
        self.request_log.begin()
        try:
            await self._answer(exchange)
        except ApiError as error:
            await self._refuse(exchange, error)
        except ClientGoneError:
            record.status, record.disconnected = CLIENT_CLOSED_REQUEST, True
        except asyncio.CancelledError:
            # Cancelled by whom only two can: the protocol, when the client has gone, and the end of the drain time.
            if exchange.is_disconnected():
                record.status, record.disconnected = record.status or CLIENT_CLOSED_REQUEST, True
            else:
                await self._refuse(exchange, OverloadedError("The server is shutting down"))
        except Exception:
            _log.exception("internal error", request_id=exchange.request_id)
            await self._refuse(exchange, InternalError())
        finally:
            self._open -= 1
            # Both lead back to the scope; left there, every request would be work for the garbage collector.
            scope.pop(RESPOND, None)
            scope.pop(EXCHANGE, None)
            record.duration = exchange.elapsed()
            self.request_log.record(record)

    async def _refuse(self, exchange: Exchange, error: ApiError) -> None:
        if error.exceeded is not None:
            exchange.record.limit_exceeded = error.exceeded
        if not exchange.started:
            await exchange.respond_error(error, close=isinstance(error, _CLOSING))
        else:
            exchange.record.error_type = error.type

    async def _answer(self, exchange: Exchange) -> None:
        scope = exchange.scope
        methods = self._exact.get(scope["path"]) or self._match(exchange)
        if methods is None:
            await self._answer_elsewhere(exchange)
            return
        route = methods.get(scope["method"])
        any_of_them = route or next(iter(methods.values()))
        if any_of_them.framing is not None:
            exchange.framing = any_of_them.framing()
        if any_of_them.cors and is_preflight(exchange):
            await answer_preflight(exchange)
            return
        if route is None:
            raise MethodNotAllowedError(headers={"allow": ", ".join(sorted(methods))})
        if route.cors:
            check_origin(exchange)
        if route.authenticate is None:
            principal = await authenticate(exchange, self._authenticator)
        else:
            principal = await route.authenticate(exchange)
        exchange.principal = principal
        record = exchange.record
        record.organization_id = principal.organization_id
        record.workspace_id = principal.workspace_id
        record.api_key_id = principal.api_key_id
        record.actor_id = principal.actor_id
        if route.version is None:
            read_version(exchange)
            read_betas(exchange)
            if exchange.unknown_betas and not route.any_betas:
                refuse_unknown_betas(exchange)
        else:
            exchange.version = route.version
        if self.watch is not None:
            await self.watch(exchange)
        if route.limited is not None:
            record.limit_exceeded = (await self._limits.begin(principal, route.limited)).exceeded
        await route.endpoint(exchange)

    def _add(self, routes: Iterable[ApiRoute]) -> None:
        methods_of: dict[str, _Methods] = {}
        for route in routes:
            methods = methods_of.setdefault(route.path, {})
            methods[route.method] = route
            if route.method == "GET":
                methods.setdefault("HEAD", route)
        for path, methods in methods_of.items():
            if "{" in path:
                pattern, _, _ = compile_path(path)
                self._patterns.setdefault(_first(path), []).append((pattern, methods))
            else:
                self._exact[path] = methods

    def _match(self, exchange: Exchange) -> _Methods | None:
        path = exchange.scope["path"]
        first = _first(path)
        make = self._flavours.get(first)
        if make is not None:
            # All of one flavour, or none where it cannot be had: then the next request tries again.
            self._add(make())
            del self._flavours[first]
            if path in self._exact:
                return self._exact[path]
        for pattern, methods in self._patterns.get(first, ()):
            found = pattern.match(path)
            if found is not None:
                exchange.path_params = found.groupdict()
                return methods
        return None

    async def _answer_elsewhere(self, exchange: Exchange) -> None:
        scope = exchange.scope
        scope["app"] = self
        scope[EXCHANGE] = exchange
        send = exchange.sender()
        try:
            await self._router(scope, exchange.receive, send)
        except HTTPException as error:
            if error.status_code == 404:
                raise NotFoundError from None
            if error.status_code == 405:
                raise MethodNotAllowedError(headers=dict(error.headers or {})) from None
            raise


def _first(path: str) -> str:
    """What stands before a path's second slash."""
    end = path.find("/", 1)
    return path if end < 0 else path[:end]
