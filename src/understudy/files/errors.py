"""What the Files API refuses, in its words where they are known.

Sources: the Files guide (2026-08), a recorded refusal of 2026-08-02, and the error codes that SDK 2.12 has classes for.
"""

from __future__ import annotations

from understudy.wire.errors import ApiError, InvalidRequestError, NotFoundError, RequestTooLargeError

_MEGABYTE = 1024 * 1024


class RangeNotSatisfiableError(ApiError):
    """RFC 9110, 15.5.17."""

    status = 416
    type = "invalid_request_error"
    default_message = "Requested range not satisfiable"


def file_not_found(file_id: str) -> NotFoundError:
    """Also for a file of another workspace."""
    return NotFoundError(f"File `{file_id}` not found.")


def file_expired(file_id: str) -> NotFoundError:
    return NotFoundError(f"File `{file_id}` has expired.", details={"error_code": "file_expired"})  # [guess] the words


def not_downloadable(file_id: str, *, coded: bool) -> InvalidRequestError:
    """`coded`: with the error code, which answers under the beta did not have."""
    details = {"error_code": "file_not_downloadable"} if coded else None
    return InvalidRequestError(f"File '{file_id}' is not downloadable", details=details)


def quota_exceeded(limit: int, of: str) -> InvalidRequestError:
    """`limit` in bytes; `of` says whose storage it is."""
    # [guess] the words
    return InvalidRequestError(
        f"Storage limit exceeded: files of your {of} may take {limit / _MEGABYTE:,.6g} MB",
        details={"error_code": "storage_quota_exceeded"},
    )


def file_too_large(limit: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"File exceeds the maximum size of {limit / _MEGABYTE:g} MB")  # [guess] the words
