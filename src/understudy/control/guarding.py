"""Our own routes that take an admin key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator
from understudy.wire.errors import AuthenticationError, InvalidRequestError, PermissionDeniedError

Handler = Callable[[Exchange, Request], Awaitable[Response]]
Guard = Callable[[Handler], Callable[[Request], Awaitable[Response]]]


def guard(authenticator: Authenticator, refusal: str | None = None) -> Guard:
    """What makes of a handler one that is reached with an admin key only, or by nobody: `refusal` says why."""

    def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            exchange = cast("Exchange", request.scope[EXCHANGE])
            await _check_admin(exchange, authenticator)
            if refusal is not None:
                raise InvalidRequestError(refusal)
            return await handler(exchange, request)

        return handle

    return guarded


async def _check_admin(exchange: Exchange, authenticator: Authenticator) -> None:
    """401 without a good key in `x-api-key` or as a Bearer token, 403 with one that is no admin key."""
    secret = exchange.header(b"x-api-key")
    if secret is None:
        scheme, _, token = (exchange.header(b"authorization") or "").partition(" ")
        secret = token.strip() if scheme.lower() == "bearer" else None
    if secret is None:
        raise AuthenticationError("x-api-key header is required")
    client = exchange.scope.get("client")
    principal = await authenticator.authenticate(secret, client[0] if client else "")
    if principal is None:
        raise AuthenticationError("invalid x-api-key")
    if principal.kind != "admin":
        raise PermissionDeniedError("This needs an admin key.")
    exchange.principal = principal
    exchange.record.organization_id, exchange.record.api_key_id = principal.organization_id, principal.api_key_id
