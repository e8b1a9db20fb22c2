"""Paths under a cloud's prefix that lead nowhere: the cloud says so, in its own form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NoReturn

from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.framing import Framing
from understudy.wire.errors import NotFoundError

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def catch_all(
    prefix: str, framing: Callable[[], Framing], headers: Mapping[str, str] = MappingProxyType({})
) -> list[ApiRoute]:
    """Routes for all that is below `prefix`, to stand behind those that lead somewhere. `headers` of the error."""

    async def nowhere(exchange: Exchange) -> NoReturn:
        # Before anybody is asked for a credential: there is nothing that one could be for.
        raise NotFoundError(headers=dict(headers))

    return [
        ApiRoute(f"{prefix}/{{rest:path}}", method, nowhere, framing=framing, version="", authenticate=nowhere)
        for method in _METHODS
    ]
