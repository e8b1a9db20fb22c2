"""/v1/organizations/api_keys."""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.api_keys.service import ApiKeys
from understudy.organization.api_keys.shapes import LIST, UPDATE
from understudy.organization.bodies import read_body
from understudy.organization.store import actor_of, principal_of


class ApiKeysEndpoints:
    def __init__(self, service: ApiKeys) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), exchange.version, params))

    async def retrieve(self, exchange: Exchange) -> None:
        key_id = exchange.path_params["api_key_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), exchange.version, key_id))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, UPDATE)
        key_id = exchange.path_params["api_key_id"]
        answer = await self._service.update(
            principal_of(exchange), actor_of(exchange), exchange.version, key_id, params
        )
        await exchange.respond_json(answer)
