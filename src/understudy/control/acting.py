"""Our own routes for those who may act for the organization: an admin key, a key or token that acts as somebody, or a
person who is signed in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from understudy.http.credentials import Caller, place
from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.principal import ORGANIZATION_PATHS, Principal
from understudy.organization.store import principal_of

Action: TypeAlias = Callable[[Exchange, Principal], Awaitable[Any]]
"""Answers with what is then sent as JSON. Checks what the caller may do."""


def acting(caller: Caller, action: Action) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint. 401 for credentials that are none on /v1/organizations."""

    async def handle(request: Request) -> Response:
        exchange = cast("Exchange", request.scope[EXCHANGE])
        known(exchange, place(exchange, await caller(exchange), ORGANIZATION_PATHS))
        exchange.path_params = request.path_params
        return JSONResponse(await action(exchange, principal_of(exchange)), headers={"cache-control": "no-store"})

    return handle


def known(exchange: Exchange, principal: Principal) -> None:
    """Whose request it is, is known from now on."""
    exchange.principal, record = principal, exchange.record
    record.organization_id, record.api_key_id = principal.organization_id, principal.api_key_id
    record.actor_id = principal.actor_id
