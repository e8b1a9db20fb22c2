"""The whole way of somebody new: from the printed link to an answer of the official SDK."""

from __future__ import annotations

import anthropic
from playwright.sync_api import Browser, expect

from servers import ServerStarter

from .acting import SONNET
from .site import NOBODY, PASSWORD, Site, first_link


def test_abuse_14_the_link_of_the_first_run_leads_to_a_key_that_the_sdk_uses(
    built: object, serve: ServerStarter, chromium: Browser
) -> None:
    """The link works once."""
    site = Site(serve(), chromium)
    link = first_link(site.server)
    with site.visit(who=NOBODY) as page:
        page.goto(link)
        page.get_by_label("Your name").fill("Grace Example")
        page.get_by_label("Email").fill("grace@example.com")
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Open the Console").click()
        page.get_by_role("navigation", name="Main").get_by_role("link", name="API keys").click()
        page.get_by_role("button", name="Create key").first.click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("Name", exact=True).fill("My first app")
        dialog.get_by_role("button", name="Create key").click()
        secret = page.get_by_role("dialog", name="Save your key").locator("code").first.inner_text()
        page.get_by_role("button", name="Done").click()
        row = page.get_by_role("row", name="My first app")
        expect(row).to_contain_text("Not yet")

        client = anthropic.Anthropic(api_key=secret, base_url=site.server.url)
        message = client.messages.create(
            model=SONNET, max_tokens=64, messages=[{"role": "user", "content": "Reply with exactly: it works"}]
        )
        assert message.content[0].to_dict()["text"] == "it works"

        page.reload()
        expect(row).not_to_contain_text("Not yet")
        expect(row).to_contain_text("now")
        page.get_by_role("navigation", name="Main").get_by_role("link", name="Logs").click()
        expect(page.get_by_role("row", name=SONNET)).to_contain_text("My first app")
    with site.visit(who=NOBODY) as page:
        page.goto(link)
        expect(page.get_by_text("This link was used already")).to_be_visible()
