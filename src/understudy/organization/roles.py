"""Who may do what: every role of the organization and of workspaces, as one table.

Sources: the guides on the Admin API and on workspaces (2026-08, 2026-10). What the documentation leaves open (which
reports a developer sees, say) follows the Console's pages [guess].
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from understudy.http.principal import Principal
from understudy.wire.errors import PermissionDeniedError

OrganizationRole: TypeAlias = Literal[
    "user",
    "claude_code_user",
    "developer",
    "billing",
    "admin",
    "managed",
    "membership_admin",
    "owner",
    "primary_owner",
]
WorkspaceRole: TypeAlias = Literal[
    "workspace_user",
    "workspace_restricted_developer",
    "workspace_developer",
    "workspace_admin",
    "workspace_billing",
]
Permission: TypeAlias = Literal[
    "organization:read",
    "members:read",
    "members:write",
    "admins:write",
    "workspaces:read",
    "workspaces:write",
    "workspace_members:read",
    "workspace_members:write",
    "api_keys:read",
    "api_keys:write",
    "api_keys:create",
    "admin_keys:create",
    "service_accounts:read",
    "service_accounts:write",
    "federation:read",
    "federation:write",
    "privileges:grant",
    "rbac:read",
    "rbac:write",
    "limits:read",
    "limits:write",
    "spend:read",
    "spend:write",
    "usage:read",
    "audit:read",
    "inference",
    "files:download",
    "sessions:trace",
]

_READ_SELF: Final[frozenset[str]] = frozenset({"organization:read"})
_BILLING: Final[frozenset[str]] = frozenset({"limits:read", "spend:read", "spend:write", "usage:read"})
# What a workload with the scope org:admin may do. What hands out more than that needs a person, or an admin key.
AUTOMATION: Final[frozenset[str]] = (
    _READ_SELF
    | _BILLING
    | frozenset(
        {
            "members:read",
            "members:write",
            "workspaces:read",
            "workspaces:write",
            "workspace_members:read",
            "workspace_members:write",
            "api_keys:read",
            "api_keys:write",
            "service_accounts:read",
            "service_accounts:write",
            "federation:read",
            "federation:write",
            "rbac:read",
            "rbac:write",
            "limits:write",
            "audit:read",
        }
    )
)
_ADMIN: Final[frozenset[str]] = AUTOMATION | frozenset({"api_keys:create", "admin_keys:create", "privileges:grant"})

ORGANIZATION: Final[Mapping[str, frozenset[str]]] = {
    "user": _READ_SELF,
    "claude_code_user": _READ_SELF,
    "managed": _READ_SELF,
    "developer": _READ_SELF | frozenset({"limits:read", "usage:read"}),
    "billing": _READ_SELF | _BILLING,
    "membership_admin": _READ_SELF | frozenset({"members:read", "members:write", "rbac:read"}),
    "admin": _ADMIN,
    "owner": _ADMIN | frozenset({"admins:write"}),
    "primary_owner": _ADMIN | frozenset({"admins:write"}),
}

_DEVELOP: Final[frozenset[str]] = frozenset({"workspaces:read", "api_keys:read", "api_keys:create", "inference"})
_TRACE: Final[frozenset[str]] = frozenset({"files:download", "sessions:trace"})

WORKSPACE: Final[Mapping[str, frozenset[str]]] = {
    "workspace_user": frozenset({"workspaces:read"}),
    "workspace_restricted_developer": _DEVELOP,
    "workspace_developer": _DEVELOP | _TRACE,
    "workspace_admin": _DEVELOP
    | _TRACE
    | frozenset(
        {
            "workspaces:write",
            "workspace_members:read",
            "workspace_members:write",
            "api_keys:write",
            "limits:read",
            "limits:write",
            "usage:read",
        }
    ),
    "workspace_billing": frozenset({"workspaces:read", "limits:read", "spend:read", "usage:read"}),
}

# Everybody who has the role in the organization has this one in every workspace, without being a member.
INHERITED: Final[Mapping[str, WorkspaceRole]] = {
    "admin": "workspace_admin",
    "owner": "workspace_admin",
    "primary_owner": "workspace_admin",
    "billing": "workspace_billing",
}

# Without a membership of its own, everybody is this in the default workspace [guess, but for service accounts].
IN_DEFAULT: Final[Mapping[str, WorkspaceRole]] = {"developer": "workspace_developer"}
IN_DEFAULT_OTHERWISE: Final[WorkspaceRole] = "workspace_user"

ADMINISTRATIVE: Final[frozenset[str]] = frozenset({"admin", "owner", "primary_owner", "membership_admin"})
"""Roles that the Admin API neither gives nor takes, and whose holders it does not remove."""

ASSIGNABLE: TypeAlias = Literal["billing", "claude_code_user", "developer", "managed", "user"]
"""Roles that the Admin API gives."""


def may(principal: Principal, permission: Permission, workspace_id: str | None = None) -> bool:
    """The one check: whether `principal` may do `permission` to the organization, or at least to that workspace."""
    if permission in principal.permissions:
        return True
    if workspace_id is None or principal.workspaces is None:
        return False
    grant = principal.workspaces.get(workspace_id)
    return grant is not None and permission in WORKSPACE[grant.role]


def require(principal: Principal, permission: Permission, workspace_id: str | None = None) -> None:
    """PermissionDeniedError (403) unless `may`."""
    if not may(principal, permission, workspace_id):
        raise PermissionDeniedError(f"Your role does not allow this. It needs: {permission}")


def workspaces_with(principal: Principal, permission: Permission) -> frozenset[str] | None:
    """The workspaces in which `principal` may do `permission`; None: all of them."""
    if permission in principal.permissions:
        return None
    return frozenset(one for one in principal.workspaces or {} if may(principal, permission, one))
