"""The routes of Bedrock."""

from __future__ import annotations

from typing import Final

from understudy.clouds.aws_callers import AwsCallers
from understudy.clouds.catching import catch_all
from understudy.clouds.features import MANTLE
from understudy.clouds.first_party import AwsFraming, Fields, reading, without_limits
from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute, Endpoint
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.settings import HttpSettings

from .endpoints import BedrockEndpoints
from .framing import BedrockFraming
from .models import BedrockModels
from .profiles import profile_routes

PREFIX: Final = "/bedrock"
MANTLE_PREFIX: Final = "/bedrock/anthropic"

# Until the body says which.
_VERSION: Final = "2023-06-01"


class MantleFraming(AwsFraming):
    """AWS sees to the limits, and tells nothing of them [guess]."""

    def fields(self, headers: Fields) -> Fields:
        return without_limits(headers)


def bedrock_routes(
    routing: Routing, create_message: Endpoint, count_tokens: Endpoint, callers: AwsCallers, http: HttpSettings
) -> list[ApiRoute]:
    """`create_message` and `count_tokens` are the endpoints of the Messages API, which answer all requests once they
    are translated."""
    models = BedrockModels(routing)
    bedrock = BedrockEndpoints(routing, models, create_message, count_tokens, http)

    async def runtime(exchange: Exchange) -> Principal:
        principal, region = await callers.caller(exchange, "bedrock", "bedrock")
        assert isinstance(exchange.framing, BedrockFraming)
        exchange.framing.region = region
        return principal

    async def mantle(exchange: Exchange) -> Principal:
        principal, region = await callers.caller(exchange, "bedrock", "bedrock-mantle")
        assert isinstance(exchange.framing, AwsFraming)
        exchange.framing.region = region
        return principal

    def invoking(action: str, endpoint: Endpoint) -> ApiRoute:
        path = f"{PREFIX}/model/{{model_id:path}}/{action}"
        return ApiRoute(path, "POST", endpoint, framing=BedrockFraming, version=_VERSION, authenticate=runtime)

    def first_party(path: str, endpoint: Endpoint) -> ApiRoute:
        read = reading(endpoint, http, MANTLE, lambda name, framing: models.resolve(name, framing.region))
        return ApiRoute(
            MANTLE_PREFIX + path, "POST", read, any_betas=routing.forwards, framing=MantleFraming, authenticate=mantle
        )

    return [
        first_party("/v1/messages", create_message),
        first_party("/v1/messages/count_tokens", count_tokens),
        invoking("invoke", bedrock.invoke),
        invoking("invoke-with-response-stream", bedrock.stream),
        invoking("count-tokens", bedrock.count_tokens),
        *catch_all(MANTLE_PREFIX, MantleFraming),
        *profile_routes(routing, PREFIX, runtime),
        *catch_all(PREFIX, BedrockFraming, {"x-amzn-errortype": "UnknownOperationException"}),
    ]
