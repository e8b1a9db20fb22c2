"""What all clouds do to a request before the Messages API is asked."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

from understudy.http.body import stream_body
from understudy.http.exchange import Exchange
from understudy.http.versions import read_betas
from understudy.wire.errors import InvalidRequestError
from understudy.wire.json_text import to_json
from understudy.wire.validation import parse_json

_T = TypeVar("_T")

LARGE: Final = 256 * 1024
"""Bytes of a body that is worked on in a thread, so that others get their turns."""

INVALID_BETA: Final = "invalid beta flag"
"""What Bedrock says of one that it does not know (reported by its users, 2025-08 to 2026-05)."""

# What can be said in a header; betas of a body go on in one.
_BETA: Final = re.compile(r"[!-+\--~]{1,256}")
# Far more than there are: a body of them would be megabytes of a header to an upstream.
_MOST_BETAS: Final = 100


async def read_bytes(exchange: Exchange, limit: int) -> bytes:
    """The body as it was sent, whatever its type says: clients of the clouds send JSON under several. Raises as
    `stream_body`."""
    return b"".join([piece async for piece in stream_body(exchange, limit)])


def json_object(body: bytes) -> dict[str, Any]:
    value = parse_json(body)
    if not isinstance(value, dict):
        raise InvalidRequestError("Input does not match the expected shape.")
    return cast("dict[str, Any]", value)


async def worked(body: bytes, work: Callable[[dict[str, Any]], _T]) -> _T:
    """What `work` makes of the object in `body`."""
    if len(body) > LARGE:
        return await asyncio.to_thread(lambda: work(json_object(body)))
    return work(json_object(body))


async def translated(body: bytes, translate: Callable[[dict[str, Any]], dict[str, Any]]) -> bytes:
    """`body` after `translate`, as JSON."""
    return await worked(body, lambda value: to_json(translate(value)).encode())


def set_version(exchange: Exchange, version: str, betas: list[str] | None) -> None:
    """Let the request be one of API version `version` with `betas`; None leaves those of the header."""
    exchange.version = exchange.record.anthropic_version = version
    exchange.headers[b"anthropic-version"] = version.encode()
    if betas is not None:
        exchange.headers.pop(b"anthropic-beta", None)
        if betas:
            exchange.headers[b"anthropic-beta"] = ",".join(betas).encode("utf-8", "replace")
    read_betas(exchange)


def take_betas(body: dict[str, Any]) -> list[str] | None:
    """Takes `anthropic_beta` out of the body; None if it is not there."""
    given = body.pop("anthropic_beta", None)
    if given is None:
        return None
    if isinstance(given, str):
        given = given.split(",")
    if not isinstance(given, list) or not all(isinstance(one, str) for one in cast("list[object]", given)):
        raise InvalidRequestError("anthropic_beta: Input should be a valid array of strings")
    betas = [one.strip() for one in cast("list[str]", given) if one.strip()]
    if len(betas) > _MOST_BETAS or not all(_BETA.fullmatch(beta) for beta in betas):
        raise InvalidRequestError(INVALID_BETA)
    return betas


def take_version(body: dict[str, Any], versions: dict[str, str]) -> str:
    """Takes `anthropic_version` out of the body; the API version that it means by `versions`."""
    if "anthropic_version" not in body:
        raise InvalidRequestError("anthropic_version: Field required")
    given = body.pop("anthropic_version")
    known = versions.get(given) if isinstance(given, str) else None
    if known is None:
        # [guess] What the clouds say was never recorded.
        named = " or ".join(f"'{name}'" for name in versions)
        raise InvalidRequestError(f"anthropic_version: Input should be {named}")
    return known
