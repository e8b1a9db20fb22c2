"""/_understudy/console/prompts: the prompts of a workspace, for whoever is signed in and may develop there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from starlette.routing import BaseRoute

from understudy.console.callers import SessionCallers
from understudy.console.endpoints import PATH as CONSOLE
from understudy.console.prompts.service import Part, Prompts
from understudy.console.prompts.shapes import (
    CREATE,
    LIST,
    MOST_EVALUATION_BYTES,
    MOST_REQUEST_BYTES,
    MOST_RESULT_BYTES,
    RESULTS,
    TEST_CASES,
    UPDATE,
    VERSION,
    VERSIONS,
)
from understudy.console.serving import route
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.store import actor_of, principal_of
from understudy.wire.errors import InvalidRequestError

PATH: Final = CONSOLE + "/prompts"

_ONE: Final = PATH + "/{prompt_id}"

_Action = Callable[[Exchange, Principal], Awaitable[dict[str, Any]]]


class PromptEndpoints:
    def __init__(self, prompts: Prompts, callers: SessionCallers) -> None:
        self._prompts = prompts
        self._callers = callers

    def routes(self) -> list[BaseRoute]:
        return [
            self._route(PATH, "GET", self._list, in_workspace=True),
            self._route(PATH, "POST", self._create, in_workspace=True),
            self._route(_ONE, "GET", self._retrieve),
            self._route(_ONE, "POST", self._rename),
            self._route(_ONE, "DELETE", self._delete),
            self._route(_ONE + "/versions", "GET", self._versions),
            self._route(_ONE + "/versions", "POST", self._add_version),
            self._route(_ONE + "/versions/{version}", "GET", self._version),
            self._route(_ONE + "/test_cases", "GET", self._reading("test_cases")),
            self._route(_ONE + "/test_cases", "PUT", self._set_test_cases),
            self._route(_ONE + "/results", "GET", self._reading("results")),
            self._route(_ONE + "/results", "PUT", self._set_results),
        ]

    def _route(self, path: str, method: str, action: _Action, *, in_workspace: bool = False) -> BaseRoute:
        async def answer(exchange: Exchange) -> None:
            if in_workspace:
                named = read_query(exchange, LIST.adapter).get("workspace_id")
                principal = await self._callers.in_workspace(exchange, named)
            else:
                principal = (await self._callers.require(exchange)).person.principal
            exchange.principal, record = principal, exchange.record
            record.organization_id, record.workspace_id = principal.organization_id, principal.workspace_id
            record.actor_id = principal.actor_id
            value = await action(exchange, principal_of(exchange))
            await exchange.respond_json(value, headers=[(b"cache-control", b"no-store")])

        return route(path, method, answer)

    async def _list(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        return await self._prompts.list(principal, read_query(exchange, LIST.adapter))

    async def _create(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        params = await read_body(exchange, CREATE, MOST_REQUEST_BYTES)
        return await self._prompts.create(principal, actor_of(exchange), params)

    async def _retrieve(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        return await self._prompts.retrieve(principal, _id(exchange))

    async def _rename(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        params = await read_body(exchange, UPDATE)
        return await self._prompts.rename(principal, actor_of(exchange), _id(exchange), params["name"])

    async def _delete(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        return await self._prompts.delete(principal, actor_of(exchange), _id(exchange))

    async def _versions(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        return await self._prompts.versions(principal, _id(exchange), read_query(exchange, VERSIONS.adapter))

    async def _version(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        return await self._prompts.version(principal, _id(exchange), exchange.path_params["version"])

    async def _add_version(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        params = await read_body(exchange, VERSION, MOST_REQUEST_BYTES)
        return await self._prompts.add_version(principal, actor_of(exchange), _id(exchange), params)

    def _reading(self, part: Part) -> _Action:
        async def read(exchange: Exchange, principal: Principal) -> dict[str, Any]:
            return await self._prompts.evaluation(principal, _id(exchange), part)

        return read

    async def _set_test_cases(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        given = (await read_body(exchange, TEST_CASES, MOST_EVALUATION_BYTES))["data"]
        if len({case["id"] for case in given}) < len(given):
            raise InvalidRequestError("data: each test case has an id of its own")
        return await self._prompts.set_evaluation(principal, _id(exchange), "test_cases", given)

    async def _set_results(self, exchange: Exchange, principal: Principal) -> dict[str, Any]:
        given = (await read_body(exchange, RESULTS, MOST_RESULT_BYTES))["data"]
        return await self._prompts.set_evaluation(principal, _id(exchange), "results", given)


def _id(exchange: Exchange) -> str:
    return exchange.path_params["prompt_id"]
