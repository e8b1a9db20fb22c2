"""Errors of the Admin API that carry a code, and the one for names that are taken."""

from __future__ import annotations

from typing import Literal

from understudy.wire.errors import ApiError, InvalidRequestError, PermissionDeniedError

# details.error_code, as the official SDK's error classes know them (2.12.0).
Code = Literal[
    "already_member",
    "cannot_remove_last_member",
    "cannot_sign_out_membership_admin",
    "cannot_sign_out_owner",
    "cannot_sign_out_primary_owner",
    "cannot_sign_out_self",
    "invite_already_exists",
    "org_api_key_limit_exceeded",
    "org_member_limit_exceeded",
    "workspace_api_key_limit_exceeded",
    "workspace_member_limit_exceeded",
]


class ConflictError(ApiError):
    """409. `conflict_error` is the type that the SDK knows for it."""

    status = 409
    type = "conflict_error"
    default_message = "Conflict"


def denied(code: Code, message: str) -> PermissionDeniedError:
    """403 with `code` in its details."""
    return PermissionDeniedError(message, details={"error_code": code})


def coded(code: Code, message: str) -> InvalidRequestError:
    """400 with `code` in its details."""
    return InvalidRequestError(message, details={"error_code": code})
