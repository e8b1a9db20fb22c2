"""/v1/organizations/service_accounts, and workspaces/{workspace_id}/service_accounts."""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.service_accounts.memberships import Memberships
from understudy.organization.service_accounts.service import ServiceAccounts
from understudy.organization.service_accounts.shapes import (
    ADD_SERVICE_ACCOUNT,
    ADD_TO_WORKSPACE,
    CREATE,
    LIST,
    MEMBERSHIPS,
    ROLE,
    UPDATE,
)
from understudy.organization.store import actor_of, principal_of


class ServiceAccountsEndpoints:
    def __init__(self, service: ServiceAccounts) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def create(self, exchange: Exchange) -> None:
        params = await read_body(exchange, CREATE)
        await exchange.respond_json(await self._service.create(principal_of(exchange), actor_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        account_id = exchange.path_params["service_account_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), account_id))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, UPDATE)
        account_id = exchange.path_params["service_account_id"]
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), account_id, params)
        await exchange.respond_json(answer)

    async def archive(self, exchange: Exchange) -> None:
        account_id = exchange.path_params["service_account_id"]
        await exchange.respond_json(await self._service.archive(principal_of(exchange), actor_of(exchange), account_id))


class MembershipsEndpoints:
    """Both sides of one thing."""

    def __init__(self, service: Memberships) -> None:
        self._service = service

    async def list_of_workspace(self, exchange: Exchange) -> None:
        params = read_query(exchange, MEMBERSHIPS.adapter)
        workspace_id = exchange.path_params["workspace_id"]
        answer = await self._service.list_of_workspace(principal_of(exchange), workspace_id, params)
        await exchange.respond_json(answer)

    async def list_of_account(self, exchange: Exchange) -> None:
        params = read_query(exchange, MEMBERSHIPS.adapter)
        account_id = exchange.path_params["service_account_id"]
        await exchange.respond_json(await self._service.list_of_account(principal_of(exchange), account_id, params))

    async def retrieve(self, exchange: Exchange) -> None:
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), *_ids(exchange)))

    async def add_service_account(self, exchange: Exchange) -> None:
        params = await read_body(exchange, ADD_SERVICE_ACCOUNT)
        workspace_id = exchange.path_params["workspace_id"]
        await self._add(exchange, workspace_id, params["service_account_id"], params["workspace_role"])

    async def add_to_workspace(self, exchange: Exchange) -> None:
        params = await read_body(exchange, ADD_TO_WORKSPACE)
        account_id = exchange.path_params["service_account_id"]
        await self._add(exchange, params["workspace_id"], account_id, params["workspace_role"])

    async def update(self, exchange: Exchange) -> None:
        role = (await read_body(exchange, ROLE))["workspace_role"]
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), *_ids(exchange), role)
        await exchange.respond_json(answer)

    async def remove(self, exchange: Exchange) -> None:
        answer = await self._service.remove(principal_of(exchange), actor_of(exchange), *_ids(exchange))
        await exchange.respond_json(answer)

    async def _add(self, exchange: Exchange, workspace_id: str, account_id: str, role: str) -> None:
        answer = await self._service.add(principal_of(exchange), actor_of(exchange), workspace_id, account_id, role)
        await exchange.respond_json(answer)


def _ids(exchange: Exchange) -> tuple[str, str]:
    return exchange.path_params["workspace_id"], exchange.path_params["service_account_id"]
