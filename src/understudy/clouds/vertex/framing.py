"""All that a request to Vertex AI is answered: the API's own stream and messages, and Google's errors for what Google
judges."""

from __future__ import annotations

from typing import Any, Final, TypeAlias, cast

import orjson

from understudy.clouds.first_party import Fields, FirstPartyFraming, without_limits
from understudy.engines.claude.errors import NO_ANSWER, BadGatewayError

_Json: TypeAlias = dict[str, Any]

# By the type of the API's error: what Google answers by itself. All others come from the model, in the API's envelope.
_GOOGLE: Final = {
    "authentication_error": (401, "UNAUTHENTICATED"),
    "permission_error": (403, "PERMISSION_DENIED"),
    "not_found_error": (404, "NOT_FOUND"),
    "rate_limit_error": (429, "RESOURCE_EXHAUSTED"),
    "request_too_large": (400, "INVALID_ARGUMENT"),
}
_START: Final = b"event: message_start"
_GARBAGE: Final = (LookupError, TypeError, AttributeError, ValueError)


class VertexFraming(FirstPartyFraming):
    def __init__(self) -> None:
        self._status: int | None = None
        self._started = False

    def fields(self, headers: Fields) -> Fields:
        return without_limits(headers)

    def whole(self, body: bytes) -> bytes:
        try:
            answer = cast("_Json", orjson.loads(body))
            kind = answer.get("type")
            if kind == "message":
                return orjson.dumps(_message(answer))
            google = _GOOGLE.get(answer["error"]["type"]) if kind == "error" else None
            if google is None:
                return body
            code, status = google
            self._status = code
            return orjson.dumps({"error": {"code": code, "message": answer["error"]["message"], "status": status}})
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error

    def status(self, status: int) -> int:
        return status if self._status is None else self._status

    def piece(self, body: bytes) -> bytes:
        # Only the first event is another.
        if self._started or not body.startswith(_START):
            return body
        self._started = True
        first, end, rest = body.partition(b"\n\n")
        try:
            head, data, text = first.partition(b"data: ")
            event = cast("_Json", orjson.loads(text))
            event["message"] = _message(event["message"])
        except _GARBAGE as error:
            raise BadGatewayError(NO_ANSWER) from error
        return b"".join((head, data, orjson.dumps(event), end, rest))


def _message(message: _Json) -> _Json:
    """Recorded: ids of their own, and no service tier."""
    usage: _Json = message["usage"]
    usage.pop("service_tier", None)
    usage.pop("inference_geo", None)
    message["id"] = message["id"].replace("msg_", "msg_vrtx_", 1)
    return message
