from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError

from installations import installation, query
from understudy.http.principal import Principal
from understudy.organization.audit.service import AuditLog
from understudy.organization.roles import ORGANIZATION
from understudy.organization.service import Organizations
from understudy.organization.store import Actor, Store
from understudy.storage.database import FILE_NAME

from .acting import Organization, unique


def entries(organization: Organization, object_id: str) -> list[Any]:
    return organization.ours("GET", f"audit_log?object_id={object_id}")["data"]


def test_abuse_64_a_change_is_logged_with_who_whence_before_and_after(organization: Organization) -> None:
    user = organization.user("admin")
    key = organization.key(kind="personal", user_id=user["id"])
    path = "/v1/organizations/workspaces"
    made = organization.call("POST", path, {"name": "One"}, key=key["raw_key"])
    changed = organization.call(
        "POST",
        f"{path}/{made.json()['id']}",
        {"name": "Two"},
        key=key["raw_key"],
        headers={"user-agent": "curl/8 \x1b[31m".replace("\x1b", "")},
    )
    update, create = entries(organization, made.json()["id"])
    assert [update["action"], create["action"]] == ["workspace_updated", "workspace_created"]
    assert (create["before"], create["after"]) == (None, made.json())
    assert (update["before"], update["after"]) == (made.json(), changed.json())
    assert update["actor"] == {
        "type": "user",
        "id": user["id"],
        "api_key_id": key["id"],
        "address": "127.0.0.1",
        "user_agent": "curl/8 [31m",
    }
    assert update["request_id"] == changed.headers["request-id"]
    assert update["object"] == {"type": "workspace", "id": made.json()["id"]}
    assert update["id"].startswith("audit_")


def test_abuse_64_every_administrative_action_is_logged(organization: Organization) -> None:
    sdk = organization.admin.organization
    before = organization.ours("GET", "audit_log?limit=1")["first_id"]
    user, workspace = organization.user("user"), organization.workspace()
    sdk.users.update(user["id"], role="developer")
    sdk.workspaces.members.add(workspace.id, user_id=user["id"], workspace_role="workspace_user")
    sdk.workspaces.members.update(user["id"], workspace_id=workspace.id, workspace_role="workspace_admin")
    sdk.workspaces.members.remove(user["id"], workspace_id=workspace.id)
    sdk.invites.delete(sdk.invites.create(email=f"{unique('a')}@example.com", role="user").id)
    key = organization.key(workspace_id=workspace.id)
    sdk.api_keys.update(key["id"], status="inactive")
    account = sdk.service_accounts.create(name=unique("svc"))
    sdk.service_accounts.update(account.id, description="x")
    sdk.service_accounts.workspaces.add(account.id, workspace_id=workspace.id, workspace_role="workspace_user")
    sdk.service_accounts.workspaces.remove(workspace.id, service_account_id=account.id)
    sdk.service_accounts.archive(account.id)
    group = sdk.rbac_groups.create(name="g")
    sdk.rbac_groups.update(group.id, name="h")
    sdk.rbac_groups.members.add(group.id, user_id=user["id"])
    sdk.rbac_groups.members.remove(user["id"], rbac_group_id=group.id)
    sdk.rbac_groups.delete(group.id)
    sdk.workspaces.archive(workspace.id)
    sdk.users.remove(user["id"])
    newer = organization.ours("GET", f"audit_log?limit=1000&before_id={before}")["data"]
    assert [entry["action"] for entry in reversed(newer)] == [
        *("user_added", "workspace_created", "user_role_updated"),
        *("workspace_member_added", "workspace_member_updated", "workspace_member_removed"),
        *("invite_created", "invite_deleted", "api_key_created", "api_key_updated"),
        *("service_account_created", "service_account_updated", "service_account_added", "service_account_removed"),
        "service_account_archived",
        *("rbac_group_created", "rbac_group_updated", "rbac_group_member_added", "rbac_group_member_removed"),
        *("rbac_group_deleted", "workspace_archived", "user_removed"),
    ]
    assert all(entry["actor"]["type"] == "admin_key" for entry in newer)


def test_reading_and_what_is_refused_is_not_logged_and_changes_nothing(organization: Organization) -> None:
    before = organization.ours("GET", "audit_log?limit=1")["first_id"]
    organization.call("GET", "/v1/organizations/users")
    organization.call("POST", "/v1/organizations/workspaces", {"name": ""})
    organization.call("POST", "/v1/organizations/workspaces/wrkspc_none/archive")
    assert organization.ours("GET", "audit_log?limit=1")["first_id"] == before


@pytest.mark.parametrize("statement", ["UPDATE audit_log SET actor_id = 'x'", "DELETE FROM audit_log"])
@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_64_the_audit_log_is_append_only_for_whoever_holds_the_database(
    tmp_path: Path, statement: str
) -> None:
    async with installation(tmp_path) as (db, root):
        await Organizations(db, root).create_key("a")
        with pytest.raises(DBAPIError, match="append-only"):
            async with db.begin() as connection:
                await connection.exec_driver_sql(statement)
    if db.dialect == "sqlite":
        with sqlite3.connect(tmp_path / FILE_NAME) as other, pytest.raises(sqlite3.DatabaseError, match="append-only"):
            other.execute(statement)
    assert query(tmp_path, "SELECT action, actor_type FROM audit_log") == [("api_key_created", "command_line")]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
def test_abuse_64_no_route_writes_to_the_audit_log(organization: Organization, method: str) -> None:
    newest = organization.ours("GET", "audit_log?limit=1")["data"][0]
    for path in ("/_understudy/admin/audit_log", f"/_understudy/admin/audit_log/{newest['id']}"):
        assert organization.call(method, path, {}).status_code in (404, 405)
    assert organization.ours("GET", "audit_log?limit=1")["data"][0] == newest


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_64_times_in_the_audit_log_never_run_backwards(tmp_path: Path) -> None:
    now = [time.time()]
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        store = Store(db, lambda: now[0])
        for step in (0.0, -3_600.0, 7_200.0, -1.0):
            now[0] += step
            async with store.change(home.organization_id, Actor("system")) as change:
                await change.log("tested", "thing", "1")
        admin = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["admin"])
        page = await AuditLog(store).list(admin, {"action": "tested"})
        times = [entry["created_at"] for entry in reversed(page["data"])]
        assert times == sorted(times)
        assert len(times) == 4


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_a_change_that_fails_leaves_no_trace_in_the_audit_log(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        with pytest.raises(RuntimeError):
            async with Store(db).change(home.organization_id, Actor("system")) as change:
                await change.log("tested", "thing", "1")
                raise RuntimeError
    assert query(tmp_path, "SELECT count(*) FROM audit_log") == [(0,)]
