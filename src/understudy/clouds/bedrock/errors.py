"""The API's errors as Bedrock answers them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson


class AwsError(NamedTuple):
    """`member` is the exception's name in a stream, where it has one of its own."""

    status: int
    exception: str
    member: str


_INTERNAL: Final = AwsError(500, "InternalServerException", "internalServerException")

# By the type of the API's error. Source: errors of InvokeModel in Bedrock's API reference; where several types of ours
# meet one of AWS's, or none does, the nearest [guess].
_OF_TYPE: Final = {
    "invalid_request_error": AwsError(400, "ValidationException", "validationException"),
    "authentication_error": AwsError(403, "UnrecognizedClientException", "validationException"),
    "billing_error": AwsError(403, "AccessDeniedException", "validationException"),
    "permission_error": AwsError(403, "AccessDeniedException", "validationException"),
    "not_found_error": AwsError(404, "ResourceNotFoundException", "validationException"),
    "request_too_large": AwsError(413, "RequestEntityTooLargeException", "validationException"),
    "rate_limit_error": AwsError(429, "ThrottlingException", "throttlingException"),
    "timeout_error": AwsError(408, "ModelTimeoutException", "modelTimeoutException"),
    "overloaded_error": AwsError(503, "ServiceUnavailableException", "serviceUnavailableException"),
    "api_error": _INTERNAL,
}


def aws_error(answer: dict[str, Any]) -> AwsError:
    """What AWS calls the error in the API's envelope."""
    return _OF_TYPE.get(answer["error"]["type"], _INTERNAL)


def aws_body(answer: dict[str, Any]) -> bytes:
    """The body of such an error."""
    return orjson.dumps({"message": answer["error"]["message"]})
