"""Errors of the Admin API that carry a code, and the one for names that are taken."""

from __future__ import annotations

from typing import Literal

from understudy.wire.errors import ApiError, InvalidRequestError

# details.error_code, as the official SDK's error classes know them (2.12.0).
Code = Literal["already_member", "cannot_remove_last_member", "invite_already_exists"]


class ConflictError(ApiError):
    """409. `conflict_error` is the type that the SDK knows for it."""

    status = 409
    type = "conflict_error"
    default_message = "Conflict"


def coded(code: Code, message: str) -> InvalidRequestError:
    """400 with `code` in its details."""
    return InvalidRequestError(message, details={"error_code": code})
