"""/v1/organizations/users, invites, and workspaces/{workspace_id}/members."""

from __future__ import annotations

from typing import Final

from understudy.http.exchange import Exchange
from understudy.http.query import read_query
from understudy.organization.bodies import read_body
from understudy.organization.people.invites import Invites
from understudy.organization.people.members import Members
from understudy.organization.people.shapes import (
    INVITE_CREATE,
    INVITE_LIST,
    MEMBER_ADD,
    MEMBER_LIST,
    MEMBER_UPDATE,
    USER_LIST,
    USER_UPDATE,
)
from understudy.organization.people.users import Users
from understudy.organization.store import actor_of, principal_of
from understudy.wire.errors import InvalidRequestError

_SIGN_OUT: Final = "admin-user-sign-out-2026-10-08"


class UsersEndpoints:
    def __init__(self, service: Users) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, USER_LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        user_id = exchange.path_params["user_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), user_id))

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, USER_UPDATE)
        user_id = exchange.path_params["user_id"]
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), user_id, params["role"])
        await exchange.respond_json(answer)

    async def remove(self, exchange: Exchange) -> None:
        user_id = exchange.path_params["user_id"]
        await exchange.respond_json(await self._service.remove(principal_of(exchange), actor_of(exchange), user_id))

    async def sign_out(self, exchange: Exchange) -> None:
        if _SIGN_OUT not in exchange.betas:
            # [guess] the text
            raise InvalidRequestError(f"This endpoint needs the `{_SIGN_OUT}` value of the `anthropic-beta` header")
        user_id = exchange.path_params["user_id"]
        await exchange.respond_json(await self._service.sign_out(principal_of(exchange), actor_of(exchange), user_id))


class InvitesEndpoints:
    def __init__(self, service: Invites) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, INVITE_LIST.adapter)
        await exchange.respond_json(await self._service.list(principal_of(exchange), params))

    async def retrieve(self, exchange: Exchange) -> None:
        invite_id = exchange.path_params["invite_id"]
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), invite_id))

    async def create(self, exchange: Exchange) -> None:
        params = await read_body(exchange, INVITE_CREATE)
        await exchange.respond_json(await self._service.create(principal_of(exchange), actor_of(exchange), params))

    async def delete(self, exchange: Exchange) -> None:
        invite_id = exchange.path_params["invite_id"]
        await exchange.respond_json(await self._service.delete(principal_of(exchange), actor_of(exchange), invite_id))


class MembersEndpoints:
    def __init__(self, service: Members) -> None:
        self._service = service

    async def list(self, exchange: Exchange) -> None:
        params = read_query(exchange, MEMBER_LIST.adapter)
        workspace_id = exchange.path_params["workspace_id"]
        await exchange.respond_json(await self._service.list(principal_of(exchange), workspace_id, params))

    async def retrieve(self, exchange: Exchange) -> None:
        await exchange.respond_json(await self._service.retrieve(principal_of(exchange), *_ids(exchange)))

    async def add(self, exchange: Exchange) -> None:
        params = await read_body(exchange, MEMBER_ADD)
        workspace_id = exchange.path_params["workspace_id"]
        answer = await self._service.add(principal_of(exchange), actor_of(exchange), workspace_id, params)
        await exchange.respond_json(answer)

    async def update(self, exchange: Exchange) -> None:
        params = await read_body(exchange, MEMBER_UPDATE)
        answer = await self._service.update(principal_of(exchange), actor_of(exchange), *_ids(exchange), params)
        await exchange.respond_json(answer)

    async def remove(self, exchange: Exchange) -> None:
        answer = await self._service.remove(principal_of(exchange), actor_of(exchange), *_ids(exchange))
        await exchange.respond_json(answer)


def _ids(exchange: Exchange) -> tuple[str, str]:
    return exchange.path_params["workspace_id"], exchange.path_params["user_id"]
