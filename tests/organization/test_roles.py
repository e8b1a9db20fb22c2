from __future__ import annotations

from itertools import product
from typing import Any, get_args

import pytest

from understudy.http.principal import Principal, WorkspaceGrant
from understudy.organization.roles import (
    ADMINISTRATIVE,
    ASSIGNABLE,
    AUTOMATION,
    INHERITED,
    ORGANIZATION,
    WORKSPACE,
    OrganizationRole,
    Permission,
    WorkspaceRole,
    may,
    require,
    workspaces_with,
)
from understudy.wire.errors import PermissionDeniedError

from .acting import Organization


def test_the_table_has_every_role_and_only_permissions_that_there_are() -> None:
    assert ORGANIZATION.keys() == set(get_args(OrganizationRole))
    assert WORKSPACE.keys() == set(get_args(WorkspaceRole))
    known = set(get_args(Permission))
    assert all(permissions <= known for permissions in [*ORGANIZATION.values(), *WORKSPACE.values(), AUTOMATION])
    granted = frozenset[str]().union(*ORGANIZATION.values(), *WORKSPACE.values())
    assert known == granted
    assert ADMINISTRATIVE | set(get_args(ASSIGNABLE)) == ORGANIZATION.keys()


@pytest.mark.parametrize(("role", "permission"), list(product(get_args(OrganizationRole), get_args(Permission))))
def test_abuse_11_the_role_matrix_is_what_is_checked(role: OrganizationRole, permission: Permission) -> None:
    principal = Principal("o", None, "k", actor_id="user_1", permissions=ORGANIZATION[role], workspaces={})
    allowed = permission in ORGANIZATION[role]
    assert may(principal, permission) is allowed
    assert may(principal, permission, "wrkspc_1") is allowed
    if not allowed:
        with pytest.raises(PermissionDeniedError, match=permission):
            require(principal, permission)


@pytest.mark.parametrize(("role", "permission"), list(product(get_args(WorkspaceRole), get_args(Permission))))
def test_abuse_11_a_role_in_one_workspace_is_none_in_another(role: WorkspaceRole, permission: Permission) -> None:
    principal = Principal("o", None, "k", actor_id="user_1", workspaces={"wrkspc_1": WorkspaceGrant(role)})
    allowed = permission in WORKSPACE[role]
    assert may(principal, permission, "wrkspc_1") is allowed
    assert not may(principal, permission, "wrkspc_2")
    assert not may(principal, permission)
    assert workspaces_with(principal, permission) == ({"wrkspc_1"} if allowed else set())


def test_only_administrators_may_make_admin_keys_and_only_owners_make_administrators() -> None:
    assert {role for role in ORGANIZATION if "admin_keys:create" in ORGANIZATION[role]} == {
        *("admin", "owner", "primary_owner")
    }
    assert {role for role in ORGANIZATION if "admins:write" in ORGANIZATION[role]} == {"owner", "primary_owner"}
    assert not AUTOMATION & {"admins:write", "admin_keys:create", "api_keys:create", "privileges:grant"}
    assert INHERITED["billing"] == "workspace_billing"


# --- over the wire, with keys that act as somebody ---


def acting_as(organization: Organization, role: str, **memberships: Any) -> tuple[str, Any]:
    """A user, and a key that may choose its workspace and acts as that user. Memberships: workspace id → role."""
    user = organization.user(role)
    for workspace, workspace_role in memberships.items():
        organization.admin.organization.workspaces.members.add(
            workspace, user_id=user["id"], workspace_role=workspace_role
        )
    key = organization.key(kind="personal", user_id=user["id"])
    return key["raw_key"], user


READS = {
    "me": ("GET", "/v1/organizations/me", None),
    "users": ("GET", "/v1/organizations/users", None),
    "invite": ("POST", "/v1/organizations/invites", {"email": "x@example.com", "role": "admin_of_nothing"}),
    "workspace": ("POST", "/v1/organizations/workspaces", {"name": "x", "display_color": "none"}),
    "service_accounts": ("GET", "/v1/organizations/service_accounts", None),
    "rbac": ("GET", "/v1/organizations/rbac_groups", None),
    "audit": ("GET", "/_understudy/admin/audit_log", None),
}


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        ("user", {"me"}),
        ("claude_code_user", {"me"}),
        ("developer", {"me"}),
        ("billing", {"me"}),
        ("membership_admin", {"me", "users", "rbac"}),
        ("admin", {"me", "users", "service_accounts", "rbac", "audit"}),
        ("owner", {"me", "users", "service_accounts", "rbac", "audit"}),
    ],
)
def test_abuse_11_each_role_reaches_what_the_matrix_says(
    organization: Organization, role: str, expected: set[str]
) -> None:
    key, _ = acting_as(organization, role)
    statuses = {name: organization.call(*asked, key=key).status_code for name, asked in READS.items()}
    assert {name for name, status in statuses.items() if status == 200} == expected
    # Bodies that cannot be are never seen before the role is, or are refused as such: nobody learns more.
    assert set(statuses.values()) <= {200, 400, 403}


