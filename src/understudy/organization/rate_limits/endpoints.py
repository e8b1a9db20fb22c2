"""/v1/organizations/rate_limits and /v1/organizations/workspaces/{workspace_id}/rate_limits."""

from __future__ import annotations

from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.rate_limits.service import RateLimits
from understudy.organization.rate_limits.shapes import LIST, LIST_OF_WORKSPACE, UPDATE
from understudy.organization.store import actor_of, principal_of


class RateLimitsEndpoints:
    def __init__(self, service: RateLimits) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), exchange.version, params))

    async def list_of_workspace(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST_OF_WORKSPACE.adapter)
        workspace_id = exchange.path_params["workspace_id"]
        principal, version = principal_of(exchange), exchange.version
        await exchange.respond_json(await self._service.list_of_workspace(principal, version, workspace_id, params))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, UPDATE)
        ids = exchange.path_params["workspace_id"], exchange.path_params["rate_limit_id"]
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), exchange.version, *ids, params)
        await exchange.respond_json(answer)


def rate_limit_routes(service: RateLimits) -> list[ApiRoute]:
    """The Admin API's routes."""
    endpoints = RateLimitsEndpoints(service)
    of_workspace = "/v1/organizations/workspaces/{workspace_id}/rate_limits"
    return [
        ApiRoute("/v1/organizations/rate_limits", "GET", endpoints.list),
        ApiRoute(of_workspace, "GET", endpoints.list_of_workspace),
        ApiRoute(f"{of_workspace}/{{rate_limit_id}}", "POST", endpoints.update),
    ]
