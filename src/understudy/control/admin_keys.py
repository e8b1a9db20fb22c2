"""/_understudy/admin: what the Admin API leaves to the Console: making keys, the audit log, the organization's name.

All but accepting an invite is for who may on /v1/organizations: an admin key, or a key that acts as somebody.
"""

from __future__ import annotations

from typing import Any, Final, cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from typing_extensions import TypedDict

from understudy.control.acting import Action, acting
from understudy.http.credentials import Caller
from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.query import read_query
from understudy.organization.api_keys.shapes import CREATE
from understudy.organization.audit.service import LIST
from understudy.organization.bodies import STRICT, Name, Printable, Shape, read_body
from understudy.organization.naming import RENAME
from understudy.organization.people.shapes import USER_ADD, USER_ROLE
from understudy.organization.routes import AdminServices
from understudy.organization.store import actor_from, actor_of

PATH: Final = "/_understudy/admin"
ACCEPT_PATH: Final = "/_understudy/invites/accept"


class _AcceptParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    token: Printable
    name: Name


_ACCEPT: Final = Shape(_AcceptParams)


def admin_routes(services: AdminServices, caller: Caller) -> list[BaseRoute]:
    """The routes. Bodies and answers are JSON; a new key's secret stands in `raw_key` of the answer, this once."""

    async def create_key(exchange: Exchange, principal: Principal) -> Any:
        params = await read_body(exchange, CREATE)
        return await services.keys.create(principal, actor_of(exchange), params)

    async def rename(exchange: Exchange, principal: Principal) -> Any:
        name = (await read_body(exchange, RENAME))["name"]
        return await services.naming.rename(principal, actor_of(exchange), name)

    async def audit_log(exchange: Exchange, principal: Principal) -> Any:
        return await services.audit_log.list(principal, read_query(exchange, LIST.adapter))

    async def add_user(exchange: Exchange, principal: Principal) -> Any:
        params = await read_body(exchange, USER_ADD)
        return await services.users.add(principal, actor_of(exchange), params)

    async def set_role(exchange: Exchange, principal: Principal) -> Any:
        role = (await read_body(exchange, USER_ROLE))["role"]
        return await services.users.set_role(principal, actor_of(exchange), exchange.path_params["user_id"], role)

    async def remove_user(exchange: Exchange, principal: Principal) -> Any:
        user_id = exchange.path_params["user_id"]
        return await services.users.remove(principal, actor_of(exchange), user_id, administrators=True)

    async def invite_token(exchange: Exchange, principal: Principal) -> Any:
        invite_id = exchange.path_params["invite_id"]
        token = await services.invites.token(principal, invite_id)
        return {"type": "invite_token", "invite_id": invite_id, "token": token}

    async def accept(request: Request) -> Response:
        exchange = cast("Exchange", request.scope[EXCHANGE])
        params = await read_body(exchange, _ACCEPT)
        actor = actor_from(exchange, "invited")
        return JSONResponse(await services.invites.accept(actor, params["token"], params["name"]))

    def route(path: str, method: str, action: Action) -> Route:
        return Route(PATH + path, acting(caller, action), methods=[method])

    return [
        route("/api_keys", "POST", create_key),
        route("/audit_log", "GET", audit_log),
        route("/organization", "POST", rename),
        route("/users", "POST", add_user),
        route("/users/{user_id}", "POST", set_role),
        route("/users/{user_id}", "DELETE", remove_user),
        route("/invites/{invite_id}/token", "GET", invite_token),
        Route(ACCEPT_PATH, accept, methods=["POST"]),
    ]
