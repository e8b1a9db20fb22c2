"""API keys as the API shows them, in both versions, and the bodies that make and change one.

Sources: the official SDK 2.12.0; the guide on authentication (2026-08) for when keys expire.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import BeforeValidator
from typing_extensions import TypedDict

from understudy.http.pagination import PageParams
from understudy.organization.bodies import STRICT, Name, Printable, Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.pages import Nullable

Status = Literal["active", "inactive", "archived", "expired"]
Settable = Literal["active", "inactive", "archived"]
Preset = Literal["3h", "1d", "7d", "30d", "never"]

PRESETS: Final[dict[Preset, float | None]] = {
    "3h": 3 * 3_600.0,
    "1d": 86_400.0,
    "7d": 7 * 86_400.0,
    "30d": 30 * 86_400.0,
    "never": None,
}
"""Seconds that a key lives, as the Console offers them."""

_RENAMED: Final = "2026-10-21"  # from this version on, `scope` stands where `workspace_id` stood


class ApiKeyListParams(PageParams):
    status: NotRequired[Annotated[Status | None, BeforeValidator(lambda text: text or None)]]
    workspace_id: NotRequired[Nullable]
    created_by_user_id: NotRequired[Nullable]


class ApiKeyUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: NotRequired[Name | None]
    status: NotRequired[Settable | None]


class ApiKeyCreateParams(TypedDict):
    """Ours: the Admin API makes no keys. `expires_at` is RFC 3339; without it and `expires_in` a key never expires."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Name
    kind: NotRequired[Literal["workspace", "personal", "service_account", "admin"]]
    workspace_id: NotRequired[Printable | None]
    user_id: NotRequired[Printable]
    service_account_id: NotRequired[Printable]
    expires_in: NotRequired[Preset]
    expires_at: NotRequired[str]


LIST: Final = Shape(ApiKeyListParams)
UPDATE: Final = Shape(ApiKeyUpdateParams)
CREATE: Final = Shape(ApiKeyCreateParams)


def status(row: Any, now: float) -> Status:
    """`expired` is never stored: it is what a key is whose time has come and that nobody archived."""
    if row.status != "archived" and row.expires_at is not None and row.expires_at <= now:
        return "expired"
    return row.status


def api_key(row: Any, now: float, version: str, default_workspace_id: str) -> dict[str, Any]:
    """A row of `api_keys` as `version` shows it."""
    shown: dict[str, Any] = {
        "id": row.id,
        "type": "api_key",
        "name": row.name,
        "created_at": rfc3339(row.created_at),
        "created_by": None
        if row.created_by_id is None
        else {"id": row.created_by_id, "type": _kind(row.created_by_id)},
        "expires_at": rfc3339_or_none(row.expires_at),
        "partial_key_hint": row.partial_key_hint,
        "principal": _principal(row.principal_id),
        "status": status(row, now),
    }
    if version >= _RENAMED:
        if row.workspace_id is None:
            shown["scope"] = {"type": "organization"}
        else:
            shown["scope"] = {"type": "workspace", "workspace_id": row.workspace_id}
    else:
        # The default workspace has no id here.
        shown["workspace_id"] = None if row.workspace_id == default_workspace_id else row.workspace_id
    return shown


def _kind(actor_id: str) -> str:
    return "service_account" if actor_id.startswith("svac_") else "user"


def _principal(actor_id: str | None) -> dict[str, Any] | None:
    if actor_id is None:
        return None
    if actor_id.startswith("svac_"):
        return {"type": "service_account_actor", "service_account_id": actor_id}
    return {"type": "user_actor", "user_id": actor_id}
