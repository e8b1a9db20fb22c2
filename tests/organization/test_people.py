from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import anthropic
import pytest

from installations import installation
from understudy.http.principal import Principal
from understudy.organization.people.invites import Invites
from understudy.organization.people.users import Users
from understudy.organization.roles import ORGANIZATION
from understudy.organization.service import Organizations
from understudy.organization.store import COMMAND_LINE, Store
from understudy.wire.errors import InvalidRequestError, NotFoundError

from .acting import Organization, refused, unique


def code_of(caught: pytest.ExceptionInfo[anthropic.APIStatusError]) -> str:
    body: Any = caught.value.body
    return str(body["error"]["details"]["error_code"])


# --- users ---


def test_users_are_read_listed_and_changed(organization: Organization) -> None:
    users = organization.admin.organization.users
    made = organization.user("developer")
    shown = users.retrieve(made["id"])
    assert (shown.email, shown.name, shown.role) == (made["email"], "Ann", "developer")
    assert abs(shown.added_at.timestamp() - time.time()) < 30
    assert users.update(made["id"], role="billing").role == "billing"
    assert [one.id for one in users.list(roles=["billing"], email=made["email"])] == [made["id"]]
    assert [one.id for one in users.list(roles=["user"], email=made["email"])] == []
    assert made["id"] in [one.id for one in users.list(limit=1)]


def test_users_are_found_by_variants_of_their_address(organization: Organization) -> None:
    made = organization.user()
    local, _, domain = made["email"].partition("@")
    for email in (f"{local}+hiring@{domain}", made["email"].upper()):
        assert [one.id for one in organization.admin.organization.users.list(email=email)] == [made["id"]]


def test_a_removed_user_is_gone_and_may_come_back(organization: Organization) -> None:
    users = organization.admin.organization.users
    made = organization.user()
    removed = users.remove(made["id"])
    assert (removed.id, removed.type) == (made["id"], "user_deleted")
    refused(404, users.retrieve, made["id"])
    refused(404, users.remove, made["id"])
    again = organization.ours("POST", "users", {"email": made["email"], "name": "Ann", "role": "user"})
    assert again["id"] != made["id"]


@pytest.mark.parametrize("role", ["admin", "owner", "primary_owner", "membership_admin"])
def test_abuse_11_the_admin_api_neither_gives_nor_takes_administrative_roles(
    organization: Organization, role: str
) -> None:
    path = f"/v1/organizations/users/{organization.user('user')['id']}"
    assert organization.call("POST", path, {"role": role}).status_code == 400
    administrator = organization.user(role)
    users = organization.admin.organization.users
    assert "cannot be changed through this API" in refused(400, users.update, administrator["id"], role="user")
    assert "cannot be removed through this API" in refused(400, users.remove, administrator["id"])


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_11_the_last_administrator_is_neither_demoted_nor_removed(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        owner = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["owner"])
        users = Users(Store(db))

        async def add(email: str, role: Any) -> str:
            return (await users.add(owner, COMMAND_LINE, {"email": email, "name": "x", "role": role}))["id"]

        first = await add("a@example.com", "primary_owner")
        with pytest.raises(InvalidRequestError, match="only member"):
            await users.remove(owner, COMMAND_LINE, first, administrators=True)
        await add("b@example.com", "developer")
        for change in (
            users.set_role(owner, COMMAND_LINE, first, "developer"),
            users.set_role(owner, COMMAND_LINE, first, "membership_admin"),
            users.remove(owner, COMMAND_LINE, first, administrators=True),
        ):
            with pytest.raises(InvalidRequestError, match="last administrator"):
                await change
        second = await add("c@example.com", "admin")
        assert (await users.set_role(owner, COMMAND_LINE, first, "developer"))["role"] == "developer"
        with pytest.raises(InvalidRequestError, match="last administrator"):
            await users.remove(owner, COMMAND_LINE, second, administrators=True)


# --- invites ---


