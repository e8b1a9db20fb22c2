"""Workspaces, members, service accounts, the audit log, and one's own settings."""

from __future__ import annotations

from playwright.sync_api import expect

from .site import NOBODY, PASSWORD, Site


def test_a_workspace_is_made_limited_and_archived(site: Site) -> None:
    with site.visit("/workspaces") as page:
        page.get_by_role("button", name="Create workspace").click()
        page.get_by_label("Name", exact=True).fill("Opening night")
        page.get_by_role("dialog").get_by_role("button", name="Create workspace").click()
        page.get_by_role("link", name="Opening night").click()
        expect(page.get_by_role("heading", name="Opening night", level=1)).to_be_visible()

        page.get_by_role("tab", name="Rate limits").click()
        page.get_by_role("button", name="Change limits of Claude Sonnet 5.5").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Requests per minute").fill("7")
        dialog.get_by_role("button", name="Save").click()
        row = page.get_by_role("row", name="Claude Sonnet 5.5")
        expect(row).to_contain_text("own limit")
        expect(row).to_contain_text("7")

        page.get_by_role("tab", name="Spend").click()
        page.get_by_label("US dollars a month").fill("20.5")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("$0.00 of $20.50")).to_be_visible()
        page.reload()
        expect(page.get_by_label("US dollars a month")).to_have_value("20.50")

        page.get_by_role("button", name="Archive").click()
        question = page.get_by_role("alertdialog")
        archive = question.get_by_role("button", name="Archive")
        expect(archive).to_be_disabled()
        question.get_by_label("Type Opening night to go on").fill("Opening night")
        archive.click()
        expect(page.get_by_role("heading", name="Workspaces", level=1)).to_be_visible()
        expect(page.get_by_role("link", name="Opening night")).to_be_hidden()


def test_a_person_is_added_to_a_workspace_and_sees_it(site: Site) -> None:
    workspace = site.workspace("Rehearsal")
    who = site.person("developer", name="Rosa Rehearsing")
    with site.visit(f"/workspaces/{workspace}?tab=members") as page:
        page.get_by_role("button", name="Add member").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("combobox", name="Member").fill("Rosa")
        page.get_by_role("option", name="Rosa Rehearsing").click()
        dialog.get_by_role("button", name="Add member").click()
        expect(page.get_by_role("row", name="Rosa Rehearsing")).to_contain_text("Workspace developer")
    with site.visit("/settings", who=who) as page:
        page.get_by_role("button", name="Switch workspace").click()
        page.get_by_role("menuitem", name="Rehearsal").click()
        expect(page.get_by_role("button", name="Switch workspace: Rehearsal")).to_be_visible()


def test_an_invite_is_a_link_that_somebody_joins_by_once(site: Site) -> None:
    with site.visit("/members") as page:
        page.get_by_role("button", name="Invite", exact=True).click()
        page.get_by_label("Email").fill("joining@example.com")
        page.get_by_role("button", name="Create invite").click()
        link = page.get_by_role("dialog").locator("pre").inner_text()
    with site.visit(who=NOBODY) as page:
        page.goto(link)
        page.get_by_label("Your name").fill("Joining Person")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Join", exact=True).click()
        expect(page.get_by_role("button", name="Account: Joining Person")).to_be_visible()
    with site.visit("/members") as page:
        row = page.get_by_role("row", name="Joining Person")
        expect(row).to_contain_text("Developer")
        row.get_by_role("combobox", name="Role").click()
        page.get_by_role("option", name="Billing").click()
        expect(page.get_by_text("Joining Person is now: Billing.")).to_be_visible()
    with site.visit(who=NOBODY) as page:
        page.goto(link)
        page.get_by_label("Your name").fill("Somebody else")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Join", exact=True).click()
        expect(page.get_by_text("This invite was used")).to_be_visible()


def test_a_developer_sees_neither_billing_nor_members(site: Site) -> None:
    with site.visit("/", who=site.person("developer")) as page:
        main = page.get_by_role("navigation", name="Main")
        expect(main.get_by_role("link", name="API keys")).to_be_visible()
        for hidden in ("Billing", "Members", "Audit log", "Service accounts"):
            expect(main.get_by_role("link", name=hidden)).to_be_hidden()
        for path, permission in (("/billing", "spend:read"), ("/members", "members:read"), ("/audit", "audit:read")):
            page.goto(f"{site.server.url}/console/#{path}")
            expect(page.get_by_text(f"It needs the permission {permission}.")).to_be_visible()


def test_a_service_account_is_made_with_a_key(site: Site) -> None:
    with site.visit("/service-accounts") as page:
        page.get_by_role("button", name="Create service account").first.click()
        page.get_by_label("Name", exact=True).fill("Not Allowed")
        expect(page.get_by_text("Only a–z, 0–9 and hyphens.")).to_be_visible()
        page.get_by_label("Name", exact=True).fill("deploy-bot")
        page.get_by_role("dialog").get_by_role("button", name="Create").click()
        page.get_by_role("button", name="Actions for deploy-bot").click()
        page.get_by_role("menuitem", name="Create key").click()
        expect(page.get_by_role("dialog", name="Save the key of deploy-bot")).to_contain_text("sk-understudy-api-")


def test_the_audit_log_is_filtered_and_an_entry_opened(site: Site) -> None:
    made = site.key("Noted key")
    with site.visit(f"/audit?object_id={made['id']}") as page:
        page.get_by_role("button", name="api_key_created").click()
        opened = page.get_by_role("dialog", name="api_key_created")
        expect(opened).to_contain_text("Noted key")
        expect(opened).to_contain_text("req_")
        expect(opened).not_to_contain_text(made["raw_key"])
        page.keyboard.press("Escape")
        page.get_by_role("searchbox", name="Action").fill("workspace_archived")
        expect(page.get_by_text("No entry matches")).to_be_visible()
        page.get_by_role("button", name="Clear filters").first.click()
        expect(page.get_by_role("row").nth(1)).to_be_visible()


def test_a_changed_password_ends_the_other_sessions(site: Site) -> None:
    who = site.person("developer")
    with site.visit("/settings", who=who) as page:
        page.get_by_label("Current password", exact=True).fill("not the right one")
        page.get_by_label("New password", exact=True).fill("another horse battery")
        page.get_by_label("New password again", exact=True).fill("another horse")
        expect(page.get_by_text("The two are not the same.")).to_be_visible()
        page.get_by_label("New password again", exact=True).fill("another horse battery")
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text("The current password is not right.")).to_be_visible()
        page.get_by_label("Current password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text("Your password is changed.")).to_be_visible()


def test_the_organization_is_renamed(site: Site) -> None:
    with site.visit("/settings") as page:
        page.get_by_role("button", name="Rename the organization").click()
        dialog = page.get_by_role("dialog", name="Rename the organization")
        dialog.get_by_label("Name").fill("Far & Near Travel")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The organization has its new name.")).to_be_visible()
        # Beside the workspace and on the page.
        expect(page.get_by_text("Far & Near Travel", exact=True)).to_have_count(2)
        page.reload()
        expect(page.get_by_text("Far & Near Travel", exact=True)).to_have_count(2)
