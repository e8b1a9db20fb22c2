"""How many of its objects an organization may have."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anthropic
import httpx
import pytest

from installations import installation
from servers import RunningServer, start_server
from understudy.http.principal import Principal
from understudy.organization.maxima import Maxima
from understudy.organization.people.invites import LIFETIME, Invites
from understudy.organization.roles import ORGANIZATION
from understudy.organization.service import Organizations
from understudy.organization.store import COMMAND_LINE, Store
from understudy.wire.errors import InvalidRequestError

from .acting import Organization, refused

BOUNDS = {
    "UNDERSTUDY_ORGANIZATION_MAX_WORKSPACES": "3",
    "UNDERSTUDY_ORGANIZATION_MAX_MEMBERS": "3",
    "UNDERSTUDY_ORGANIZATION_MAX_WORKSPACE_MEMBERS": "1",
    "UNDERSTUDY_ORGANIZATION_MAX_API_KEYS": "4",
    "UNDERSTUDY_ORGANIZATION_MAX_WORKSPACE_API_KEYS": "2",
}


@contextmanager
def seen(server: RunningServer) -> Generator[Organization]:
    admin = anthropic.Anthropic(api_key=server.admin_key, base_url=server.url, max_retries=0)
    with httpx.Client(base_url=server.url, trust_env=False, timeout=30) as client:
        yield Organization(server, admin, client)


@pytest.fixture(scope="module")
def bounded(tmp_path_factory: pytest.TempPathFactory) -> Generator[Organization]:
    server = start_server(tmp_path_factory.mktemp("bounded"), env=BOUNDS)
    with seen(server) as organization:
        yield organization
    assert server.stop() == 0


def error_of(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, (error.get("details") or {}).get("error_code", ""), error["message"]


def test_workspaces_and_their_members_are_bounded(bounded: Organization) -> None:
    first, _ = bounded.workspace(), bounded.workspace()
    assert refused(400, bounded.workspace) == "The organization already has 3 active workspaces, the maximum."
    for place, expected in ((0, 200), (1, 400)):
        member = {"user_id": bounded.user()["id"], "workspace_role": "workspace_user"}
        answer = bounded.call("POST", f"/v1/organizations/workspaces/{first.id}/members", member)
        assert answer.status_code == expected, place
    assert error_of(answer)[1:] == (
        "workspace_member_limit_exceeded",
        "The workspace has 1 members already. It may have 1.",
    )
    # Two members were made for it; a pending invite is the third.
    invited = bounded.call("POST", "/v1/organizations/invites", {"email": "a@example.com", "role": "user"})
    assert invited.status_code == 200
    for path, body in (
        ("/v1/organizations/invites", {"email": "b@example.com", "role": "user"}),
        ("/_understudy/admin/users", {"email": "b@example.com", "name": "B", "role": "user"}),
    ):
        assert error_of(bounded.call("POST", path, body)) == (
            400,
            "org_member_limit_exceeded",
            "The organization has 3 members and pending invites already. It may have 3.",
        )
    # Who was invited has a place.
    token = bounded.ours("GET", f"invites/{invited.json()['id']}/token")["token"]
    accepted = bounded.http.post("/_understudy/invites/accept", json={"token": token, "name": "A"})
    assert accepted.status_code == 200, accepted.text


def test_active_keys_are_bounded_and_those_that_are_not_make_room(bounded: Organization) -> None:
    # The server has made one in the default workspace.
    default = bounded.default_workspace
    second = bounded.key(workspace_id=default)
    answer = bounded.call("POST", "/_understudy/admin/api_keys", {"name": "k", "workspace_id": default})
    assert error_of(answer)[:2] == (400, "workspace_api_key_limit_exceeded")
    keys = bounded.admin.organization.api_keys
    keys.update(second["id"], status="inactive")
    third = bounded.key(workspace_id=default)
    with pytest.raises(anthropic.BadRequestError) as caught:
        keys.update(second["id"], status="active")
    assert type(caught.value).__name__ == "WorkspaceAPIKeyLimitExceededError"
    keys.update(third["id"], status="archived")
    assert keys.update(second["id"], status="active").status == "active"
    other = next(one.id for one in bounded.admin.organization.workspaces.list())
    for _ in range(2):
        bounded.key(workspace_id=other)
    answer = bounded.call("POST", "/_understudy/admin/api_keys", {"name": "k", "workspace_id": other})
    assert error_of(answer)[:2] == (400, "org_api_key_limit_exceeded")
    bounded.key(kind="admin")


async def test_an_invite_that_has_expired_takes_no_place(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, root):
        home = await Organizations(db, root).ensure_installation()
        admin = Principal(home.organization_id, None, None, "admin", permissions=ORGANIZATION["owner"])
        now = [1_000.0]
        invites = Invites(Store(db, lambda: now[0], Maxima(members=1)), root)
        await invites.create(admin, COMMAND_LINE, {"email": "a@example.com", "role": "user"})
        with pytest.raises(InvalidRequestError):
            await invites.create(admin, COMMAND_LINE, {"email": "b@example.com", "role": "user"})
        now[0] += LIFETIME + 1
        await invites.create(admin, COMMAND_LINE, {"email": "b@example.com", "role": "user"})


def test_creating_invites_has_a_limit_by_the_hour_instead_of_the_admin_api_s(tmp_path: Path) -> None:
    server = start_server(tmp_path, env={"UNDERSTUDY_LIMITS_MODE": "enforce"})
    with seen(server) as organization:
        wrong = {"email": "nobody", "role": "user"}
        statuses = [organization.call("POST", "/v1/organizations/invites", wrong).status_code for _ in range(120)]
        assert set(statuses) == {400}
        levels = organization.ours("GET", "limits")["levels"]
        (invites,) = [one for one in levels if (one["group"] or {}).get("type") == "invites"]
        assert (invites["limiter"], invites["limit"]) == ("requests_per_hour", 1_200)
        assert 1_080 <= invites["remaining"] <= 1_085
        (admin,) = [one for one in levels if (one["group"] or {}).get("type") == "admin"]
        assert admin["remaining"] == 100
    assert server.stop() == 0
