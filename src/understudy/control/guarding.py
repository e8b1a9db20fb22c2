"""Our own routes that take an admin key, or a person's credential with a permission."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import Response

from understudy.control.acting import known
from understudy.http.credentials import Caller
from understudy.http.envelope import EXCHANGE
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.organization.roles import Permission, require, workspaces_with
from understudy.wire.errors import InvalidRequestError, PermissionDeniedError

Handler = Callable[[Exchange, Request], Awaitable[Response]]
Guarded = Callable[[Handler], Callable[[Request], Awaitable[Response]]]


def guard(
    caller: Caller, permission: Permission | None = None, *, somewhere: bool = False, refusal: str | None = None
) -> Guarded:
    """What makes of a handler one that is reached with an admin key, or by who has `permission` in the organization.

    `somewhere`: or in one workspace at least; the handler sees to it that nothing of the others is shown. `refusal`
    says why nobody reaches it.
    """

    def guarded(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            exchange = cast("Exchange", request.scope[EXCHANGE])
            principal = await caller(exchange)
            _check(principal, permission, somewhere=somewhere)
            known(exchange, principal)
            if refusal is not None:
                raise InvalidRequestError(refusal)
            return await handler(exchange, request)

        return handle

    return guarded


def _check(principal: Principal, permission: Permission | None, *, somewhere: bool) -> None:
    """403 with a credential that is neither."""
    if principal.kind == "admin":
        return
    if permission is None or (principal.workspaces is None and not principal.permissions):
        raise PermissionDeniedError("This needs an admin key.")
    if not somewhere or not workspaces_with(principal, permission):
        require(principal, permission)
