"""/_understudy/admin/limits over a socket, on a server that observes."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from .acting import Organization

MODEL = "claude-opus-5-5"


def limit_requests(organization: Organization, workspace_id: str, value: int, model: str = MODEL) -> None:
    (entry,) = organization.admin.organization.rate_limits.list(model=model).data
    organization.admin.organization.workspaces.rate_limits.update(
        entry.id, workspace_id=workspace_id, limits=[{"type": "requests_per_minute", "value": value}]
    )


def levels(organization: Organization, **wanted: str) -> list[Any]:
    found = organization.ours("GET", "limits")["levels"]
    return [each for each in found if all(each[name] == value for name, value in wanted.items())]


def decisions(organization: Organization, query: str, count: int) -> list[Any]:
    """Rows are written a moment after the answer."""
    deadline = time.monotonic() + 10
    while True:
        found = organization.ours("GET", f"limits/decisions?{query}")["data"]
        if len(found) >= count or time.monotonic() > deadline:
            return found
        time.sleep(0.05)


def test_every_bucket_is_shown_as_it_is(organization: Organization) -> None:
    workspace = organization.workspace()
    key = organization.key(workspace_id=workspace.id)
    limit_requests(organization, workspace.id, 7)
    organization.ours("POST", f"limits/api_keys/{key['id']}", {"requests_per_day": 90})
    for _ in range(3):
        assert organization.talk(key["raw_key"]).status_code == 200
    shown = organization.ours("GET", "limits")
    assert (shown["mode"], shown["tier"]["name"]) == ("observe", "start")
    assert re.fullmatch(r"\d+\.\d{9}", shown["spent"]), "decimal text has no exponent"
    groups = {each["group"]["type"] for each in shown["levels"] if each["group"] is not None}
    assert groups >= {"model_group", "token_count", "files", "skills", "batch", "models", "admin"}
    (own,) = levels(organization, scope="workspace", id=workspace.id)
    assert (own["group"]["display_name"], own["limiter"], own["limit"]) == (
        "Claude Opus 5.5",
        "requests_per_minute",
        7,
    )
    assert own["remaining"] in {4, 5}
    assert 0 < own["full_in"] <= 60 * 3 / 7
    (budget,) = levels(organization, scope="api_key", id=key["id"])
    assert (budget["group"], budget["limiter"], budget["remaining"]) == (None, "requests_per_day", 87)
    (requests,) = [
        each
        for each in levels(organization, scope="organization", limiter="requests_per_minute")
        if each["group"]["display_name"] == "Claude Opus 5.5"
    ]
    assert (requests["limit"], requests["id"]) == (
        1_000,
        organization.talk(key["raw_key"]).headers["anthropic-organization-id"],
    )


def test_the_tier_is_set_and_in_force_at_once(organization: Organization) -> None:
    try:
        assert organization.ours("POST", "limits/tier", {"tier": "build"})["name"] == "build"
        assert organization.ours("GET", "limits")["tier"]["name"] == "build"
        answer = organization.talk(organization.server.api_key)
        assert answer.headers["anthropic-ratelimit-requests-limit"] == "5000"
    finally:
        organization.ours("POST", "limits/tier", {"tier": "start"})
    newest = organization.ours("GET", "audit_log?action=organization_tier_set")["data"][0]
    assert (newest["before"], newest["after"]) == ({"name": "build"}, {"name": "start"})
    for tier in ("tier_1", "", 3):
        assert organization.call("POST", "/_understudy/admin/limits/tier", {"tier": tier}).status_code == 400
    # Null is the one that spending has reached.
    assert organization.ours("POST", "limits/tier", {"tier": None})["name"] == "start"
    newest = organization.ours("GET", "audit_log?action=organization_tier_set")["data"][0]
    assert newest["after"] == {"name": None}


def test_a_workspace_s_limits_are_enforced_while_all_others_are_observed(organization: Organization) -> None:
    strict, other = organization.workspace(), organization.workspace()
    keys = [organization.key(workspace_id=each.id)["raw_key"] for each in (strict, other)]
    for each in (strict, other):
        limit_requests(organization, each.id, 1)
    made = organization.ours("POST", f"limits/workspaces/{strict.id}", {"mode": "enforce"})
    assert (made["mode"], made["mode_in_force"]) == ("enforce", "enforce")
    assert organization.ours("GET", "limits")["workspace_modes"][strict.id] == "enforce"
    answers = [[organization.talk(key) for _ in range(2)] for key in keys]
    assert [[answer.status_code for answer in each] for each in answers] == [[200, 429], [200, 200]]

    # Why, of both: the one that was refused, and the one that would have been.
    (refused,) = decisions(organization, f"workspace_id={strict.id}", 1)
    (observed,) = decisions(organization, f"request_id={answers[1][1].headers['request-id']}", 1)
    assert (refused["request_id"], refused["status"]) == (answers[0][1].headers["request-id"], 429)
    assert [(each["workspace_id"], each["refused"]) for each in (refused, observed)] == [
        (strict.id, True),
        (other.id, False),
    ]
    (row,) = organization.ours("GET", f"requests?request_id={refused['request_id']}")["data"]
    assert row["limit_exceeded"] == "workspace/requests_per_minute 0/1"
    for each in (refused, observed):
        assert (each["scope"], each["limiter"], each["limit"]) == ("workspace", "requests_per_minute", 1)
        assert each["remaining"] <= 0

    back = organization.ours("POST", f"limits/workspaces/{strict.id}", {"mode": None})
    assert (back["mode"], back["mode_in_force"]) == (None, "observe")
    assert organization.talk(keys[0]).status_code == 200
    logged = organization.ours("GET", f"audit_log?object_id={strict.id}&action=workspace_limit_mode_set")["data"]
    assert [each["after"] for each in logged] == [{"mode": None}, {"mode": "enforce"}]


def test_a_key_has_a_budget_of_its_own(organization: Organization) -> None:
    workspace = organization.workspace()
    organization.ours("POST", f"limits/workspaces/{workspace.id}", {"mode": "enforce"})
    key, other = (organization.key(workspace_id=workspace.id) for _ in range(2))
    path = f"limits/api_keys/{key['id']}"
    set_ = organization.ours("POST", path, {"requests_per_minute": 1})
    assert set_ == organization.ours("GET", path)
    assert (set_["requests_per_minute"], set_["tokens_per_day"]) == (1, None)
    assert set_["in_force"]["requests_per_minute"] == 1
    assert [organization.talk(key["raw_key"]).status_code for _ in range(2)] == [200, 429]
    assert organization.talk(other["raw_key"]).status_code == 200
    (why,) = decisions(organization, f"api_key_id={key['id']}", 1)
    assert (why["scope"], why["limiter"], why["limit"]) == ("api_key", "requests_per_minute", 1)
    assert organization.ours("POST", path, {})["requests_per_minute"] is None
    assert organization.talk(key["raw_key"]).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("workspaces/wrkspc_01none", {"mode": "enforce"}, 404),
        ("workspaces/wrkspc_01none", {"mode": "off"}, 400),
        ("workspaces/wrkspc_01none", {}, 400),
        ("api_keys/apikey_01none", {"requests_per_minute": 1}, 404),
        ("api_keys/apikey_01none", {"requests_per_minute": -1}, 400),
        ("api_keys/apikey_01none", {"requests_per_minute": "1"}, 400),
        ("api_keys/apikey_01none", {"requests_per_hour": 1}, 400),
        ("decisions?since=yesterday", None, 400),
        ("decisions?page=page_x", None, 400),
    ],
)
def test_what_cannot_be_is_refused(organization: Organization, path: str, body: Any, status: int) -> None:
    method = "GET" if body is None else "POST"
    assert organization.call(method, f"/_understudy/admin/limits/{path}", body).status_code == status


def test_only_who_may_sees_and_sets_limits(organization: Organization) -> None:
    workspace = organization.workspace()

    def answers(key: str | None) -> list[int]:
        calls: list[tuple[str, str, Any]] = [
            ("GET", "limits", None),
            ("GET", "limits/decisions", None),
            ("POST", f"limits/workspaces/{workspace.id}", {"mode": None}),
            ("POST", "limits/tier", {"tier": "start"}),
        ]
        return [
            organization.call(method, f"/_understudy/admin/{path}", body, key=key).status_code
            for method, path, body in calls
        ]

    def personal(role: str, workspace_role: Any = None) -> str:
        person = organization.user(role)
        if workspace_role is not None:
            organization.admin.organization.workspaces.members.add(
                workspace.id, user_id=person["id"], workspace_role=workspace_role
            )
        return str(organization.key(kind="personal", user_id=person["id"])["raw_key"])

    assert answers(None) == [200] * 4
    assert answers(personal("developer", "workspace_admin")) == [200, 200, 403, 403]
    assert answers(personal("user")) == [403] * 4
    assert answers(organization.server.api_key) == [401] * 4
