"""Users, invites and members of workspaces as the API shows them. Source: the official SDK 2.12.0."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from understudy.http.pagination import PageParams
from understudy.organization.bodies import STRICT, Email, Name, Printable, Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.roles import ASSIGNABLE, OrganizationRole, WorkspaceRole
from understudy.organization.store import from_json

InviteStatus = Literal["accepted", "deleted", "expired", "pending"]
ListedStatus = Literal["accepted", "expired", "pending"]

_Roles = TypedDict("_Roles", {"roles[]": NotRequired[list[OrganizationRole]]})
_Statuses = TypedDict("_Statuses", {"statuses[]": NotRequired[list[ListedStatus]]})


class UserListParams(PageParams, _Roles):
    email: NotRequired[str]


class UserUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    role: ASSIGNABLE


class InviteListParams(PageParams, _Roles, _Statuses):
    email: NotRequired[str]


class InviteCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    email: Email
    role: ASSIGNABLE
    rbac_group_ids: NotRequired[Annotated[list[Printable], Field(max_length=100)]]


class MemberAddParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    user_id: Printable
    workspace_role: Literal[
        "workspace_admin", "workspace_developer", "workspace_restricted_developer", "workspace_user"
    ]


class MemberUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    workspace_role: WorkspaceRole


class UserAddParams(TypedDict):
    """Ours: a member who needs no invite."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    email: Email
    name: Name
    role: OrganizationRole


class UserRoleParams(TypedDict):
    """Ours: any role, administrative ones too."""

    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    role: OrganizationRole


USER_LIST: Final = Shape(UserListParams)
USER_UPDATE: Final = Shape(UserUpdateParams)
USER_ADD: Final = Shape(UserAddParams)
USER_ROLE: Final = Shape(UserRoleParams)
INVITE_LIST: Final = Shape(InviteListParams)
INVITE_CREATE: Final = Shape(InviteCreateParams)
MEMBER_LIST: Final = Shape(PageParams)
MEMBER_ADD: Final = Shape(MemberAddParams)
MEMBER_UPDATE: Final = Shape(MemberUpdateParams)


def user(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "user",
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "added_at": rfc3339(row.added_at),
    }


def invite_status(row: Any, now: float) -> InviteStatus:
    if row.deleted_at is not None:
        return "deleted"
    if row.accepted_at is not None:
        return "accepted"
    return "pending" if now < row.expires_at else "expired"


def invite(row: Any, now: float) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "invite",
        "email": row.email,
        "role": row.role,
        "invited_at": rfc3339(row.invited_at),
        "expires_at": rfc3339(row.expires_at),
        "accepted_at": rfc3339_or_none(row.accepted_at),
        "status": invite_status(row, now),
        "rbac_group_ids": from_json(row.rbac_group_ids),
    }


def member(row: Any) -> dict[str, Any]:
    return {
        "type": "workspace_member",
        "user_id": row.user_id,
        "workspace_id": row.workspace_id,
        "workspace_role": row.workspace_role,
    }
