"""API keys: made, used, stopped."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import anthropic
import pytest
from playwright.sync_api import Page, expect

from curl import path_with_curl
from servers import clean_environment

from .site import Site


def _menu(page: Page, name: str, item: str) -> None:
    page.get_by_role("button", name=f"Actions for {name}").click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def _say_hello(site: Site, key: str) -> str:
    client = anthropic.Anthropic(api_key=key, base_url=site.server.url, max_retries=0)
    message = client.messages.create(
        model="claude-sonnet-5-5", max_tokens=16, messages=[{"role": "user", "content": "Hello"}]
    )
    return message.type


def _expect_refusal(site: Site, key: str) -> None:
    """Within the second that a node may take to notice."""
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        try:
            _say_hello(site, key)
        except anthropic.AuthenticationError:
            return
        time.sleep(0.1)
    pytest.fail("the key still works")


def test_a_key_is_shown_once_works_with_the_sdk_and_is_stopped(site: Site) -> None:
    with site.visit("/keys") as page:
        page.get_by_role("button", name="Create key").click()
        page.get_by_label("Name", exact=True).fill("Checkout service")
        page.get_by_role("combobox", name="Expires").click()
        page.get_by_role("option", name="In 7 days").click()
        page.get_by_role("dialog").get_by_role("button", name="Create key").click()
        shown = page.get_by_role("dialog", name="Save your key")
        secret = shown.locator("code").first.inner_text()
        shown.get_by_role("button", name="Copy key").click()
        assert page.evaluate("navigator.clipboard.readText()") == secret
        shown.get_by_role("button", name="Done").click()

        row = page.get_by_role("row", name="Checkout service")
        expect(row).to_contain_text("in 7 days")
        expect(row).to_contain_text("Active")
        assert secret not in page.content(), "the secret stays on the page"

        assert _say_hello(site, secret) == "message"

        _menu(page, "Checkout service", "Disable")
        page.get_by_role("alertdialog").get_by_role("button", name="Disable").click()
        expect(row).to_contain_text("Disabled")
        _expect_refusal(site, secret)

        _menu(page, "Checkout service", "Enable")
        expect(row).to_contain_text("Active")
        assert _say_hello(site, secret) == "message"

        _menu(page, "Checkout service", "Archive")
        page.get_by_role("alertdialog").get_by_role("button", name="Archive").click()
        expect(row).to_be_hidden()
        page.get_by_text("All", exact=True).click()
        expect(row).to_contain_text("Archived")
        _expect_refusal(site, secret)


def test_what_a_refused_act_says_names_its_request(site: Site) -> None:
    made = site.key("Gone elsewhere")
    with site.visit("/keys") as page:
        expect(page.get_by_role("row", name="Gone elsewhere")).to_be_visible()
        site.api("POST", f"/v1/organizations/api_keys/{made['id']}", {"status": "archived"})
        _menu(page, "Gone elsewhere", "Rename")
        page.get_by_role("dialog").get_by_label("Name").fill("Other name")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("req_")


def test_a_budget_and_a_name_can_be_set(site: Site) -> None:
    site.key("Thrifty")
    with site.visit("/keys") as page:
        _menu(page, "Thrifty", "Monthly budget")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("US dollars a month").fill("twelve")
        expect(dialog.get_by_text("An amount such as 25 or 12.50.")).to_be_visible()
        dialog.get_by_label("US dollars a month").fill("12.50")
        dialog.get_by_role("button", name="Save").click()
        expect(page.get_by_text("The budget is saved.")).to_be_visible()
        _menu(page, "Thrifty", "Monthly budget")
        expect(dialog.get_by_label("US dollars a month")).to_have_value("12.50")
        page.keyboard.press("Escape")
        _menu(page, "Thrifty", "Rename")
        dialog.get_by_label("Name").fill("Thriftier")
        page.keyboard.press("Enter")
        expect(page.get_by_role("row", name="Thriftier")).to_be_visible()


@pytest.mark.parametrize("kind", ["Workspace key", "Personal key"])
def test_the_command_that_is_shown_with_a_new_key_works(site: Site, kind: str, tmp_path: Path) -> None:
    with site.visit("/keys?create=") as page:
        page.get_by_label("Name", exact=True).fill(f"Tried as {kind}")
        page.get_by_role("combobox", name="Kind").click()
        page.get_by_role("option", name=kind).click()
        page.get_by_role("dialog").get_by_role("button", name="Create key").click()
        command = page.get_by_role("dialog", name="Save your key").locator("pre").inner_text()
    environment = clean_environment({"PATH": path_with_curl(tmp_path)})
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=30, env=environment)
    assert json.loads(done.stdout)["type"] == "message", done.stdout
