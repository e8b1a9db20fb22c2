"""Who sees and changes what in the Console: each route of ours, with each role."""

from __future__ import annotations

from typing import Any

import pytest

from .browser import CONSOLE, Browser
from .conftest import Console

ADMIN = "/_understudy/admin"
V1 = CONSOLE + "/v1"
ROLES = ("owner", "billing", "developer", "user")

# Route, body, and the roles that may. The bodies are wrong where a right one would change something: 400 and 404 are
# answered to those alone who may.
ROUTES: list[tuple[str, str, Any, set[str]]] = [
    ("GET", f"{ADMIN}/requests", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/requests.csv", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/request_summary?starting_at=2026-11-01T00:00:00Z", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/request_summary.csv?starting_at=2026-11-01T00:00:00Z", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/spend", None, {"owner", "billing"}),
    ("GET", f"{ADMIN}/credit", None, {"owner", "billing"}),
    ("POST", f"{ADMIN}/credit", {}, {"owner", "billing"}),
    ("GET", f"{ADMIN}/spend_alerts", None, {"owner", "billing"}),
    ("POST", f"{ADMIN}/spend_alerts", {}, {"owner", "billing"}),
    ("DELETE", f"{ADMIN}/spend_alerts/x", None, {"owner", "billing"}),
    ("GET", f"{ADMIN}/api_keys/x/budget", None, {"owner", "billing"}),
    ("POST", f"{ADMIN}/api_keys/x/budget", {}, {"owner", "billing"}),
    ("POST", f"{ADMIN}/spend_limit_increase_requests", {"user_id": "user_x"}, {"owner", "billing"}),
    ("GET", f"{ADMIN}/limits", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/limits/decisions", None, {"owner", "billing", "developer"}),
    ("POST", f"{ADMIN}/limits/tier", {}, {"owner"}),
    ("POST", f"{ADMIN}/limits/workspaces/x", {}, {"owner"}),
    ("POST", f"{ADMIN}/limits/api_keys/x", {}, {"owner"}),
    ("GET", f"{ADMIN}/audit_log", None, {"owner"}),
    ("POST", f"{ADMIN}/organization", {"name": "Example"}, {"owner"}),
    ("POST", f"{ADMIN}/users", {"email": "no", "name": "x", "role": "user"}, {"owner", "billing", "developer", "user"}),
    ("POST", f"{ADMIN}/users/user_x", {"role": "user"}, {"owner"}),
    ("DELETE", f"{ADMIN}/users/user_x", None, {"owner"}),
    ("GET", f"{ADMIN}/invites/x/token", None, {"owner"}),
    ("GET", f"{ADMIN}/engines", None, {"owner", "billing", "developer"}),
    ("GET", f"{ADMIN}/engines/none", None, {"owner", "billing", "developer"}),
    ("POST", f"{ADMIN}/engines", {}, {"owner"}),
    ("DELETE", f"{ADMIN}/engines/none", None, {"owner"}),
    ("GET", f"{ADMIN}/api_keys", None, {"owner", "billing", "developer", "user"}),
    ("GET", f"{V1}/organizations/users", None, {"owner"}),
    (
        "GET",
        f"{V1}/organizations/usage_report/messages?starting_at=2026-11-01T00:00:00Z",
        None,
        {"owner", "billing", "developer"},
    ),
    ("GET", f"{V1}/models", None, {"owner", "developer"}),
    ("GET", f"{V1}/files", None, {"owner", "developer"}),
    ("GET", f"{CONSOLE}/prompts", None, {"owner", "developer"}),
]


@pytest.fixture(scope="module")
def people(console: Console) -> dict[str, Browser]:
    return {"owner": console.owner, **{role: console.person(role) for role in ROLES[1:]}}


@pytest.mark.parametrize(("method", "path", "body", "may"), ROUTES)
def test_abuse_11_each_route_is_open_to_the_roles_that_it_is_for(
    people: dict[str, Browser], method: str, path: str, body: Any, may: set[str]
) -> None:
    statuses = {role: people[role].call(method, path, body).status_code for role in ROLES}
    assert {role for role, status in statuses.items() if status != 403} == may, statuses
    assert set(statuses.values()) <= {200, 400, 403, 404}, statuses


def test_a_developer_sees_keys_and_costs_of_own_workspaces_only(console: Console) -> None:
    person = console.person("developer")
    mine, theirs = console.workspace("mine", person), console.workspace("theirs")
    made = [
        console.owner.ours("POST", f"{ADMIN}/api_keys", {"name": name, "workspace_id": workspace})
        for name, workspace in (("mine", mine), ("theirs", theirs))
    ]
    headers = {"anthropic-workspace-id": mine}
    assert person.call("GET", f"{V1}/models", headers=headers).status_code == 200
    seen = {one["id"]: one for one in person.ours("GET", f"{ADMIN}/api_keys?limit=1000")["data"]}
    assert made[0]["id"] in seen
    assert made[1]["id"] not in seen
    assert not any(one["kind"] == "admin" for one in seen.values())
    assert seen[made[0]["id"]]["last_used_at"] is None
    assert "raw_key" not in seen[made[0]["id"]]
    everything = {one["id"] for one in console.owner.ours("GET", f"{ADMIN}/api_keys?limit=1000")["data"]}
    assert {one["id"] for one in made} <= everything


def test_an_admin_key_opens_what_a_session_opens(console: Console) -> None:
    with console.browser().http as http:
        headers = {"x-api-key": console.server.admin_key}
        for path in ("requests", "api_keys", "request_summary?starting_at=2026-11-01T00:00:00Z", "engines", "spend"):
            assert http.get(f"{ADMIN}/{path}", headers=headers).status_code == 200
        assert http.get(CONSOLE + "/prompts", headers=headers).status_code == 401


def test_whose_session_made_a_change_stands_in_the_audit_log(console: Console) -> None:
    made = console.owner.ours("POST", f"{ADMIN}/api_keys", {"name": "audited"})
    log = console.owner.ours("GET", f"{ADMIN}/audit_log?limit=10")["data"]
    (entry,) = [one for one in log if made["id"] in str(one)]
    assert console.owner.session["user"]["id"] in str(entry)
    assert "raw_key" not in str(entry)
