"""/_understudy/console/v1: the API itself for whoever is signed in, in the workspace that the request names.

Keys that the request carries are ignored: the official SDKs always send one. The request log knows the requests by the
API's own paths, with the user as their actor and no key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from understudy.console.callers import SessionCallers
from understudy.console.endpoints import PATH
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.principal import ORGANIZATION_PATHS, Principal


def reentry_routes(api_routes: Iterable[ApiRoute], callers: SessionCallers) -> list[ApiRoute]:
    """The API's own routes below PATH."""

    async def authenticate(exchange: Exchange) -> Principal:
        path = exchange.scope["path"].removeprefix(PATH)
        exchange.record.path = path[:500]
        if path.startswith(ORGANIZATION_PATHS):
            return (await callers.require(exchange)).person.principal
        return await callers.in_workspace(exchange)

    return [replace(one, path=PATH + one.path, authenticate=authenticate, cors=False) for one in api_routes]
