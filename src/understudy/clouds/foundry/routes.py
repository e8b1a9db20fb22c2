"""The routes of Foundry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

import orjson

from understudy.clouds.catching import catch_all
from understudy.clouds.credentials import CloudCredentials, address_of, bearer_token, one_of
from understudy.clouds.features import FOUNDRY
from understudy.clouds.first_party import Fields, FirstPartyFraming, reading, under, without_limits
from understudy.clouds.identity import aws_request_id
from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.settings import HttpSettings
from understudy.wire.errors import AuthenticationError, NotFoundError

PREFIX: Final = "/foundry/anthropic"

# Documented: no batches, models, or organization. Files and skills are there where Anthropic hosts the deployment.
_SERVED: Final = ("/v1/messages", "/v1/messages/count_tokens", "/v1/files", "/v1/skills")
_ASKING: Final = ("/v1/messages", "/v1/messages/count_tokens")

_DENIED: Final = (
    "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for an "
    "active subscription and use a correct regional API endpoint for your resource."
)
_NO_DEPLOYMENT: Final = (
    "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
    "please wait a moment and try again."
)


class FoundryFraming(FirstPartyFraming):
    """Azure's id of the request, no limits, and Azure's errors for what its gateway judges."""

    def headers(self, request_id: str) -> Fields:
        return [(b"apim-request-id", aws_request_id(request_id))]

    def fields(self, headers: Fields) -> Fields:
        return without_limits(headers)

    def whole(self, body: bytes) -> bytes:
        if not body.startswith(_ERROR):
            return body
        error = cast("dict[str, Any]", orjson.loads(body))["error"]
        code = _CODES.get(error["type"])
        if code is None:
            return body
        details = cast("dict[str, Any]", error.get("details") or {})
        code = details.get("code", code)
        return orjson.dumps({"error": {"code": code, "message": error["message"]}})


_ERROR: Final = b'{"type":"error"'
# By the type of the API's error.
_CODES: Final = {"authentication_error": "401", "not_found_error": "404"}


def foundry_routes(
    routing: Routing, api_routes: Iterable[ApiRoute], credentials: CloudCredentials, http: HttpSettings
) -> list[ApiRoute]:
    """Those of `api_routes` that Foundry has, as Foundry has them."""

    async def caller(exchange: Exchange) -> Principal:
        keys = exchange.header(b"api-key"), exchange.header(b"x-api-key")
        token = one_of(bearer_token(exchange), *keys)
        principal = None if token is None else await credentials.bearer("foundry", token, address_of(exchange))
        path = exchange.scope["path"].removeprefix(PREFIX)
        if principal is None or not principal.is_known_at(path):
            raise AuthenticationError(_DENIED)
        return principal.at(path, exchange.header(b"anthropic-workspace-id"))

    def deployment(name: str, _: Any) -> str:
        if routing.find(name) is None:
            raise NotFoundError(_NO_DEPLOYMENT, details={"code": "DeploymentNotFound"})
        return name

    served = under(
        PREFIX,
        (route for route in api_routes if _is_served(route.path)),
        framing=FoundryFraming,
        authenticate=caller,
        asking={path: lambda endpoint: reading(endpoint, http, FOUNDRY, deployment) for path in _ASKING},
    )
    return [*served, *catch_all("/foundry", FoundryFraming)]


def _is_served(path: str) -> bool:
    return path in _SERVED or path.startswith(("/v1/files/", "/v1/skills/"))
