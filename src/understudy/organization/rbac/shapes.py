"""RBAC groups and roles as the API shows them, in both versions.

Sources: the official SDK 2.12.0; the guide on user management (2026-08) for the names that 2023-06-01 has beside them.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from understudy.organization.bodies import STRICT, Printable, Shape
from understudy.organization.clock import rfc3339
from understudy.organization.pages import CursorParams
from understudy.wire.versions import VERSIONS

_RENAMED: Final = "2026-10-21"
NEWEST: Final = max(VERSIONS)
GroupName = Annotated[Printable, Field(min_length=1, max_length=255)]


class GroupCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: GroupName


class GroupUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: NotRequired[GroupName | None]


class GroupMemberAddParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    user_id: Printable


LIST: Final = Shape(CursorParams)
CREATE: Final = Shape(GroupCreateParams)
UPDATE: Final = Shape(GroupUpdateParams)
MEMBER_ADD: Final = Shape(GroupMemberAddParams)


def page(shown: dict[str, Any], version: str) -> dict[str, Any]:
    """A page of groups, members or roles; the older version says twice whether there is more."""
    return {**shown, "has_more": shown["next_page"] is not None} if version < _RENAMED else shown


def group(row: Any, version: str) -> dict[str, Any]:
    """No role is attached to a group here: there are none but the built-in ones."""
    shown: dict[str, Any] = {
        "id": row.id,
        "type": "rbac_group",
        "name": row.name,
        "source_type": row.source_type,
        "role_ids": [],
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
    }
    if version < _RENAMED:
        shown["roles"] = []
    return shown


def group_member(row: Any, version: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "type": "rbac_group_member",
        "rbac_group_id": row.rbac_group_id,
        "user_id": row.user_id,
        "email": row.email,
        "created_at": rfc3339(row.created_at),
    }
    if version < _RENAMED:
        shown["group_id"] = row.rbac_group_id
    return shown


def role(role_id: str, name: str, made_at: float, version: str) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": role_id,
        "type": "rbac_role",
        "display_name": name,
        "source": {"type": "built_in"},
        "created_at": rfc3339(made_at),
        "updated_at": rfc3339(made_at),
    }
    if version < _RENAMED:
        shown["name"] = name
    return shown
