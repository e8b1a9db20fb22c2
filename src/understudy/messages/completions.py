"""POST /v1/complete, the API before Messages.

No model of the catalog speaks it any more: the service refuses each with a 400 that names the Messages API, recorded
2026-08. The check of what comes before that is a guess: the fields that the endpoint always required.
"""

from __future__ import annotations

from typing import cast

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from understudy.engines.routing import Routing
from understudy.http.body import read_json_body
from understudy.http.exchange import Exchange
from understudy.settings import HttpSettings
from understudy.wire.errors import InvalidRequestError
from understudy.wire.validation import parse_json


class CompletionCreateParams(TypedDict):
    """What a text completion cannot do without."""

    model: str
    prompt: str
    max_tokens_to_sample: int


_PARAMS = TypeAdapter(CompletionCreateParams)


class CompletionsEndpoint:
    def __init__(self, routing: Routing, http: HttpSettings) -> None:
        self._routing = routing
        self._http = http

    async def create(self, exchange: Exchange) -> None:
        """404 for a model that does not exist, 400 for one that does."""
        body = parse_json(await read_json_body(exchange, self._http.max_body_bytes))
        if not isinstance(body, dict):
            raise InvalidRequestError("Input should be an object")
        try:
            params = _PARAMS.validate_python(cast("dict[str, object]", body), strict=True)
        except ValidationError as exc:
            error = exc.errors(include_url=False)[0]
            raise InvalidRequestError(f"{error['loc'][0]}: {error['msg']}") from None
        name = params["model"]
        exchange.record.model = self._routing.resolve(name).model.id
        raise InvalidRequestError(f'"{name}" is not supported on this API. Please use the Messages API instead.')
