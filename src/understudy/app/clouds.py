"""The clouds' flavours of the API, from the settings."""

from __future__ import annotations

import time

from understudy.clouds.aws_callers import AwsCallers
from understudy.clouds.aws_platform import aws_routes
from understudy.clouds.bedrock import bedrock_routes
from understudy.clouds.credentials import Callers, CloudCredentials, Verifier
from understudy.clouds.foundry import foundry_routes
from understudy.clouds.vertex import vertex_routes
from understudy.engines.routing import Routing
from understudy.http.envelope import ApiRoute
from understudy.messages.endpoints import MessagesEndpoints
from understudy.net.client import Fetcher
from understudy.settings import Settings


def cloud_routes(
    api_routes: list[ApiRoute],
    settings: Settings,
    routing: Routing,
    messages: MessagesEndpoints,
    callers: Callers,
    fetcher: Fetcher,
) -> list[ApiRoute]:
    """The routes of the clouds. `api_routes` are the API's own, which some clouds have too. Raises SettingsError."""
    clouds, http = settings.clouds, settings.http
    verifier: Verifier | None = None
    if clouds.issuers:
        from understudy.clouds.issuers import IssuedTokens

        verifier = IssuedTokens(clouds.issuers, fetcher)
    credentials = CloudCredentials(callers, aws_keys=clouds.aws_keys, tokens=clouds.tokens, verifier=verifier)
    aws = AwsCallers(credentials, clouds, http.max_body_bytes, time.time)
    return [
        *bedrock_routes(routing, messages.create, messages.count_tokens, aws, http),
        *vertex_routes(routing, messages.create, messages.count_tokens, credentials, http),
        *foundry_routes(routing, api_routes, credentials, http),
        *aws_routes(api_routes, aws, http),
    ]
