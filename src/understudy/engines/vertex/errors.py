"""Vertex AI's errors as the API's: the model's come in the API's own envelope, all others in Google's.

Source: Google's error model (google.rpc.Status and its mapping to HTTP).
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.engines.claude.clouds import Refusal
from understudy.engines.claude.errors import is_error

_Meaning: TypeAlias = tuple[int, str]

_INVALID: Final = (400, "invalid_request_error")
_CREDENTIALS: Final = (401, "authentication_error")
_BUSY: Final = (529, "overloaded_error")
_INTERNAL: Final = (500, "api_error")

_OF_STATUS: Final[dict[int | str, _Meaning]] = {
    "INVALID_ARGUMENT": _INVALID,
    "FAILED_PRECONDITION": _INVALID,
    "OUT_OF_RANGE": _INVALID,
    "UNAUTHENTICATED": _CREDENTIALS,
    "PERMISSION_DENIED": (403, "permission_error"),
    "NOT_FOUND": (404, "not_found_error"),
    "RESOURCE_EXHAUSTED": (429, "rate_limit_error"),
    "UNAVAILABLE": _BUSY,
    "DEADLINE_EXCEEDED": (504, "timeout_error"),
    "INTERNAL": _INTERNAL,
    400: _INVALID,
    401: _CREDENTIALS,
    403: (403, "permission_error"),
    404: (404, "not_found_error"),
    413: (413, "request_too_large"),
    429: (429, "rate_limit_error"),
    503: _BUSY,
    504: (504, "timeout_error"),
}


def refusal(status: int, body: bytes) -> Refusal | None:
    """The error of an answer; None for one in the API's own envelope."""
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    # Streaming methods put it into an array.
    parsed: object = next(iter(cast("list[object]", value)), None) if isinstance(value, list) else value
    if is_error(parsed):
        return None
    error: object = cast("dict[str, Any]", parsed).get("error") if isinstance(parsed, dict) else None
    fields = cast("dict[str, Any]", error) if isinstance(error, dict) else {}
    named, message = fields.get("status"), fields.get("message")
    meaning = _OF_STATUS.get(named) if isinstance(named, str) else None
    meaning = meaning or _OF_STATUS.get(status)
    text = message[:10_000] if isinstance(message, str) else ""
    if meaning is None or not 400 <= status <= 599:
        return Refusal.unknown(status, text)
    return Refusal(*meaning, text)