def test_abuse_11_nobody_raises_an_own_role(organization: Organization) -> None:
    for role in ("user", "developer", "billing", "membership_admin", "admin"):
        key, user = acting_as(organization, role)
        for wanted in ("developer", "billing", "admin", "owner"):
            answer = organization.call("POST", f"/v1/organizations/users/{user['id']}", {"role": wanted}, key=key)
            assert answer.status_code in (400, 403), (role, wanted)
            ours = organization.call("POST", f"/_understudy/admin/users/{user['id']}", {"role": wanted}, key=key)
            assert ours.status_code in (400, 403), (role, wanted)
        assert organization.admin.organization.users.retrieve(user["id"]).role == role


def test_abuse_11_a_workspaces_administrator_rules_there_and_nowhere_else(organization: Organization) -> None:
    mine, other = organization.workspace(), organization.workspace()
    key, _ = acting_as(organization, "user", **{mine.id: "workspace_admin"})
    workspaces = organization.sdk(key).organization.workspaces
    newcomer = organization.user("user")["id"]
    assert [one.id for one in workspaces.list()] == [mine.id]
    assert workspaces.update(mine.id, name="Ours").name == "Ours"
    added = workspaces.members.add(mine.id, user_id=newcomer, workspace_role="workspace_developer")
    assert added.workspace_role == "workspace_developer"
    base = "/v1/organizations/workspaces"
    for workspace in (other.id, "wrkspc_none"):
        for asked in (
            ("GET", f"{base}/{workspace}", None),
            ("POST", f"{base}/{workspace}", {"name": "Mine"}),
            ("POST", f"{base}/{workspace}/archive", None),
            ("GET", f"{base}/{workspace}/members", None),
            ("POST", f"{base}/{workspace}/members", {"user_id": newcomer, "workspace_role": "workspace_user"}),
        ):
            answer = organization.call(*asked, key=key)
            assert (answer.status_code, answer.json()["error"]["message"]) == (404, "Workspace not found"), asked
    # What is the organization's stays so.
    assert organization.call("POST", f"{base}/{mine.id}/archive", key=key).status_code == 403
    assert organization.call("POST", base, {"name": "more"}, key=key).status_code == 403


@pytest.mark.parametrize("role", ["billing", "user", "claude_code_user"])
def test_abuse_11_who_may_not_develop_mints_no_keys(organization: Organization, role: str) -> None:
    key, user = acting_as(organization, role)
    account = organization.admin.organization.service_accounts.create(name=f"svc-{role.replace('_', '-')}")
    for params in (
        {},
        {"kind": "personal"},
        {"kind": "personal", "user_id": user["id"], "workspace_id": organization.default_workspace},
        {"kind": "service_account", "service_account_id": account.id},
        {"kind": "admin"},
    ):
        answer = organization.call("POST", "/_understudy/admin/api_keys", {"name": "x", **params}, key=key)
        assert answer.status_code == 403, (params, answer.text)


def test_abuse_11_a_developer_mints_own_keys_only(organization: Organization) -> None:
    workspace = organization.workspace()
    key, user = acting_as(organization, "developer", **{workspace.id: "workspace_developer"})
    other, elsewhere = organization.user("owner"), organization.workspace()

    def mint(**params: str) -> int:
        return organization.call("POST", "/_understudy/admin/api_keys", {"name": "x", **params}, key=key).status_code

    assert mint(workspace_id=workspace.id) == 200
    assert mint(kind="personal", user_id=user["id"]) == 200
    assert mint(workspace_id=elsewhere.id) == 403
    assert mint(kind="personal", user_id=other["id"]) == 403
    assert mint(kind="admin") == 403


def test_abuse_11_an_administrator_does_not_act_as_an_owner(organization: Organization) -> None:
    key, _ = acting_as(organization, "admin")
    owner = organization.user("owner")
    body = {"name": "x", "kind": "personal", "user_id": owner["id"]}
    assert organization.call("POST", "/_understudy/admin/api_keys", body, key=key).status_code == 403
    made = {"email": "boss@example.com", "name": "x", "role": "owner"}
    assert organization.call("POST", "/_understudy/admin/users", made, key=key).status_code == 403
