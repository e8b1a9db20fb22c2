from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .acting import OLD_VERSION, Organization, refused, unique
from .scanning import is_well_formed


def test_a_key_is_made_shown_renamed_disabled_and_archived(organization: Organization) -> None:
    keys = organization.admin.organization.api_keys
    name = unique("key")
    made = organization.key(name=name)
    assert made["raw_key"].startswith("sk-understudy-api-")
    assert is_well_formed(made["raw_key"])
    shown = keys.retrieve(made["id"])
    assert (shown.name, shown.status, shown.expires_at, shown.principal) == (name, "active", None, None)
    assert shown.partial_key_hint == f"{made['raw_key'][:21]}...{made['raw_key'][-4:]}"
    assert shown.scope.type == "workspace"
    assert shown.scope.workspace_id == organization.default_workspace
    assert keys.update(made["id"], name="Renamed").name == "Renamed"
    assert keys.update(made["id"], status="inactive").status == "inactive"
    assert eventually(organization, made["raw_key"], 401)
    assert keys.update(made["id"], status="active").status == "active"
    assert eventually(organization, made["raw_key"], 200)
    assert keys.update(made["id"], status="archived").status == "archived"
    assert eventually(organization, made["raw_key"], 401)
    assert "cannot be changed" in refused(400, keys.update, made["id"], status="active")
    assert "cannot be changed" in refused(400, keys.update, made["id"], name="again")
    assert keys.update(made["id"], status="archived").status == "archived"
    assert keys.update(made["id"], name=None, status=None).status == "archived"


def eventually(organization: Organization, key: str, status: int) -> bool:
    """Whether `key` is answered so within a second."""
    begun = time.monotonic()
    while organization.talk(key).status_code != status:
        if time.monotonic() - begun > 1.5:
            return False
        time.sleep(0.01)
    return True


def test_abuse_11_who_has_left_a_workspace_cannot_enable_a_key_that_was_made_there(organization: Organization) -> None:
    workspace, user = organization.workspace().id, organization.user("developer")["id"]
    members = organization.admin.organization.workspaces.members
    members.add(workspace, user_id=user, workspace_role="workspace_developer")
    own = organization.key(kind="personal", user_id=user)["raw_key"]
    made = organization.ours("POST", "api_keys", {"name": unique("key"), "workspace_id": workspace}, key=own)
    path = f"/v1/organizations/api_keys/{made['id']}"
    for status in ("inactive", "active"):
        assert organization.call("POST", path, {"status": status}, key=own).status_code == 200
    members.remove(user, workspace_id=workspace)
    organization.admin.organization.api_keys.update(made["id"], status="inactive")
    time.sleep(0.6)
    assert organization.call("POST", path, {"status": "active"}, key=own).status_code == 403
    assert organization.talk(made["raw_key"]).status_code == 401
    assert organization.call("POST", path, {"status": "archived"}, key=own).status_code == 200


def test_abuse_02_a_secret_is_in_the_answer_that_made_the_key_and_in_no_other(organization: Organization) -> None:
    made = organization.key()
    for version in (OLD_VERSION, "2026-10-21"):
        for path in (f"/v1/organizations/api_keys/{made['id']}", "/v1/organizations/api_keys?limit=1000"):
            text = organization.call("GET", path, version=version).text
            assert made["partial_key_hint"] in text
            assert made["raw_key"] not in text
            assert made["raw_key"][21:-4] not in text
    assert made["raw_key"][21:-4] not in str(organization.ours("GET", "audit_log?limit=1000"))


def test_each_version_says_where_a_key_belongs_in_its_own_way(organization: Organization) -> None:
    workspace, user = organization.workspace(), organization.user("admin")
    in_default, in_other = organization.key(), organization.key(workspace_id=workspace.id)
    unbound = organization.key(kind="personal", user_id=user["id"])

    def shown(key: Any, version: str) -> Any:
        return organization.call("GET", f"/v1/organizations/api_keys/{key['id']}", version=version).json()

    new = [shown(key, "2026-10-21") for key in (in_default, in_other, unbound)]
    assert [one["scope"] for one in new] == [
        {"type": "workspace", "workspace_id": organization.default_workspace},
        {"type": "workspace", "workspace_id": workspace.id},
        {"type": "organization"},
    ]
    assert all("workspace_id" not in one for one in new)
    old = [shown(key, OLD_VERSION) for key in (in_default, in_other, unbound)]
    assert [one["workspace_id"] for one in old] == [None, workspace.id, None]
    assert all("scope" not in one for one in old)
    assert new[2]["principal"] == {"type": "user_actor", "user_id": user["id"]}


