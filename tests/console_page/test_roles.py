"""Who sees what: the navigation, the pages behind addresses, and what lists hold."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import anthropic
import pytest
from playwright.sync_api import Page, StorageState, expect

from .acting import SONNET
from .site import Site


@dataclass
class Theirs:
    """People who have a role in one workspace and are plain users otherwise; and what somebody else has."""

    developer: StorageState
    admin: StorageState
    workspace: str
    other_request: str
    other_batch: str


@pytest.fixture(scope="module")
def theirs(site: Site) -> Theirs:
    workspaces = {name: site.workspace(name) for name in ("Within", "Elsewhere")}
    people = {role: site.person("user", name=f"Uma {role}") for role in ("workspace_developer", "workspace_admin")}
    ids = {one["name"]: one["id"] for one in site.api("GET", "/v1/organizations/users?limit=100")["data"]}
    for role in people:
        member = {"user_id": ids[f"Uma {role}"], "workspace_role": role}
        site.api("POST", f"/v1/organizations/workspaces/{workspaces['Within']}/members", member)
    clients: dict[str, anthropic.Anthropic] = {}
    for name, workspace in workspaces.items():
        key = site.key(f"Key {name}", workspace_id=workspace)["raw_key"]
        clients[name] = anthropic.Anthropic(api_key=key, base_url=site.server.url)
    requests = {name: _ask(client) for name, client in clients.items()}
    batch = clients["Elsewhere"].messages.batches.create(
        requests=[{"custom_id": "theirs", "params": {"model": SONNET, "max_tokens": 8, "messages": _HELLO}}]
    )
    developer, admin = people.values()
    return Theirs(developer, admin, workspaces["Within"], requests["Elsewhere"], batch.id)


_HELLO: Any = [{"role": "user", "content": "Hello"}]


def _ask(client: anthropic.Anthropic) -> str:
    answer = client.messages.with_raw_response.create(model=SONNET, max_tokens=8, messages=_HELLO)
    return answer.headers["request-id"]


def _go(page: Page, site: Site, path: str) -> None:
    page.goto(f"{site.server.url}/console/#{path}")


def test_a_developer_sees_billing_neither_in_the_navigation_nor_by_its_address(site: Site) -> None:
    with site.visit("/cost", who=site.person("developer")) as page:
        main = page.get_by_role("navigation", name="Main")
        expect(main.get_by_role("link", name="Cost")).to_be_visible()
        expect(main.get_by_role("link", name="Billing")).to_have_count(0)
        _go(page, site, "/billing")
        expect(page.get_by_text("It needs the permission spend:read.")).to_be_visible()
        expect(page.get_by_text("Add credit")).to_have_count(0)
        for path in ("/_understudy/admin/credit", "/_understudy/admin/spend", "/_understudy/admin/spend_alerts"):
            assert _status(page, path) == 403, path


def test_a_billing_member_sees_billing_and_makes_no_keys(site: Site) -> None:
    with site.visit("/billing", who=site.person("billing")) as page:
        expect(page.get_by_role("heading", name="Billing", level=1)).to_be_visible()
        expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Billing")).to_be_visible()
        page.get_by_role("button", name="Add credit").first.click()
        page.get_by_role("dialog").get_by_label(re.compile("US dollars")).fill("12.50")
        page.get_by_role("dialog").get_by_role("button", name=re.compile("Add|Save")).last.click()
        expect(page.get_by_text("$12.50").first).to_be_visible()
        expect(page.get_by_role("navigation", name="Main").get_by_role("link", name="Workbench")).to_have_count(0)
        _go(page, site, "/keys")
        expect(page.get_by_role("button", name="Create key")).to_have_count(0)


def test_a_workspace_developer_sees_only_what_is_in_that_workspace(site: Site, theirs: Theirs) -> None:
    with site.visit("/workspaces", who=theirs.developer) as page:
        expect(page.get_by_role("link", name="Within")).to_be_visible()
        expect(page.get_by_text("Elsewhere")).to_have_count(0)
        _go(page, site, "/keys")
        expect(page.get_by_text("Key Within").first).to_be_visible()
        expect(page.get_by_text("Elsewhere")).to_have_count(0)
        _go(page, site, f"/batches/{theirs.other_batch}")
        expect(page.get_by_role("alert")).to_contain_text("req_")
        main = page.get_by_role("navigation", name="Main")
        for hidden in ("Billing", "Members", "Audit log", "Service accounts", "Logs"):
            expect(main.get_by_role("link", name=hidden)).to_have_count(0)
        assert _status(page, f"/_understudy/admin/requests?workspace_id={theirs.workspace}") == 403


def test_an_admin_of_a_workspace_sees_the_requests_of_that_workspace_alone(site: Site, theirs: Theirs) -> None:
    with site.visit("/logs", who=theirs.admin) as page:
        expect(page.get_by_role("row", name="Key Within")).to_have_count(1)
        expect(page.get_by_text("Elsewhere")).to_have_count(0)
        _go(page, site, f"/logs?request_id={theirs.other_request}")
        expect(page.get_by_role("alert").first).to_contain_text("req_", timeout=10_000)
        expect(page.get_by_text("Key Elsewhere")).to_have_count(0)
        for path in ("/usage", "/cost", "/"):
            _go(page, site, path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            expect(page.get_by_role("alert")).to_have_count(0)
        assert _status(page, "/_understudy/admin/requests") == 403


def _status(page: Page, path: str) -> int:
    """What the server itself says to this person."""
    return page.evaluate(
        "path => fetch(path, { headers: { 'anthropic-version': '2026-10-21' } }).then((r) => r.status)", path
    )
