"""What goes wrong on the way to an upstream, and an upstream's own errors as they are passed on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, TypeGuard, cast

import orjson

from understudy.wire.errors import ApiError, error_body


class BadGatewayError(ApiError):
    """The upstream cannot be reached, broke off, or sent what is no answer of the API. [guess] The real service's
    words for its own 502 were never recorded."""

    status = 502
    type = "api_error"
    default_message = "Bad gateway"
    retry = True


class GatewayTimeoutError(ApiError):
    """The upstream did not answer in time. The type is the documented one of a 504."""

    status = 504
    type = "timeout_error"
    default_message = "Request timed out"
    retry = True


UNREACHABLE: Final = "The upstream cannot be reached."
BROKE_OFF: Final = "The upstream's answer broke off."
NO_ANSWER: Final = "The upstream's answer is not one of the Claude API."

# The documented types (errors page) with their statuses, for errors that come in a 200.
STATUS_OF_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}

_TYPE_OF_STATUS: Final = {status: kind for kind, status in STATUS_OF_TYPE.items()}

_TYPE: Final = re.compile(r"[a-z_]{1,64}")
# Characters of a message that are repeated.
_LONGEST: Final = 10_000
_WHEN_AGAIN: Final = ("retry-after", "retry-after-ms")


def is_error(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a parsed body or event is the API's error envelope."""
    if not isinstance(value, dict):
        return False
    body = cast("dict[str, Any]", value)
    if body.get("type") != "error" or not isinstance(body.get("error"), dict):
        return False
    return isinstance(body["error"].get("type"), str)


def error_answer(status: int, body: bytes, request_id: str, secret: str | None) -> tuple[bytes, str]:
    """The body of an upstream's error for our client, and the error's type.

    It is the upstream's own with our request id; an upstream that repeats the key it was given does not get it through.
    What is no error of the API (a proxy's page) becomes one, without its text.
    """
    try:
        parsed: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        parsed = None
    if not is_error(parsed):
        kind = _TYPE_OF_STATUS.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return orjson.dumps(error_body(kind, f"The upstream answered with status {status}.", request_id)), kind
    return orjson.dumps(under_our_id(parsed, request_id, secret)), parsed["error"]["type"]


def refusal_of(status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]], secret: str | None) -> ApiError:
    """An upstream's answer that is no 200, as an error to raise. `headers` are those that `Response` keeps."""
    # What is no answer at all (a redirect, a 204) is a fault of the upstream's.
    status = status if 400 <= status <= 599 else 502
    shown, _ = error_answer(status, body, "", secret)
    return _as_error(status, orjson.loads(shown), headers)


def failure_of(
    envelope: dict[str, Any], headers: Sequence[tuple[bytes, bytes]] = (), secret: str | None = None
) -> ApiError:
    """An upstream's error that came with a 200, as an error to raise: it gets the status of its type."""
    envelope = under_our_id(envelope, "", secret)
    return _as_error(STATUS_OF_TYPE.get(envelope["error"]["type"], 500), envelope, headers)


def _as_error(status: int, envelope: dict[str, Any], headers: Sequence[tuple[bytes, bytes]]) -> ApiError:
    error = cast("dict[str, Any]", envelope["error"])
    kind, message, details = error["type"], error.get("message"), error.get("details")
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    retry = named.get("x-should-retry")
    return _class_of(status, kind if _TYPE.fullmatch(kind) else "api_error")(
        message[:_LONGEST] if isinstance(message, str) else f"The upstream answered with status {status}.",
        details=cast("dict[str, Any]", details) if isinstance(details, dict) else None,
        headers={name: named[name] for name in _WHEN_AGAIN if name in named},
        retry=retry == "true" if retry in {"true", "false"} else status in {408, 409, 429} or status >= 500,
    )


@lru_cache(maxsize=64)
def _class_of(status: int, kind: str) -> type[ApiError]:
    """Status and type of an error stand in its class, and an upstream may combine them as it likes."""
    return cast("type[ApiError]", type("UpstreamAnswerError", (ApiError,), {"status": status, "type": kind}))


def under_our_id(error: dict[str, Any], request_id: str, secret: str | None) -> dict[str, Any]:
    """An upstream's error envelope with our request id, at its place where it has one."""
    envelope: dict[str, Any] = {**error, "request_id": request_id}
    if secret and secret in orjson.dumps(envelope).decode():
        kind = envelope["error"]["type"]
        return error_body(kind, "The upstream refused the request.", request_id)
    return envelope
