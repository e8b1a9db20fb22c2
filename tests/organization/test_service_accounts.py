from __future__ import annotations

import pytest

from .acting import Organization, refused, unique


def test_a_service_account_is_made_read_changed_and_archived(organization: Organization) -> None:
    accounts = organization.admin.organization.service_accounts
    name = unique("svc")
    made = accounts.create(name=name, description="Nightly")
    assert made.id.startswith("svac_")
    assert (made.name, made.description, made.organization_role) == (name, "Nightly", "developer")
    assert accounts.retrieve(made.id) == made
    changed = accounts.update(made.id, description=None, organization_role="admin")
    assert (changed.description, changed.organization_role) == ("", "admin")
    assert changed.updated_at > made.updated_at
    archived = accounts.archive(made.id)
    assert archived.archived_at is not None
    assert accounts.archive(made.id) == archived
    assert refused(400, accounts.update, made.id, description="x") == "The service account is archived"
    assert made.id not in [one.id for one in accounts.list()]
    assert made.id in [one.id for one in accounts.list(include_archived=True, limit=2)]
    refused(404, accounts.retrieve, "svac_none")


def test_a_taken_name_is_a_conflict_until_its_holder_is_archived(organization: Organization) -> None:
    accounts = organization.admin.organization.service_accounts
    made = accounts.create(name=unique("svc"))
    assert "already in use" in refused(409, accounts.create, name=made.name)
    accounts.archive(made.id)
    assert accounts.create(name=made.name).id != made.id


@pytest.mark.parametrize("name", ["", "Upper", "under_score", "a b", "x" * 256, "a\n"])
def test_names_are_slugs(organization: Organization, name: str) -> None:
    assert refused(400, organization.admin.organization.service_accounts.create, name=name).startswith("name: ")


def test_memberships_are_seen_from_both_sides(organization: Organization) -> None:
    sdk = organization.admin.organization
    account, workspace = sdk.service_accounts.create(name=unique("svc")), organization.workspace()
    added = sdk.workspaces.service_accounts.add(
        workspace.id, service_account_id=account.id, workspace_role="workspace_developer"
    )
    assert (added.service_account_id, added.workspace_id) == (account.id, workspace.id)
    seen = sdk.workspaces.service_accounts.retrieve(account.id, workspace_id=workspace.id)
    assert seen == added
    assert [one.service_account_id for one in sdk.workspaces.service_accounts.list(workspace.id)] == [account.id]
    of_account = list(sdk.service_accounts.workspaces.list(account.id))
    assert [(one.workspace_id, one.implicit) for one in of_account] == [
        (workspace.id, False),
        (organization.default_workspace, True),
    ]
    # Added once more, it has its new role.
    again = sdk.service_accounts.workspaces.add(account.id, workspace_id=workspace.id, workspace_role="workspace_user")
    assert again.workspace_role == "workspace_user"
    updated = sdk.workspaces.service_accounts.update(
        account.id, workspace_id=workspace.id, workspace_role="workspace_admin"
    )
    assert updated.workspace_role == "workspace_admin"
    for _ in range(2):
        removed = sdk.service_accounts.workspaces.remove(workspace.id, service_account_id=account.id)
        assert removed.type == "service_account_workspace_member_deleted"
    refused(404, sdk.workspaces.service_accounts.retrieve, account.id, workspace_id=workspace.id)
    refused(
        *(404, sdk.workspaces.service_accounts.update, account.id),
        workspace_id=workspace.id,
        workspace_role="workspace_admin",
    )


def test_every_account_is_in_the_default_workspace_and_cannot_leave_it(organization: Organization) -> None:
    sdk, default = organization.admin.organization, organization.default_workspace
    account = sdk.service_accounts.create(name=unique("svc"))
    members = sdk.workspaces.service_accounts
    implicit = members.retrieve(account.id, workspace_id=default)
    assert (implicit.implicit, implicit.workspace_role) == (True, "workspace_user")
    members.remove(account.id, workspace_id=default)
    assert members.retrieve(account.id, workspace_id=default).implicit is True
    assert account.id not in [one.service_account_id for one in members.list(default)]
    explicit = members.add(default, service_account_id=account.id, workspace_role="workspace_developer")
    assert (explicit.implicit, explicit.workspace_role) == (False, "workspace_developer")
    assert account.id in [one.service_account_id for one in members.list(default)]
    members.remove(account.id, workspace_id=default)
    assert members.retrieve(account.id, workspace_id=default).implicit is True


def test_archived_workspaces_and_accounts_take_no_members(organization: Organization) -> None:
    sdk, workspace = organization.admin.organization, organization.workspace()
    account, gone = (sdk.service_accounts.create(name=unique("svc")) for _ in range(2))
    sdk.service_accounts.workspaces.add(account.id, workspace_id=workspace.id, workspace_role="workspace_user")
    sdk.service_accounts.archive(gone.id)
    add = sdk.service_accounts.workspaces.add
    refused(400, add, gone.id, workspace_id=workspace.id, workspace_role="workspace_user")
    sdk.workspaces.archive(workspace.id)
    refused(400, add, account.id, workspace_id=workspace.id, workspace_role="workspace_user")
    refused(400, sdk.workspaces.service_accounts.list, workspace.id)
    refused(400, sdk.service_accounts.workspaces.remove, workspace.id, service_account_id=account.id)
    # What was can still be audited.
    assert workspace.id in [one.workspace_id for one in sdk.service_accounts.workspaces.list(account.id)]
