"""/_understudy/admin: the request log, and what was and may be spent. None of it is in the real API."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from understudy.control.guarding import guard
from understudy.control.request_admin import RequestAdmin
from understudy.control.spend_admin import SpendAdmin
from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator
from understudy.organization.pages import Cursors
from understudy.organization.store import Store, principal_of
from understudy.storage.secrets import RootSecret
from understudy.usage.kept_bodies import KeptBodies

PATH: Final = "/_understudy/admin"

_Handler = Callable[[Exchange, str], Awaitable[dict[str, Any]]]


def usage_admin_routes(
    store: Store,
    root: RootSecret,
    kept: KeptBodies,
    authenticator: Authenticator,
    clock: Callable[[], float] = time.time,
) -> list[BaseRoute]:
    """The routes. All need an admin key, and show its organization. `clock`: seconds since the epoch."""
    guarded = guard(authenticator)
    requests, spending = RequestAdmin(store, Cursors(root), kept), SpendAdmin(store, clock)

    def route(path: str, method: str, handler: _Handler) -> Route:
        async def handle(exchange: Exchange, request: Request) -> Response:
            exchange.path_params = request.path_params
            return JSONResponse(await handler(exchange, principal_of(exchange).organization_id))

        return Route(PATH + path, guarded(handle), methods=[method])

    return [
        route("/requests", "GET", requests.list),
        route("/requests/{id}", "GET", requests.retrieve),
        route("/spend", "GET", spending.spend),
        route("/credit", "GET", spending.credit),
        route("/credit", "POST", spending.pay_in),
        route("/spend_alerts", "GET", spending.alerts),
        route("/spend_alerts", "POST", spending.add_alert),
        route("/spend_alerts/{id}", "DELETE", spending.delete_alert),
        route("/api_keys/{id}/budget", "GET", spending.budget),
        route("/api_keys/{id}/budget", "POST", spending.set_budget),
        route("/spend_limit_increase_requests", "POST", spending.ask),
    ]