def test_an_invite_lasts_three_weeks_and_is_listed_by_its_status(organization: Organization) -> None:
    invites = organization.admin.organization.invites
    email = f"{unique('invited')}@example.com"
    made = invites.create(email=email, role="developer")
    assert made.id.startswith("invite_")
    assert (made.email, made.role, made.status, made.accepted_at) == (email, "developer", "pending", None)
    assert made.expires_at - made.invited_at == timedelta(days=21)
    assert made.rbac_group_ids == []
    assert invites.retrieve(made.id) == made
    assert [one.id for one in invites.list(email=email, statuses=["pending"], roles=["developer"])] == [made.id]
    assert [one.id for one in invites.list(email=email, statuses=["accepted", "expired"])] == []
    deleted = invites.delete(made.id)
    assert (deleted.id, deleted.type) == (made.id, "invite_deleted")
    assert invites.retrieve(made.id).status == "deleted"
    assert [one.id for one in invites.list(email=email)] == []
    assert "This one is deleted" in refused(400, invites.delete, made.id)
    refused(404, invites.retrieve, "invite_none")


def test_who_is_invited_or_a_member_already_is_told_so_by_code(organization: Organization) -> None:
    invites = organization.admin.organization.invites
    email = f"{unique('invited')}@example.com"
    made = invites.create(email=email, role="user")
    with pytest.raises(anthropic.BadRequestError, match=made.id) as caught:
        invites.create(email=email.upper(), role="user")
    assert code_of(caught) == "invite_already_exists"
    assert type(caught.value).__name__ == "InviteAlreadyExistsError"
    invites.delete(made.id)
    invites.create(email=email, role="user")
    member = organization.user()
    with pytest.raises(anthropic.BadRequestError, match=member["id"]) as caught:
        invites.create(email=member["email"], role="user")
    assert code_of(caught) == "already_member"
    assert type(caught.value).__name__ == "AlreadyMemberError"


@pytest.mark.parametrize("email", ["", "x", "a@b", "a b@example.com", "a@example.com\r\nBcc: b@example.com", "@x.com"])
def test_an_address_that_is_none_is_refused(organization: Organization, email: str) -> None:
    message = refused(400, organization.admin.organization.invites.create, email=email, role="user")
    assert message.startswith("email: ")


def test_abuse_13_an_invites_token_works_once_and_only_while_it_is_pending(organization: Organization) -> None:
    invites = organization.admin.organization.invites
    group = organization.admin.organization.rbac_groups.create(name="Readers")
    email = f"{unique('invited')}@example.com"
    made = invites.create(email=email, role="developer", rbac_group_ids=[group.id])
    token = organization.ours("GET", f"invites/{made.id}/token")["token"]

    def accept(token: str) -> Any:
        return organization.http.post("/_understudy/invites/accept", json={"token": token, "name": "Zoë"})

    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    other = invites.create(email=f"{unique('invited')}@example.com", role="user")
    for bad in (wrong, "", made.id, f"{made.id}.", f"{made.id}.é", f"{other.id}.{token.partition('.')[2]}"):
        answer = accept(bad)
        assert (answer.status_code, "not valid" in answer.text) == (400, True)
    user = accept(token).json()
    assert (user["email"], user["name"], user["role"]) == (email, "Zoë", "developer")
    assert invites.retrieve(made.id).status == "accepted"
    assert [one.user_id for one in organization.admin.organization.rbac_groups.members.list(group.id)] == [user["id"]]
    assert accept(token).status_code == 400
    assert "This one is accepted" in refused(400, invites.delete, made.id)
    # One that was withdrawn.
    withdrawn = organization.ours("GET", f"invites/{other.id}/token")["token"]
    invites.delete(other.id)
    assert accept(withdrawn).status_code == 400


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_13_an_invite_is_accepted_for_21_days_and_not_a_moment_longer(tmp_path: Path) -> None:
    now = [1_000_000.0]
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        owner = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["owner"])
        invites = Invites(Store(db, lambda: now[0]), root)
        ids = [
            (await invites.create(owner, COMMAND_LINE, {"email": f"{name}@example.com", "role": "user"}))["id"]
            for name in "ab"
        ]
        tokens = [await invites.token(owner, one) for one in ids]
        now[0] += 21 * 86_400 - 1
        await invites.accept(COMMAND_LINE, tokens[0], "A")
        now[0] += 1
        with pytest.raises(InvalidRequestError, match="no longer"):
            await invites.accept(COMMAND_LINE, tokens[1], "B")
        assert (await invites.retrieve(owner, ids[1]))["status"] == "expired"
        with pytest.raises(InvalidRequestError, match="This one is expired"):
            await invites.delete(owner, COMMAND_LINE, ids[1])
        # An expired invite stands in nobody's way.
        await invites.create(owner, COMMAND_LINE, {"email": "b@example.com", "role": "user"})
        with pytest.raises(NotFoundError):
            await invites.token(owner, "invite_other")


