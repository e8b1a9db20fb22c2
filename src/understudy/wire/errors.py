"""The one family of errors that every room raises and `http` renders in the API's envelope.

Source of types and statuses: the API's error page and the official SDK's error classes (2.12.0).
"""

from __future__ import annotations

from typing import Any, ClassVar


class ApiError(Exception):
    """An answer of the API that is an error.

    `message` is shown to the caller as it is. `details` becomes `error.details` when given. `headers` are added to
    the response (lower-case names). `retry` is what the official SDKs read as `x-should-retry`. `exceeded` names the
    limit that refused the request, for the request log; callers are not told it.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"
    default_message: ClassVar[str] = "Internal server error"
    retry: bool = False
    exceeded: str | None = None

    def __init__(
        self,
        message: str | None = None,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        retry: bool | None = None,
    ) -> None:
        self.message = self.default_message if message is None else message
        self.details = details
        self.headers = headers or {}
        if retry is not None:
            self.retry = retry
        super().__init__(self.message)


class InvalidRequestError(ApiError):
    status = 400
    type = "invalid_request_error"
    default_message = "Invalid request"


class AuthenticationError(ApiError):
    status = 401
    type = "authentication_error"
    default_message = "Authentication error"


class PermissionDeniedError(ApiError):
    status = 403
    type = "permission_error"
    default_message = "Permission denied"


class NotFoundError(ApiError):
    status = 404
    type = "not_found_error"
    default_message = "Not found"


class MethodNotAllowedError(ApiError):
    """405 has no error type of its own in the API, so it carries the general one for 4xx."""

    status = 405
    type = "invalid_request_error"
    default_message = "Method Not Allowed"


class RequestTimeoutError(ApiError):
    status = 408
    type = "timeout_error"
    default_message = "Request timeout"


class RequestTooLargeError(ApiError):
    status = 413
    type = "request_too_large"
    default_message = "Request exceeds the maximum size"


class HeaderFieldsTooLargeError(ApiError):
    status = 431
    type = "invalid_request_error"
    default_message = "Request header fields too large"


class RateLimitError(ApiError):
    status = 429
    type = "rate_limit_error"
    default_message = "Rate limited"
    retry = True


class OverloadedError(ApiError):
    status = 529
    type = "overloaded_error"
    default_message = "Overloaded"
    retry = True


class InternalError(ApiError):
    """Something of our own broke. The message never carries what broke; the log does."""

    retry = True


def error_body(
    error_type: str, message: str, request_id: str | None, details: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The API's error envelope, keys in the order of the real service."""
    error: dict[str, Any] = {"type": error_type, "message": message}
    if details is not None:
        error["details"] = details
    return {"type": "error", "error": error, "request_id": request_id}
