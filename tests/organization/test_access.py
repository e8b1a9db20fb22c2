"""Which credential opens what."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx
import pytest

from installations import installation
from understudy.organization import clock as clock_module
from understudy.organization.attempts import FailedAttempts
from understudy.organization.authenticator import KeyAuthenticator
from understudy.organization.service import Organizations
from understudy.wire.errors import RateLimitError

from .acting import Organization

ORGANIZATION_PATHS = ("/v1/organizations/me", "/v1/organizations/api_keys", "/_understudy/admin/audit_log")


@pytest.mark.parametrize("path", ORGANIZATION_PATHS)
@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
def test_abuse_07_a_workspaces_key_is_none_for_the_organization(
    organization: Organization, path: str, header: str
) -> None:
    key = organization.server.api_key
    value = key if header == "x-api-key" else f"Bearer {key}"
    answer = organization.http.get(path, headers={header: value, "anthropic-version": "2026-10-21"})
    expected = "invalid x-api-key" if header == "x-api-key" else "API key is invalid."
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, expected)
    # As a key that there is not.
    stranger = organization.http.get(path, headers={header: value + "x", "anthropic-version": "2026-10-21"})
    assert stranger.json()["error"] == answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/messages"), ("POST", "/v1/messages/count_tokens"), ("GET", "/v1/models")]
)
def test_abuse_07_an_admin_key_is_none_for_inference(organization: Organization, method: str, path: str) -> None:
    answer = organization.call(method, path, {})
    assert (answer.status_code, answer.json()["error"]["message"]) == (401, "invalid x-api-key")


def test_the_organizations_routes_ignore_the_workspace_header_and_name_no_workspace(
    organization: Organization,
) -> None:
    answer = organization.call("GET", "/v1/organizations/me", headers={"anthropic-workspace-id": "wrkspc_any"})
    assert answer.status_code == 200
    assert answer.headers["anthropic-organization-id"] == answer.json()["id"]
    assert "anthropic-workspace-id" not in answer.headers


# --- keys of one workspace, and of more ---


def test_abuse_08_a_key_of_one_workspace_never_works_in_another(organization: Organization) -> None:
    mine, other = organization.workspace(), organization.workspace()
    key = organization.key(workspace_id=mine.id)["raw_key"]
    assert organization.talk(key, anthropic_workspace_id=mine.id).status_code == 200
    answers = [organization.talk(key, anthropic_workspace_id=one) for one in (other.id, "wrkspc_none", "", "default")]
    assert {(answer.status_code, answer.json()["error"]["message"]) for answer in answers} == {
        (403, "anthropic-workspace-id: this API key belongs to another workspace")
    }


def test_abuse_08_a_key_of_a_person_names_its_workspace_on_every_call(organization: Organization) -> None:
    mine, other = organization.workspace(), organization.workspace()
    user = organization.user("developer")
    members = organization.admin.organization.workspaces.members
    members.add(mine.id, user_id=user["id"], workspace_role="workspace_developer")
    key = organization.key(kind="personal", user_id=user["id"])["raw_key"]
    missing = organization.talk(key)
    assert missing.status_code == 400
    assert missing.json()["error"]["message"].startswith("anthropic-workspace-id: header is required")
    named = organization.talk(key, anthropic_workspace_id=mine.id)
    assert (named.status_code, named.headers["anthropic-workspace-id"]) == (200, mine.id)
    assert organization.talk(key, anthropic_workspace_id=organization.default_workspace).status_code == 200
    elsewhere = [organization.talk(key, anthropic_workspace_id=one) for one in (other.id, "wrkspc_none")]
    assert {(one.status_code, one.json()["error"]["message"]) for one in elsewhere} == {
        (403, "anthropic-workspace-id: this API key has no access to that workspace")
    }
    # The SDK sends the header when it is told the workspace.
    client = organization.sdk(key, default_headers={"anthropic-workspace-id": mine.id})
    assert client.models.list(limit=1).data


def test_a_key_of_a_person_for_one_workspace_needs_no_header(organization: Organization) -> None:
    workspace, user = organization.workspace(), organization.user("admin")
    key = organization.key(kind="personal", user_id=user["id"], workspace_id=workspace.id)["raw_key"]
    assert organization.talk(key).headers["anthropic-workspace-id"] == workspace.id
    # Bound to a workspace, it is no key for the organization, whatever its owner is.
    assert organization.call("GET", "/v1/organizations/me", key=key).status_code == 401


def test_a_member_who_may_not_develop_has_keys_that_open_nothing(organization: Organization) -> None:
    workspace, user = organization.workspace(), organization.user("user")
    members = organization.admin.organization.workspaces.members
    members.add(workspace.id, user_id=user["id"], workspace_role="workspace_user")
    bound = organization.key(kind="personal", user_id=user["id"], workspace_id=workspace.id)["raw_key"]
    assert organization.talk(bound).status_code == 401
    unbound = organization.key(kind="personal", user_id=user["id"])["raw_key"]
    assert organization.talk(unbound, anthropic_workspace_id=workspace.id).status_code == 403


def test_a_key_of_a_service_account_works_where_the_account_is(organization: Organization) -> None:
    accounts, workspace = organization.admin.organization.service_accounts, organization.workspace()
    account = accounts.create(name="worker-of-keys")
    key = organization.key(kind="service_account", service_account_id=account.id)
    assert key["principal"] == {"type": "service_account_actor", "service_account_id": account.id}
    secret = key["raw_key"]
    assert organization.talk(secret, anthropic_workspace_id=organization.default_workspace).status_code == 200
    assert organization.talk(secret, anthropic_workspace_id=workspace.id).status_code == 403
    accounts.workspaces.add(account.id, workspace_id=workspace.id, workspace_role="workspace_developer")
    assert becomes(200, lambda: organization.talk(secret, anthropic_workspace_id=workspace.id))
    accounts.archive(account.id)
    assert becomes(401, lambda: organization.talk(secret, anthropic_workspace_id=workspace.id))


# --- what is taken away is taken at once ---


def becomes(status: int, call: Callable[[], httpx.Response], within: float = 1.5) -> bool:
    begun = time.monotonic()
    while call().status_code != status:
        if time.monotonic() - begun > within:
            return False
        time.sleep(0.01)
    return True


def demote(organization: Organization, user: Any, key: Any, workspace: str) -> None:
    organization.admin.organization.users.update(user["id"], role="user")


def remove(organization: Organization, user: Any, key: Any, workspace: str) -> None:
    organization.admin.organization.users.remove(user["id"])


def disable(organization: Organization, user: Any, key: Any, workspace: str) -> None:
    organization.admin.organization.api_keys.update(key["id"], status="inactive")


def archive(organization: Organization, user: Any, key: Any, workspace: str) -> None:
    organization.admin.organization.api_keys.update(key["id"], status="archived")


@pytest.mark.parametrize(("taking", "status"), [(demote, 403), (remove, 401), (disable, 401), (archive, 401)])
def test_abuse_04_what_is_taken_is_taken_within_a_second_also_on_open_connections(
    organization: Organization, taking: Callable[..., None], status: int
) -> None:
    user, workspace = organization.user("developer"), organization.default_workspace
    key = organization.key(kind="personal", user_id=user["id"])
    with httpx.Client(base_url=organization.server.url, trust_env=False) as client:
        headers = {
            "x-api-key": key["raw_key"],
            "anthropic-version": "2026-10-21",
            "anthropic-workspace-id": workspace,
        }
        assert client.get("/v1/models", headers=headers).status_code == 200
        taking(organization, user, key, workspace)
        assert becomes(status, lambda: client.get("/v1/models", headers=headers))


def test_abuse_04_a_removed_owners_key_is_archived_for_ever_and_the_workspaces_keys_stay(
    organization: Organization,
) -> None:
    user, workspace = organization.user("admin"), organization.workspace()
    personal = organization.key(kind="personal", user_id=user["id"])
    made = organization.ours("POST", "api_keys", {"name": "x", "workspace_id": workspace.id}, key=personal["raw_key"])
    organization.ours("DELETE", f"users/{user['id']}")
    keys = organization.admin.organization.api_keys
    assert keys.retrieve(personal["id"]).status == "archived"
    assert keys.retrieve(made["id"]).status == "active"
    assert organization.talk(made["raw_key"]).status_code == 200
    with pytest.raises(anthropic.BadRequestError):
        keys.update(personal["id"], status="active")


# --- clocks ---


@pytest.mark.parametrize("skew", [-30.0, 30.0])
@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_05_servers_whose_clocks_differ_agree_when_a_key_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew: float
) -> None:
    real = time.time
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        brief = await organizations.create_key("brief", expires_at=real() + 0.5)
        long = await organizations.create_key("long", expires_at=real() + 20)
        # This server's own clock is wrong; the database's is what all share.
        monkeypatch.setattr(clock_module.time, "time", lambda: real() + skew)
        authenticator = KeyAuthenticator(db, root)
        await authenticator.start()
        try:
            assert abs(authenticator.clock() - real()) < 0.2
            assert await authenticator.authenticate(brief.secret) is not None
            time.sleep(0.6)
            assert await authenticator.authenticate(brief.secret) is None
            assert await authenticator.authenticate(long.secret) is not None
        finally:
            await authenticator.stop()


# --- guessing ---


@pytest.mark.each_database
@pytest.mark.usefixtures("database")
async def test_abuse_10_an_address_that_guesses_is_slowed_down_and_the_keys_holder_is_not(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        organizations = Organizations(db, root)
        key = await organizations.create_key("a")
        authenticator = KeyAuthenticator(db, root, FailedAttempts(burst=3, rate=0.5))
        await authenticator.start()
        try:
            for _ in range(3):
                assert await authenticator.authenticate("sk-understudy-api-guess", "192.0.2.1") is None
            with pytest.raises(RateLimitError) as caught:
                await authenticator.authenticate("sk-understudy-api-guess", "192.0.2.1")
            assert int(caught.value.headers["retry-after"]) >= 1
            # From the very same address, and for everybody elsewhere.
            assert await authenticator.authenticate(key.secret, "192.0.2.1") is not None
            assert await authenticator.authenticate("sk-understudy-api-guess", "192.0.2.2") is None
        finally:
            await authenticator.stop()


def test_abuse_10_failures_are_forgiven_with_time_and_ipv6_is_counted_by_its_network() -> None:
    now = [0.0]
    attempts = FailedAttempts(burst=2, rate=1.0, clock=lambda: now[0])
    for address in ("2001:db8::1", "2001:db8::2"):
        attempts.check(address)
        attempts.note(address)
    with pytest.raises(RateLimitError) as caught:
        attempts.check("2001:db8::3")
    attempts.check("2001:db8:0:1::1")
    now[0] += int(caught.value.headers["retry-after"])
    attempts.check("2001:db8::3")
    attempts.note("::ffff:192.0.2.1")
    attempts.note("192.0.2.1")
    with pytest.raises(RateLimitError):
        attempts.check("192.0.2.1")
    attempts.excuse("192.0.2.1")
    attempts.check("192.0.2.1")
    attempts.note("192.0.2.1")
    with pytest.raises(RateLimitError):
        attempts.check("192.0.2.1")


def test_abuse_10_remembering_failures_takes_no_more_memory_than_that() -> None:
    attempts = FailedAttempts()
    for number in range(20_000):
        attempts.note(f"10.{number // 65536}.{number // 256 % 256}.{number % 256}")
    assert len(attempts._failures) == 10_000
