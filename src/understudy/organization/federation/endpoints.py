"""/v1/organizations/federation_issuers and federation_rules, and POST /v1/oauth/token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from understudy.http.body import read_json_body
from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.attempts import FailedAttempts
from understudy.organization.bodies import read_body
from understudy.organization.federation.exchange import TokenExchange
from understudy.organization.federation.issuers import Issuers
from understudy.organization.federation.rule_workspaces import RuleWorkspaces
from understudy.organization.federation.rules import Rules
from understudy.organization.federation.shapes import (
    ISSUER_CREATE,
    ISSUER_UPDATE,
    RULE_CREATE,
    RULE_LIST,
    RULE_UPDATE,
    RULE_WORKSPACE,
)
from understudy.organization.service_accounts.shapes import LIST, MEMBERSHIPS
from understudy.organization.store import actor_of, principal_of
from understudy.wire.errors import AuthenticationError
from understudy.wire.validation import parse_json

_MOST_BYTES = 64 * 1024


class IssuersEndpoints:
    def __init__(self, service: Issuers) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def create(self, exchange: Exchange) -> None:
        params = await read_body(exchange, ISSUER_CREATE)
        await exchange.respond_json(await self._service.create(principal_of(exchange), actor_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), _issuer(exchange)))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, ISSUER_UPDATE)
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), _issuer(exchange), params)
        await exchange.respond_json(answer)

    async def archive(self, exchange: Exchange) -> None:
        answer = await self._service.archive(principal_of(exchange), actor_of(exchange), _issuer(exchange))
        await exchange.respond_json(answer)


class RulesEndpoints:
    def __init__(self, service: Rules, workspaces: RuleWorkspaces) -> None:
        self._service, self._workspaces = service, workspaces

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, RULE_LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def create(self, exchange: Exchange) -> None:
        params = await read_body(exchange, RULE_CREATE)
        await exchange.respond_json(await self._service.create(principal_of(exchange), actor_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), _rule(exchange)))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, RULE_UPDATE)
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), _rule(exchange), params)
        await exchange.respond_json(answer)

    async def archive(self, exchange: Exchange) -> None:
        answer = await self._service.archive(principal_of(exchange), actor_of(exchange), _rule(exchange))
        await exchange.respond_json(answer)

    async def list_workspaces(self, exchange: Exchange) -> None:
        params = read_query(exchange, MEMBERSHIPS.adapter)
        await exchange.respond_json(await self._workspaces.list(principal_of(exchange), _rule(exchange), params))

    async def add_workspace(self, exchange: Exchange) -> None:
        workspace_id = (await read_body(exchange, RULE_WORKSPACE))["workspace_id"]
        answer = await self._workspaces.add(principal_of(exchange), actor_of(exchange), _rule(exchange), workspace_id)
        await exchange.respond_json(answer)

    async def remove_workspace(self, exchange: Exchange) -> None:
        workspace_id = exchange.path_params["workspace_id"]
        answer = await self._workspaces.remove(
            principal_of(exchange), actor_of(exchange), _rule(exchange), workspace_id
        )
        await exchange.respond_json(answer)


def token_endpoint(service: TokenExchange, attempts: FailedAttempts) -> Callable[[Request], Awaitable[Response]]:
    """The exchange as a Starlette handler: whoever asks has no credential of ours yet."""

    async def exchange_token(request: Request) -> Response:
        exchange = cast("Exchange", request.scope[EXCHANGE])
        address = request.client.host if request.client is not None else ""
        attempts.check(address)
        try:
            answer = await service.exchange(parse_json(await read_json_body(exchange, _MOST_BYTES)))
        except AuthenticationError:
            attempts.note(address)
            raise
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    return exchange_token


def _issuer(exchange: Exchange) -> str:
    return exchange.path_params["federation_issuer_id"]


def _rule(exchange: Exchange) -> str:
    return exchange.path_params["federation_rule_id"]
