"""/_understudy/admin: the request log, and what was and may be spent. None of it is in the real API.

With an admin key, or for people whose role allows it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from understudy.control.acting import acting
from understudy.control.guarding import guard
from understudy.control.key_list import KeyList
from understudy.control.request_admin import RequestAdmin
from understudy.control.request_summary import RequestSummary
from understudy.control.spend_admin import SpendAdmin
from understudy.http.credentials import Caller
from understudy.http.exchange import Exchange
from understudy.organization.pages import Cursors
from understudy.organization.roles import Permission
from understudy.organization.store import Store, principal_of
from understudy.storage.secrets import RootSecret
from understudy.usage.kept_bodies import KeptBodies

PATH: Final = "/_understudy/admin"

_Handler = Callable[[Exchange, str], Awaitable[dict[str, Any] | Response]]


def usage_admin_routes(
    store: Store,
    root: RootSecret,
    kept: KeptBodies,
    caller: Caller,
    clock: Callable[[], float] = time.time,
) -> list[BaseRoute]:
    """The routes, which show the caller's organization. `clock`: seconds since the epoch."""
    cursors = Cursors(root)
    requests, spending = RequestAdmin(store, cursors, kept), SpendAdmin(store, clock)
    summaries, keys = RequestSummary(store.db, cursors, clock), KeyList(store, cursors, clock)

    def route(path: str, method: str, handler: _Handler, permission: Permission, *, somewhere: bool = False) -> Route:
        async def handle(exchange: Exchange, request: Request) -> Response:
            exchange.path_params = request.path_params
            answer = await handler(exchange, principal_of(exchange).organization_id)
            if isinstance(answer, Response):
                return answer
            return JSONResponse(answer, headers={"cache-control": "no-store"})

        guarded = guard(caller, permission, somewhere=somewhere)
        return Route(PATH + path, guarded(handle), methods=[method])

    return [
        Route(PATH + "/api_keys", acting(caller, keys.list), methods=["GET"]),
        route("/request_summary", "GET", summaries.summary, "usage:read", somewhere=True),
        route("/request_summary.csv", "GET", summaries.export, "usage:read", somewhere=True),
        route("/requests", "GET", requests.list, "usage:read", somewhere=True),
        route("/requests.csv", "GET", requests.export, "usage:read", somewhere=True),
        route("/requests/{id}", "GET", requests.retrieve, "usage:read", somewhere=True),
        route("/spend", "GET", spending.spend, "spend:read"),
        route("/credit", "GET", spending.credit, "spend:read"),
        route("/credit", "POST", spending.pay_in, "spend:write"),
        route("/spend_alerts", "GET", spending.alerts, "spend:read"),
        route("/spend_alerts", "POST", spending.add_alert, "spend:write"),
        route("/spend_alerts/{id}", "DELETE", spending.delete_alert, "spend:write"),
        route("/api_keys/{id}/budget", "GET", spending.budget, "spend:read"),
        route("/api_keys/{id}/budget", "POST", spending.set_budget, "spend:write"),
        route("/spend_limit_increase_requests", "POST", spending.ask, "organization:read"),
    ]