# --- members of workspaces ---


def test_members_of_a_workspace_are_added_changed_and_removed(organization: Organization) -> None:
    members = organization.admin.organization.workspaces.members
    workspace, user = organization.workspace(), organization.user()
    made = members.add(workspace.id, user_id=user["id"], workspace_role="workspace_developer")
    assert (made.user_id, made.workspace_id) == (user["id"], workspace.id)
    assert members.retrieve(user["id"], workspace_id=workspace.id) == made
    assert [one.user_id for one in members.list(workspace.id)] == [user["id"]]
    assert "already a member" in refused(
        400, members.add, workspace.id, user_id=user["id"], workspace_role="workspace_user"
    )
    changed = members.update(user["id"], workspace_id=workspace.id, workspace_role="workspace_admin")
    assert changed.workspace_role == "workspace_admin"
    refused(400, members.update, user["id"], workspace_id=workspace.id, workspace_role="workspace_billing")
    removed = members.remove(user["id"], workspace_id=workspace.id)
    assert (removed.type, removed.user_id) == ("workspace_member_deleted", user["id"])
    refused(404, members.retrieve, user["id"], workspace_id=workspace.id)
    refused(404, members.add, workspace.id, user_id="user_none", workspace_role="workspace_user")
    refused(404, members.list, "wrkspc_none")


def test_who_is_in_every_workspace_by_a_role_of_the_organization_is_not_removed_from_one(
    organization: Organization,
) -> None:
    members = organization.admin.organization.workspaces.members
    workspace, user = organization.workspace(), organization.user("billing")
    members.add(workspace.id, user_id=user["id"], workspace_role="workspace_user")
    assert "role billing" in refused(400, members.remove, user["id"], workspace_id=workspace.id)


def test_members_are_listed_page_by_page(organization: Organization) -> None:
    members = organization.admin.organization.workspaces.members
    workspace = organization.workspace()
    users = [organization.user()["id"] for _ in range(5)]
    for user in users:
        members.add(workspace.id, user_id=user, workspace_role="workspace_user")
    assert [one.user_id for one in members.list(workspace.id, limit=2)] == users[::-1]
    last = members.list(workspace.id, before_id=users[0], limit=2)
    assert [one.user_id for one in last.data] == [users[2], users[1]]


SIGN_OUT = "admin-user-sign-out-2026-10-08"


def test_signing_somebody_out_changes_nothing_and_is_written_down(organization: Organization) -> None:
    somebody = organization.user()
    users = organization.admin.beta.organization.users
    answer = users.sign_out(somebody["id"], betas=[SIGN_OUT])
    assert (answer.id, answer.role) == (somebody["id"], "developer")
    entries = organization.ours("GET", f"audit_log?object_id={somebody['id']}&action=user_signed_out")["data"]
    assert len(entries) == 1
    assert refused(404, users.sign_out, "user_none", betas=[SIGN_OUT]) == "User not found"
    without = organization.call("POST", f"/v1/organizations/users/{somebody['id']}/sign_out")
    assert without.status_code == 400
    assert SIGN_OUT in without.json()["error"]["message"]


@pytest.mark.parametrize(
    ("role", "code"),
    [
        ("self", "cannot_sign_out_self"),
        ("primary_owner", "cannot_sign_out_primary_owner"),
        ("owner", "cannot_sign_out_owner"),
        ("admin", "cannot_sign_out_owner"),
        ("membership_admin", "cannot_sign_out_membership_admin"),
    ],
)
def test_who_cannot_be_signed_out_is_told_why(organization: Organization, role: str, code: str) -> None:
    me = organization.user("admin")
    mine = organization.sdk(organization.key(kind="personal", user_id=me["id"])["raw_key"])
    whom = me if role == "self" else organization.user(role)
    with pytest.raises(anthropic.APIStatusError) as caught:
        mine.beta.organization.users.sign_out(whom["id"], betas=[SIGN_OUT])
    # The SDK has a class for each.
    assert type(caught.value).__name__ == f"Beta{code.title().replace('_', '')}Error"
    if role not in {"self", "primary_owner"}:
        organization.admin.beta.organization.users.sign_out(whom["id"], betas=[SIGN_OUT])
