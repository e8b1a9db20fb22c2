"""/v1/organizations/workspaces."""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.store import Store, actor_of, principal_of
from understudy.organization.workspaces.service import Workspaces
from understudy.organization.workspaces.shapes import CREATE, LIST, UPDATE


class WorkspacesEndpoints:
    def __init__(self, store: Store) -> None:
        self._service = Workspaces(store)

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def create(self, exchange: Exchange) -> None:
        params = await read_body(exchange, CREATE)
        await exchange.respond_json(await self._service.create(principal_of(exchange), actor_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        workspace_id = exchange.path_params["workspace_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), workspace_id))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, UPDATE)
        workspace_id = exchange.path_params["workspace_id"]
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), workspace_id, params)
        await exchange.respond_json(answer)

    async def archive(self, exchange: Exchange) -> None:
        workspace_id = exchange.path_params["workspace_id"]
        answer = await self._service.archive(principal_of(exchange), actor_of(exchange), workspace_id)
        await exchange.respond_json(answer)
