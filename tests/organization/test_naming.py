from __future__ import annotations

import pytest

from .acting import Organization

PATH = "/_understudy/admin/organization"
ME = "/v1/organizations/me"


def test_the_organization_is_renamed_and_the_audit_log_says_by_whom(organization: Organization) -> None:
    before = organization.call("GET", ME).json()
    renamed = organization.call("POST", PATH, {"name": "Far & Near"})
    assert (renamed.status_code, renamed.json()) == (200, {**before, "name": "Far & Near"})
    assert organization.call("GET", ME).json() == renamed.json()
    (entry, *_) = organization.ours("GET", f"audit_log?object_id={before['id']}")["data"]
    assert (entry["action"], entry["before"], entry["after"]) == ("organization_renamed", before, renamed.json())
    organization.call("POST", PATH, {"name": before["name"]})


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "a\u0000b"}, {"name": 5}, {"name": "x", "id": "y"}])
def test_a_name_that_is_none_is_refused(organization: Organization, body: object) -> None:
    answer = organization.call("POST", PATH, body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.parametrize(("role", "status"), [("developer", 403), ("billing", 403), ("admin", 200)])
def test_abuse_11_naming_takes_an_administrator(organization: Organization, role: str, status: int) -> None:
    user = organization.user(role)
    key = organization.key(kind="personal", user_id=user["id"])["raw_key"]
    assert organization.call("POST", PATH, {"name": "Default"}, key=key).status_code == status
