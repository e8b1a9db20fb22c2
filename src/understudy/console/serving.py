"""Endpoints of the Console as Starlette's routes."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from starlette.routing import Route

from understudy.http.envelope import EXCHANGE, Endpoint
from understudy.http.exchange import Exchange

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send


class _Serving:
    """An ASGI application, so that the endpoint writes its answer itself."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = cast("Exchange", scope[EXCHANGE])
        exchange.path_params = scope["path_params"]
        await self._endpoint(exchange)


def route(path: str, method: str, endpoint: Endpoint) -> Route:
    """A route whose endpoint answers through the exchange; GET takes HEAD along."""
    return Route(path, _Serving(endpoint), methods=[method])
