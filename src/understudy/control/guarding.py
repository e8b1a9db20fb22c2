"""Our own routes that take an admin key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from understudy.http.credentials import identify
from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator
from understudy.wire.errors import InvalidRequestError, PermissionDeniedError

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
    """401 as everywhere, 403 with a key that is no admin key."""
    principal = await identify(exchange, authenticator)
    if principal.kind != "admin":
        raise PermissionDeniedError("This needs an admin key.")
    exchange.principal = principal
    exchange.record.organization_id, exchange.record.api_key_id = principal.organization_id, principal.api_key_id
