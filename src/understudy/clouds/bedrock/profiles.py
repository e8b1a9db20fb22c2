"""ListInferenceProfiles and GetInferenceProfile: what Claude Code asks at its start to learn the names of models.

Source: Bedrock's API reference. The account is none: nobody's models are here but this server's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from understudy.engines.catalog import Model
from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.wire.errors import NotFoundError

from .framing import BedrockFraming
from .models import AREAS

_ACCOUNT: Final = "000000000000"
_REGION: Final = "us-east-1"


def profile_routes(
    routing: Routing, prefix: str, authenticate: Callable[[Exchange], Awaitable[Principal]]
) -> list[ApiRoute]:
    async def list_profiles(exchange: Exchange) -> None:
        await exchange.respond_json({"inferenceProfileSummaries": list(_profiles(exchange, routing).values())})

    async def get_profile(exchange: Exchange) -> None:
        name = exchange.path_params["profile_id"].rpartition("/")[2]
        found = _profiles(exchange, routing).get(name)
        if found is None:
            raise NotFoundError("The requested inference profile was not found.")
        await exchange.respond_json(found)

    return [
        ApiRoute(path, "GET", endpoint, framing=BedrockFraming, version="", limited="models", authenticate=authenticate)
        for path, endpoint in (
            (f"{prefix}/inference-profiles", list_profiles),
            (f"{prefix}/inference-profiles/{{profile_id:path}}", get_profile),
        )
    ]


def _profiles(exchange: Exchange, routing: Routing) -> dict[str, Any]:
    """By id: a profile of the region's area and a global one for each model that Bedrock has."""
    framing = exchange.framing
    assert isinstance(framing, BedrockFraming)
    framing.listing = True
    region = framing.region or _REGION
    area = next((area for area, regions in AREAS.items() if region.startswith(regions)), "us")
    found: dict[str, Any] = {}
    for model in routing.models():
        if model.bedrock_id is not None:
            for place in (area, "global"):
                found[f"{place}.{model.bedrock_id}"] = _profile(model, model.bedrock_id, place, region)
    return found


def _profile(model: Model, bedrock_id: str, place: str, region: str) -> dict[str, Any]:
    id_ = f"{place}.{bedrock_id}"
    return {
        "inferenceProfileName": f"{place.upper()} Anthropic {model.display_name}",
        "description": f"{model.display_name} on this server",
        "createdAt": model.created_at,
        "updatedAt": model.created_at,
        "inferenceProfileArn": f"arn:aws:bedrock:{region}:{_ACCOUNT}:inference-profile/{id_}",
        "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{bedrock_id}"}],
        "inferenceProfileId": id_,
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
    }
