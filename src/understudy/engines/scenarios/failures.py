"""Any error of the API, by its status."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field

from understudy.wire import errors
from understudy.wire.errors import ApiError

_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    one.status: one
    for one in (
        errors.InvalidRequestError,
        errors.AuthenticationError,
        errors.PermissionDeniedError,
        errors.NotFoundError,
        errors.RequestTimeoutError,
        errors.RequestTooLargeError,
        errors.RateLimitError,
        errors.OverloadedError,
        errors.InternalError,
    )
}

# Types and texts of statuses that nothing in this server answers with by itself. The types are the documented ones;
# [guess] the texts of 402, 409 and 504, which were never recorded, and what a proxy's 502 and 503 would be.
_OTHERS: Final = {
    402: ("billing_error", "Billing error"),
    409: ("conflict_error", "Conflict"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "Request timed out"),
}


@cache
def _error_class(status: int, error_type: str | None) -> type[ApiError]:
    base = _BY_STATUS.get(status, ApiError)
    default_type, message = _OTHERS.get(status, (base.type, base.default_message))
    if base is ApiError and status not in _OTHERS and status < 500:
        default_type, message = "invalid_request_error", "Invalid request"
    kind = error_type or default_type
    retry = base.retry or (base is ApiError and status >= 500)
    fields = {"status": status, "type": kind, "default_message": message, "retry": retry}
    return cast("type[ApiError]", type("ScriptedError", (base,), fields))


class Failure(BaseModel):
    """An error of the API. What is not given is as the API has it for `status`.

    `headers` are added to the answer's; `retry` is what `x-should-retry` says.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    status: int = Field(ge=400, le=599)
    type: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    headers: dict[str, str] = {}
    retry: bool | None = None

    def to_error(self) -> ApiError:
        # ApiError's header names are in lower case.
        headers = {name.lower(): value for name, value in self.headers.items()}
        cls = _error_class(self.status, self.type)
        return cls(self.message, details=self.details, headers=headers, retry=self.retry)
