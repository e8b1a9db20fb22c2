"""InvokeModel, InvokeModelWithResponseStream and CountTokens."""

from __future__ import annotations

import base64
from typing import Any, Final, cast

from understudy.clouds.features import BEDROCK, check_features
from understudy.clouds.reading import (
    INVALID_BETA,
    read_bytes,
    set_version,
    take_betas,
    take_version,
    translated,
    worked,
)
from understudy.engines.routing import Routing
from understudy.http.envelope import Endpoint
from understudy.http.exchange import Exchange
from understudy.settings import HttpSettings
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json

from .converse import as_messages
from .framing import BedrockFraming
from .models import BedrockModels, invalid_model, is_profile, is_versioned, name_in_path

# Documented: 20 MB of a request.
MOST_BYTES: Final = 20 * 1024 * 1024

# Values of `anthropic_version`, and the API's versions that they mean.
_VERSIONS: Final = {"bedrock-2023-05-31": "2023-06-01", "2026-10-21": "2026-10-21"}
_PREFIX: Final = b"/model/"

# Who asks for a guardrail must not be answered without one.
_NOT_HERE: Final = (b"x-amzn-bedrock-guardrailidentifier", b"x-amzn-bedrock-guardrailversion")

# Members of a request that say nothing of its prompt; count_tokens of the Messages API takes none of them.
_NOT_COUNTED: Final = (
    "max_tokens", "metadata", "stop_sequences", "stream", "temperature", "top_k", "top_p", "service_tier",
)  # fmt: skip


class BedrockEndpoints:
    def __init__(
        self,
        routing: Routing,
        models: BedrockModels,
        create_message: Endpoint,
        count_tokens: Endpoint,
        http: HttpSettings,
    ) -> None:
        self._routing = routing
        self._models = models
        self._create_message = create_message
        self._count_tokens = count_tokens
        self._most_bytes = min(http.max_body_bytes, MOST_BYTES)

    async def invoke(self, exchange: Exchange) -> None:
        """Answer with a whole message."""
        await self._invoke(exchange, b"/invoke", stream=False)

    async def stream(self, exchange: Exchange) -> None:
        """Answer with an event stream."""
        await self._invoke(exchange, b"/invoke-with-response-stream", stream=True)

    async def count_tokens(self, exchange: Exchange) -> None:
        """How many tokens the prompt of an InvokeModel or a Converse request has."""
        framing = _framing(exchange)
        framing.counting = True
        name = _name(exchange, b"/count-tokens")
        model = self._models.resolve(name, framing.region)
        if is_profile(name):
            # Recorded 2025: only models themselves count.
            raise InvalidRequestError("The provided model doesn't support counting tokens.")
        sent = await read_bytes(exchange, self._most_bytes)
        found = await worked(sent, _counted)
        if isinstance(found, bytes):
            exchange.translated = await translated(found, lambda value: self._countable(exchange, value, model))
        else:
            request, betas = found
            set_version(exchange, _VERSIONS["bedrock-2023-05-31"], betas)
            self._check_betas(exchange, model)
            exchange.translated = to_json({**request, "model": model}).encode()
        await self._count_tokens(exchange)

    def _countable(self, exchange: Exchange, value: dict[str, Any], model: str) -> dict[str, Any]:
        request = self._translate(exchange, value, model)
        for name in _NOT_COUNTED:
            request.pop(name, None)
        return request

    async def _invoke(self, exchange: Exchange, action: bytes, *, stream: bool) -> None:
        framing = _framing(exchange)
        for header in _NOT_HERE:
            if header in exchange.headers:
                raise InvalidRequestError(f"{header.decode()}: guardrails are not available on this server")
        name = _name(exchange, action)
        model = self._models.resolve(name, framing.region)
        framing.versioned = is_versioned(name)
        sent = await read_bytes(exchange, self._most_bytes)

        def translate(value: dict[str, Any]) -> dict[str, Any]:
            return {**self._translate(exchange, value, model), "stream": stream}

        exchange.translated = await translated(sent, translate)
        await self._create_message(exchange)

    def _translate(self, exchange: Exchange, value: dict[str, Any], model: str) -> dict[str, Any]:
        """The request as one of the Messages API. What stands only in the path or the version's own place there is
        refused in the body, as all is that the API does not know."""
        for name in ("model", "stream"):
            if name in value:
                raise InvalidRequestError(f"{name}: Extra inputs are not permitted")
        version = take_version(value, _VERSIONS)
        set_version(exchange, version, take_betas(value) or [])
        self._check_betas(exchange, model)
        check_features(value, BEDROCK)
        return {"model": model, **value}

    def _check_betas(self, exchange: Exchange, model: str) -> None:
        route = self._routing.find(model)
        if exchange.unknown_betas and (route is None or not route.forwards):
            raise InvalidRequestError(INVALID_BETA)


def _framing(exchange: Exchange) -> BedrockFraming:
    assert isinstance(exchange.framing, BedrockFraming)
    return exchange.framing


def _name(exchange: Exchange, action: bytes) -> str:
    raw: bytes = exchange.scope.get("raw_path") or exchange.scope["path"].encode()
    begin = raw.find(_PREFIX)
    if begin < 0 or not raw.endswith(action):
        # The path had its slashes or letters encoded; nobody who means well does.
        raise invalid_model()
    return name_in_path(raw[begin + len(_PREFIX) : -len(action)])


def _counted(value: dict[str, Any]) -> bytes | tuple[dict[str, Any], list[str]]:
    """What is to be counted: the body of an InvokeModel, or a Converse as a request of the Messages API."""
    given = value.get("input")
    kinds = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    invoked, conversed = kinds.get("invokeModel"), kinds.get("converse")
    if isinstance(invoked, dict):
        return _decoded(cast("dict[str, Any]", invoked).get("body"))
    if isinstance(conversed, dict):
        return as_messages(cast("dict[str, Any]", conversed))
    raise InvalidRequestError("input: must be one of invokeModel and converse")


def _decoded(body: object) -> bytes:
    try:
        if isinstance(body, str):
            return base64.b64decode(body, validate=True)
    except ValueError:
        pass
    raise InvalidRequestError("input.invokeModel.body: must be base64")
