"""The routes of Vertex AI."""

from __future__ import annotations

import re
from typing import Any, Final

from understudy.clouds.catching import catch_all
from understudy.clouds.credentials import CloudCredentials, address_of, bearer_token, one_of
from understudy.clouds.features import VERTEX, check_features
from understudy.clouds.reading import read_bytes, set_version, take_betas, take_version, translated
from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute, Endpoint
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.http.versions import refuse_unknown_betas
from understudy.settings import HttpSettings
from understudy.wire.errors import AuthenticationError, InvalidRequestError, NotFoundError

from .framing import VertexFraming
from .models import VertexModels

PREFIX: Final = "/vertex"
_PATH: Final = PREFIX + "/v1/projects/{project}/locations/{location}/publishers/anthropic/models/{call}"

# Documented: 30 MB of a request.
MOST_BYTES: Final = 30 * 1024 * 1024

_VERSIONS: Final = {"vertex-2023-10-16": "2023-06-01", "2026-10-21": "2026-10-21"}
_METHODS: Final = ("rawPredict", "streamRawPredict")
_COUNT: Final = "count-tokens"
# Until the body says which.
_VERSION: Final = "2023-06-01"

_PROJECT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,99}")
_LOCATION: Final = re.compile(r"global|us|eu|[a-z]{2,12}-[a-z]{2,16}\d{1,2}")

_UNAUTHENTICATED: Final = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)
_MISSING: Final = (
    "Request is missing required authentication credential. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
)


def vertex_routes(
    routing: Routing,
    create_message: Endpoint,
    count_tokens: Endpoint,
    credentials: CloudCredentials,
    http: HttpSettings,
) -> list[ApiRoute]:
    """`create_message` and `count_tokens` are the endpoints of the Messages API, which answer all requests once they
    are translated."""
    vertex = Vertex(routing, create_message, count_tokens, http)

    async def caller(exchange: Exchange) -> Principal:
        token = one_of(bearer_token(exchange), exchange.header(b"x-api-key"), exchange.header(b"x-goog-api-key"))
        if token is None:
            raise AuthenticationError(_MISSING)
        principal = await credentials.bearer("vertex", token, address_of(exchange))
        if principal is None or not principal.is_known_at("/v1/messages"):
            raise AuthenticationError(_UNAUTHENTICATED)
        return principal.at("/v1/messages", exchange.header(b"anthropic-workspace-id"))

    return [
        ApiRoute(_PATH, "POST", vertex.predict, framing=VertexFraming, version=_VERSION, authenticate=caller),
        *catch_all(PREFIX, VertexFraming),
    ]


class Vertex:
    def __init__(self, routing: Routing, create_message: Endpoint, count_tokens: Endpoint, http: HttpSettings) -> None:
        self._routing = routing
        self._models = VertexModels(routing)
        self._create_message = create_message
        self._count_tokens = count_tokens
        self._most_bytes = min(http.max_body_bytes, MOST_BYTES)

    async def predict(self, exchange: Exchange) -> None:
        """Answer a message's request, as a stream when its body asks for one, or count the tokens of one."""
        project, location = exchange.path_params["project"], exchange.path_params["location"]
        name, colon, method = exchange.path_params["call"].rpartition(":")
        if not colon or method not in _METHODS or not _PROJECT.fullmatch(project):
            raise NotFoundError
        if not _LOCATION.fullmatch(location):
            raise InvalidRequestError("Unsupported region for Vertex AI.")
        counting = name == _COUNT and method == "rawPredict"
        model = None if counting else self._models.resolve(name, project, location)
        sent = await read_bytes(exchange, self._most_bytes)

        def translate(body: dict[str, Any]) -> dict[str, Any]:
            if model is not None and "model" in body:
                raise InvalidRequestError("model: Extra inputs are not permitted")
            set_version(exchange, take_version(body, _VERSIONS), take_betas(body))
            check_features(body, VERTEX)
            here = model
            if here is None:
                named = body.pop("model", None)
                if not isinstance(named, str):
                    raise InvalidRequestError("model: Field required")
                here = self._models.resolve(named, project, location)
            route = self._routing.find(here)
            if route is None or not route.forwards:
                refuse_unknown_betas(exchange)
            return {"model": here, **body}

        exchange.translated = await translated(sent, translate)
        await (self._count_tokens if counting else self._create_message)(exchange)