def test_keys_are_listed_by_workspace_status_and_who_made_them(organization: Organization) -> None:
    keys = organization.admin.organization.api_keys
    workspace, user = organization.workspace(), organization.user("admin")
    own = organization.key(kind="personal", user_id=user["id"])["raw_key"]
    body = {"name": "x", "workspace_id": workspace.id}
    by_user = organization.ours("POST", "api_keys", body, key=own)
    by_admin = organization.key(workspace_id=workspace.id)
    assert by_user["created_by"] == {"id": user["id"], "type": "user"}
    assert by_admin["created_by"] is None
    assert [one.id for one in keys.list(workspace_id=workspace.id)] == [by_admin["id"], by_user["id"]]
    assert [one.id for one in keys.list(created_by_user_id=user["id"])] == [by_user["id"]]
    keys.update(by_user["id"], status="inactive")
    keys.update(by_admin["id"], status="archived")
    by_status = {
        status: [one.id for one in keys.list(workspace_id=workspace.id, status=status)]
        for status in ("active", "inactive", "archived", "expired")
    }
    assert by_status == {"active": [], "inactive": [by_user["id"]], "archived": [by_admin["id"]], "expired": []}
    assert keys.list(workspace_id=workspace.id, limit=1).has_more is True
    # The SDK writes None as an empty text.
    assert keys.list(status=None, workspace_id=None, created_by_user_id=None, limit=1).data
    # The newest keys of all, without admin keys among them.
    admin_key = organization.key(kind="admin")
    assert admin_key["id"] not in [one.id for one in keys.list(limit=1000)]
    refused(404, keys.retrieve, admin_key["id"])
    refused(404, keys.update, admin_key["id"], status="archived")


@pytest.mark.parametrize(
    ("preset", "lifetime"),
    [
        ("3h", timedelta(hours=3)),
        ("1d", timedelta(days=1)),
        ("7d", timedelta(days=7)),
        ("30d", timedelta(days=30)),
        ("never", None),
    ],
)
def test_a_key_lives_as_long_as_its_preset_says(
    organization: Organization, preset: str, lifetime: timedelta | None
) -> None:
    made = organization.key(expires_in=preset)
    shown = organization.admin.organization.api_keys.retrieve(made["id"])
    if lifetime is None:
        assert shown.expires_at is None
    else:
        assert shown.expires_at is not None
        assert abs(shown.expires_at - shown.created_at - lifetime) < timedelta(milliseconds=1)


def test_abuse_05_an_expired_key_is_refused_and_can_only_be_archived(organization: Organization) -> None:
    keys = organization.admin.organization.api_keys
    soon = datetime.now(UTC) + timedelta(seconds=0.7)
    made = organization.key(expires_at=soon.isoformat())
    assert organization.talk(made["raw_key"]).status_code == 200
    time.sleep(max(0.0, soon.timestamp() - time.time()) + 0.01)
    assert organization.talk(made["raw_key"]).status_code == 401
    assert keys.retrieve(made["id"]).status == "expired"
    assert made["id"] in [one.id for one in keys.list(status="expired")]
    assert made["id"] not in [one.id for one in keys.list(status="active", limit=1000)]
    for status in ("active", "inactive"):
        assert "can only be archived" in refused(400, keys.update, made["id"], status=status)
    assert keys.update(made["id"], status="archived").status == "archived"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at: must be in the future"),
        ({"expires_at": "soon"}, "expires_at: must be an RFC 3339 time"),
        ({"expires_at": "2099-01-01T00:00:00Z", "expires_in": "3h"}, "expires_at: not together with expires_in"),
        ({"expires_in": "2h"}, "expires_in: Input should be"),
        ({"kind": "root"}, "kind: Input should be"),
        ({"kind": "personal"}, "user_id: Field required"),
        ({"kind": "service_account"}, "service_account_id: Field required"),
        ({"workspace_id": "wrkspc_none"}, "workspace_id: workspace not found"),
        ({"name": "a\nb"}, "name: must be printable characters"),
    ],
)
def test_a_key_that_cannot_be_is_refused(organization: Organization, body: Any, message: str) -> None:
    answer = organization.call("POST", "/_understudy/admin/api_keys", {"name": "x", **body})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(message)


@pytest.mark.parametrize(
    "body", [{"status": "expired"}, {"status": "deleted"}, {"expires_at": None}, {"name": ""}, {"status": 1}, {"x": 1}]
)
def test_a_keys_status_is_one_of_three_and_its_expiry_is_fixed(organization: Organization, body: Any) -> None:
    made = organization.key()
    path = f"/v1/organizations/api_keys/{made['id']}"
    assert organization.call("POST", path, body).status_code == 400
    assert organization.call("GET", path).json()["status"] == "active"


def test_the_admin_api_makes_no_keys(organization: Organization) -> None:
    # Observed of the real service: 405.
    assert organization.call("POST", "/v1/organizations/api_keys", {"name": "x"}).status_code == 405
