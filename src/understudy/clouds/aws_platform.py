"""Claude Platform on AWS: the API itself under `/aws`, with AWS's authentication.

Source: the official SDK's client (2.12.0), the page "Claude Platform on AWS" of the documentation (2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from understudy.clouds.aws_callers import AwsCallers
from understudy.clouds.catching import catch_all
from understudy.clouds.features import AWS
from understudy.clouds.first_party import AwsFraming, reading, under
from understudy.http.envelope import ApiRoute
from understudy.http.exchange import Exchange
from understudy.http.principal import ORGANIZATION_PATHS, Principal
from understudy.settings import HttpSettings
from understudy.wire.errors import InvalidRequestError

PREFIX: Final = "/aws"
_SERVICE: Final = "aws-external-anthropic"
_ASKING: Final = ("/v1/messages", "/v1/messages/count_tokens")
_BATCHES: Final = "/v1/messages/batches"
_RESULTS: Final = re.compile(rb'("results_url":"https?://[^/"]+)(/v1/messages/batches/)')
# Documented: no compatibility with OpenAI, no OAuth. Of the organization's routes it has a few; here it has none.
_MISSING: Final = ("/v1/chat/completions", "/v1/complete", "/v1/oauth/")


class AwsBatchFraming(AwsFraming):
    """Results are at this prefix too: whoever signs for it is nobody elsewhere."""

    def whole(self, body: bytes) -> bytes:
        return _RESULTS.sub(rb"\1%s\2" % PREFIX.encode(), body)


def aws_routes(api_routes: Iterable[ApiRoute], callers: AwsCallers, http: HttpSettings) -> list[ApiRoute]:
    """Those of `api_routes` that the platform has."""

    async def caller(exchange: Exchange) -> Principal:
        principal, region = await callers.caller(exchange, "aws", _SERVICE, exchange.scope["path"].removeprefix(PREFIX))
        assert isinstance(exchange.framing, AwsFraming)
        exchange.framing.region = region
        if b"anthropic-workspace-id" not in exchange.headers:
            # Documented as needed in each request; the text is the API's for a header that is [guess].
            raise InvalidRequestError("anthropic-workspace-id: header is required")
        return principal

    there = [route for route in api_routes if not route.path.startswith((ORGANIZATION_PATHS, *_MISSING))]
    served = under(
        PREFIX,
        there,
        framing=AwsFraming,
        authenticate=caller,
        asking={path: lambda endpoint: reading(endpoint, http, AWS) for path in _ASKING},
    )
    served = [
        replace(route, framing=AwsBatchFraming) if route.path.startswith(PREFIX + _BATCHES) else route
        for route in served
    ]
    return [*served, *catch_all(PREFIX, AwsFraming)]
