"""/v1/organizations/rbac_groups and rbac_roles."""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.rbac.groups import Groups
from understudy.organization.rbac.roles import Roles
from understudy.organization.rbac.shapes import CREATE, LIST, MEMBER_ADD, UPDATE, page
from understudy.organization.store import actor_of, principal_of


class GroupsEndpoints:
    def __init__(self, service: Groups) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        answer = await self._service.list(principal_of(exchange), exchange.version, params)
        await exchange.respond_json(page(answer, exchange.version))

    async def create(self, exchange: Exchange) -> None:
        name = (await read_body(exchange, CREATE))["name"]
        answer = await self._service.create(principal_of(exchange), actor_of(exchange), exchange.version, name)
        await exchange.respond_json(answer)

    async def retrieve(self, exchange: Exchange) -> None:
        answer = await self._service.retrieve(principal_of(exchange), exchange.version, _group(exchange))
        await exchange.respond_json(answer)

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, UPDATE)
        answer = await self._service.update(
            principal_of(exchange), actor_of(exchange), exchange.version, _group(exchange), params
        )
        await exchange.respond_json(answer)

    async def delete(self, exchange: Exchange) -> None:
        answer = await self._service.delete(principal_of(exchange), actor_of(exchange), _group(exchange))
        await exchange.respond_json(answer)

    async def members(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        answer = await self._service.members(principal_of(exchange), exchange.version, _group(exchange), params)
        await exchange.respond_json(page(answer, exchange.version))

    async def add_member(self, exchange: Exchange) -> None:
        user_id = (await read_body(exchange, MEMBER_ADD))["user_id"]
        answer = await self._service.add_member(
            principal_of(exchange), actor_of(exchange), exchange.version, _group(exchange), user_id
        )
        await exchange.respond_json(answer)

    async def remove_member(self, exchange: Exchange) -> None:
        user_id = exchange.path_params["user_id"]
        answer = await self._service.remove_member(
            principal_of(exchange), actor_of(exchange), _group(exchange), user_id
        )
        await exchange.respond_json(answer)


class RolesEndpoints:
    def __init__(self, service: Roles) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        answer = await self._service.list(principal_of(exchange), exchange.version, params)
        await exchange.respond_json(page(answer, exchange.version))

    async def retrieve(self, exchange: Exchange) -> None:
        role_id = exchange.path_params["rbac_role_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), exchange.version, role_id))

    async def permissions(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        role_id = exchange.path_params["rbac_role_id"]
        answer = await self._service.permissions(principal_of(exchange), role_id, params)
        await exchange.respond_json(page(answer, exchange.version))


def _group(exchange: Exchange) -> str:
    return exchange.path_params["rbac_group_id"]
