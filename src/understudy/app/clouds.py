"""The clouds' flavours of the API, from the settings."""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute, Flavours
from understudy.messages.endpoints import MessagesEndpoints
from understudy.net.client import Fetcher
from understudy.settings import Settings

if TYPE_CHECKING:
    from understudy.clouds.aws_callers import AwsCallers
    from understudy.clouds.credentials import Callers, CloudCredentials, Verifier


def cloud_routes(
    api_routes: list[ApiRoute],
    settings: Settings,
    routing: Routing,
    messages: MessagesEndpoints,
    callers: Callers,
    fetcher: Fetcher,
) -> Flavours:
    """The routes of the clouds. `api_routes` are the API's own, which some clouds have too. Raises SettingsError.

    Few installations serve any of them: what one takes is imported with its first request.
    """
    clouds, http = settings.clouds, settings.http
    verifier: Verifier | None = None
    if clouds.issuers:
        from understudy.clouds.issuers import IssuedTokens

        verifier = IssuedTokens(clouds.issuers, fetcher)

    @cache
    def credentials() -> CloudCredentials:
        from understudy.clouds.credentials import CloudCredentials

        return CloudCredentials(callers, aws_keys=clouds.aws_keys, tokens=clouds.tokens, verifier=verifier)

    @cache
    def aws_callers() -> AwsCallers:
        from understudy.clouds.aws_callers import AwsCallers

        return AwsCallers(credentials(), clouds, http.max_body_bytes, time.time)

    def bedrock() -> Iterable[ApiRoute]:
        from understudy.clouds.bedrock import bedrock_routes

        return bedrock_routes(routing, messages.create, messages.count_tokens, aws_callers(), http)

    def vertex() -> Iterable[ApiRoute]:
        from understudy.clouds.vertex import vertex_routes

        return vertex_routes(routing, messages.create, messages.count_tokens, credentials(), http)

    def foundry() -> Iterable[ApiRoute]:
        from understudy.clouds.foundry import foundry_routes

        return foundry_routes(routing, api_routes, credentials(), http)

    def aws() -> Iterable[ApiRoute]:
        from understudy.clouds.aws_platform import aws_routes

        return aws_routes(api_routes, aws_callers(), http)

    return {"/bedrock": bedrock, "/vertex": vertex, "/foundry": foundry, "/aws": aws}
