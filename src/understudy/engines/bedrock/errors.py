"""Bedrock's errors as the API's.

Source: errors of InvokeModel and common errors in AWS's API references.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.engines.claude.clouds import Refusal

_Meaning: TypeAlias = tuple[int, str]

_CREDENTIALS: Final = (401, "authentication_error")
_BUSY: Final = (529, "overloaded_error")
_LIMITED: Final = (429, "rate_limit_error")
_INTERNAL: Final = (500, "api_error")

_OF_EXCEPTION: Final[dict[str, _Meaning]] = {
    "ValidationException": (400, "invalid_request_error"),
    "SerializationException": (400, "invalid_request_error"),
    "AccessDeniedException": (403, "permission_error"),
    "NotAuthorized": (403, "permission_error"),
    "OptInRequired": (403, "permission_error"),
    "ExpiredToken": _CREDENTIALS,
    "ExpiredTokenException": _CREDENTIALS,
    "IncompleteSignature": _CREDENTIALS,
    "IncompleteSignatureException": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "InvalidSignatureException": _CREDENTIALS,
    "MissingAuthenticationToken": _CREDENTIALS,
    "MissingAuthenticationTokenException": _CREDENTIALS,
    "RequestExpired": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "ResourceNotFoundException": (404, "not_found_error"),
    "RequestEntityTooLargeException": (413, "request_too_large"),
    "ServiceQuotaExceededException": _LIMITED,
    "ThrottlingException": _LIMITED,
    "TooManyRequestsException": _LIMITED,
    # 429 at Bedrock, and none of the client's doing.
    "ModelNotReadyException": _BUSY,
    "ServiceUnavailableException": _BUSY,
    "ServiceUnavailable": _BUSY,
    "ModelTimeoutException": (504, "timeout_error"),
    # 424 at Bedrock.
    "ModelErrorException": _INTERNAL,
    "ModelStreamErrorException": _INTERNAL,
    "InternalServerException": _INTERNAL,
    "InternalFailure": _INTERNAL,
}
_OF_STATUS: Final[dict[int, _Meaning]] = {
    400: (400, "invalid_request_error"),
    401: _CREDENTIALS,
    403: (403, "permission_error"),
    404: (404, "not_found_error"),
    408: (504, "timeout_error"),
    413: (413, "request_too_large"),
    424: _INTERNAL,
    429: _LIMITED,
    503: _BUSY,
    504: (504, "timeout_error"),
}


def refusal(status: int, exception: str, body: bytes) -> Refusal:
    """The error of an answer. `exception`: what `x-amzn-errortype` says, "" for nothing."""
    parsed = _parsed(body)
    told = exception or _text(parsed, "__type") or _text(parsed, "code")
    meaning = _OF_EXCEPTION.get(_name(told)) or _OF_STATUS.get(status)
    if meaning is None or not 400 <= status <= 599:
        return Refusal.unknown(status, _message(parsed))
    return Refusal(*meaning, _message(parsed))


def failure(exception: str, payload: bytes) -> Refusal:
    """The error of an exception in a stream, where names begin with a small letter."""
    name = _name(exception)
    return Refusal(*_OF_EXCEPTION.get(name[:1].upper() + name[1:], _INTERNAL), _message(_parsed(payload)))


def _name(told: str) -> str:
    """Without the namespace before it and the address behind it."""
    return told.partition(":")[0].rpartition("#")[2]


def _message(parsed: dict[str, Any]) -> str:
    return _text(parsed, "message") or _text(parsed, "Message")


def _text(parsed: dict[str, Any], name: str) -> str:
    value = parsed.get(name)
    return value[:10_000] if isinstance(value, str) else ""


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        value: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
