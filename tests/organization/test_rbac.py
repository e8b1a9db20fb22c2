from __future__ import annotations

from understudy.organization.roles import ORGANIZATION

from .acting import OLD_VERSION, Organization, refused


def test_a_group_is_made_renamed_filled_and_deleted(organization: Organization) -> None:
    groups, user = organization.admin.organization.rbac_groups, organization.user()
    made = groups.create(name="Engineering")
    assert made.id.startswith("rbac_group_")
    assert (made.name, made.source_type, made.role_ids) == ("Engineering", "direct", [])
    assert groups.retrieve(made.id) == made
    renamed = groups.update(made.id, name="Platform")
    assert (renamed.name, renamed.updated_at > made.updated_at) == ("Platform", True)
    assert groups.update(made.id, name=None) == renamed
    joined = groups.members.add(made.id, user_id=user["id"])
    assert (joined.rbac_group_id, joined.user_id, joined.email) == (made.id, user["id"], user["email"])
    assert "already" in refused(400, groups.members.add, made.id, user_id=user["id"])
    refused(404, groups.members.add, made.id, user_id="user_none")
    assert [one.user_id for one in groups.members.list(made.id)] == [user["id"]]
    left = groups.members.remove(user["id"], rbac_group_id=made.id)
    assert left.type == "rbac_group_member_deleted"
    refused(404, groups.members.remove, user["id"], rbac_group_id=made.id)
    groups.members.add(made.id, user_id=user["id"])
    assert groups.delete(made.id).type == "rbac_group_deleted"
    refused(404, groups.retrieve, made.id)
    # Its members stay in the organization.
    assert organization.admin.organization.users.retrieve(user["id"])


def test_group_members_are_listed_the_oldest_first_page_by_page(organization: Organization) -> None:
    groups = organization.admin.organization.rbac_groups
    made = groups.create(name="x")
    users = [organization.user()["id"] for _ in range(5)]
    for user in users:
        groups.members.add(made.id, user_id=user)
    assert [one.user_id for one in groups.members.list(made.id, limit=2)] == users


def test_a_removed_user_leaves_its_groups(organization: Organization) -> None:
    groups, user = organization.admin.organization.rbac_groups, organization.user()
    made = groups.create(name="x")
    groups.members.add(made.id, user_id=user["id"])
    organization.admin.organization.users.remove(user["id"])
    assert list(groups.members.list(made.id)) == []


def test_the_built_in_roles_show_the_one_table(organization: Organization) -> None:
    roles = organization.admin.organization.rbac_roles
    listed = list(roles.list(limit=2))
    assert [one.id for one in listed] == [f"rbac_role_{name}" for name in ORGANIZATION]
    assert {one.source.type for one in listed} == {"built_in"}
    assert roles.retrieve("rbac_role_billing") == listed[4]
    granted = list(roles.permissions.list("rbac_role_billing", limit=2))
    assert [one.action for one in granted] == sorted(ORGANIZATION["billing"])
    organization_id = organization.admin.organization.retrieve().id
    assert {getattr(one.resource, "organization_id", None) for one in granted} == {organization_id}
    assert refused(404, roles.retrieve, "rbac_role_none") == "RBAC role not found"


def test_the_old_version_has_the_old_names_beside_the_new(organization: Organization) -> None:
    group = organization.admin.organization.rbac_groups.create(name="x")
    user = organization.user()
    organization.admin.organization.rbac_groups.members.add(group.id, user_id=user["id"])

    def only_old(path: str) -> set[str]:
        new = organization.call("GET", path).json()
        old = organization.call("GET", path, version=OLD_VERSION).json()
        new, old = (one["data"][0] if "data" in one else one for one in (new, old))
        assert new.items() <= old.items()
        return old.keys() - new.keys()

    assert only_old("/v1/organizations/rbac_roles/rbac_role_admin") == {"name"}
    assert only_old(f"/v1/organizations/rbac_groups/{group.id}") == {"roles"}
    assert only_old(f"/v1/organizations/rbac_groups/{group.id}/members") == {"group_id"}
