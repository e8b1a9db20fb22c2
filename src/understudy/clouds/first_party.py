"""Endpoints of the clouds that have the Messages API's own paths, bodies and streams: little differs but who may call,
some headers, and names of models."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from understudy.clouds.features import Missing, check_features
from understudy.clouds.identity import aws_request_id
from understudy.clouds.reading import translated, worked
from understudy.http.body import read_json_body
from understudy.http.envelope import ApiRoute, Endpoint
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.settings import HttpSettings

Fields: TypeAlias = list[tuple[bytes, bytes]]

_LIMITS: Final = (b"anthropic-ratelimit-", b"anthropic-fast-", b"anthropic-priority-")


class FirstPartyFraming:
    """Answers go out as they are."""

    def headers(self, request_id: str) -> Fields:
        return []

    def fields(self, headers: Fields) -> Fields:
        return headers

    def whole(self, body: bytes) -> bytes:
        return body

    def status(self, status: int) -> int:
        return status

    def piece(self, body: bytes) -> bytes:
        return body


class AwsFraming(FirstPartyFraming):
    """With AWS's id of the request. `region`: that of the signature."""

    def __init__(self) -> None:
        self.region: str | None = None

    def headers(self, request_id: str) -> Fields:
        return [(b"x-amzn-requestid", aws_request_id(request_id))]


def without_limits(headers: Fields) -> Fields:
    return [(name, value) for name, value in headers if not name.startswith(_LIMITS)]


def reading(
    endpoint: Endpoint,
    http: HttpSettings,
    missing: Missing,
    model: Callable[[str, Any], str] | None = None,
) -> Endpoint:
    """`endpoint` behind the checks of a cloud. `model` gives the name here of a model's name there; it gets the
    request's framing, too."""

    async def read(exchange: Exchange) -> None:
        sent = await read_json_body(exchange, http.max_body_bytes)

        def translate(body: dict[str, Any]) -> dict[str, Any]:
            check_features(body, missing)
            if model is not None and isinstance(body.get("model"), str):
                body["model"] = model(body["model"], exchange.framing)
            return body

        if model is None:
            await worked(sent, lambda body: check_features(body, missing))
            exchange.translated = sent
        else:
            exchange.translated = await translated(sent, translate)
        await endpoint(exchange)

    return read


def under(
    prefix: str,
    routes: Iterable[ApiRoute],
    *,
    framing: Callable[[], FirstPartyFraming],
    authenticate: Callable[[Exchange], Awaitable[Principal]],
    asking: Mapping[str, Callable[[Endpoint], Endpoint]],
) -> list[ApiRoute]:
    """The API's own routes below `prefix`. `asking`: what stands before the endpoints of some, by their paths."""
    found: list[ApiRoute] = []
    for route in routes:
        before = asking.get(route.path)
        endpoint = route.endpoint if before is None else before(route.endpoint)
        found.append(
            replace(route, path=prefix + route.path, endpoint=endpoint, framing=framing, authenticate=authenticate)
        )
    return found
