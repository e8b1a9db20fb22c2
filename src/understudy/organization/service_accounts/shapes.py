"""Service accounts as the API shows them. Sources: the official SDK 2.12.0; the WIF reference (2026-08) on names."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, NotRequired

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict

from understudy.organization.bodies import STRICT, Printable, Shape
from understudy.organization.clock import rfc3339, rfc3339_or_none
from understudy.organization.pages import ShortCursorParams

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]+$", min_length=1, max_length=255)]
Description = Annotated[Printable, Field(max_length=2_000)]
OrganizationRole = Literal["admin", "developer"]
AssignableWorkspaceRole = Literal[
    "workspace_admin", "workspace_developer", "workspace_restricted_developer", "workspace_user"
]


class ServiceAccountCreateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    name: Slug
    description: NotRequired[Description | None]
    organization_role: NotRequired[OrganizationRole]


class ServiceAccountUpdateParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    description: NotRequired[Description | None]
    organization_role: NotRequired[OrganizationRole | None]


class ArchivableListParams(ShortCursorParams):
    include_archived: NotRequired[bool]


class AddToWorkspaceParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    workspace_id: Printable
    workspace_role: AssignableWorkspaceRole


class AddServiceAccountParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    service_account_id: Printable
    workspace_role: AssignableWorkspaceRole


class WorkspaceRoleParams(TypedDict):
    __pydantic_config__ = STRICT  # pyright: ignore[reportGeneralTypeIssues]

    workspace_role: AssignableWorkspaceRole


CREATE: Final = Shape(ServiceAccountCreateParams)
UPDATE: Final = Shape(ServiceAccountUpdateParams)
LIST: Final = Shape(ArchivableListParams)
MEMBERSHIPS: Final = Shape(ShortCursorParams)
ADD_TO_WORKSPACE: Final = Shape(AddToWorkspaceParams)
ADD_SERVICE_ACCOUNT: Final = Shape(AddServiceAccountParams)
ROLE: Final = Shape(WorkspaceRoleParams)


def history(row: Any) -> dict[str, Any]:
    """When something was made, changed and archived, and by whom; None where that was no user and no account."""
    return {
        "created_at": rfc3339(row.created_at),
        "created_by_actor_id": row.created_by_id,
        "updated_at": rfc3339(row.updated_at),
        "updated_by_actor_id": row.updated_by_id,
        "archived_at": rfc3339_or_none(row.archived_at),
        "archived_by_actor_id": row.archived_by_id,
    }


def service_account(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "type": "service_account",
        "name": row.name,
        "description": row.description,
        "organization_role": row.organization_role,
        **history(row),
    }


def membership(row: Any) -> dict[str, Any]:
    return {
        "type": "service_account_workspace_member",
        "service_account_id": row.service_account_id,
        "workspace_id": row.workspace_id,
        "workspace_role": row.workspace_role,
        "created_by_actor_id": row.created_by_id,
        "implicit": False,
    }


def implicit_membership(service_account_id: str, workspace_id: str) -> dict[str, Any]:
    """Every service account is a user of the default workspace until it is added there with a role of its own."""
    return {
        "type": "service_account_workspace_member",
        "service_account_id": service_account_id,
        "workspace_id": workspace_id,
        "workspace_role": "workspace_user",
        "created_by_actor_id": None,
        "implicit": True,
    }
