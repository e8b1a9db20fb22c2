"""Usage, cost and the dashboard say what was used, by whatever name."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from .acting import SONNET, select
from .site import Site


@pytest.fixture(scope="module")
def twins(site: Site) -> None:
    """Two keys of one name, which names may be, and requests of both that stand out among those of other tests."""
    body = {"model": SONNET, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello " * 20_000}]}
    for _ in range(2):
        key = site.key("Twin")["raw_key"]
        site.api("POST", "/v1/messages", body, key=key)


@pytest.mark.parametrize("path", ["/usage", "/cost"])
def test_keys_of_one_name_are_two(site: Site, twins: None, path: str) -> None:
    with site.visit(f"{path}?by=api_key_id") as page:
        expect(page.get_by_role("table").get_by_role("row", name="Twin")).to_have_count(2)
        expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)
        expect(page.get_by_role("listitem").filter(has_text=re.compile("^Twin$"))).not_to_have_count(0)


def test_a_reload_keeps_what_a_report_is_about(site: Site, twins: None) -> None:
    with site.visit("/usage") as page:
        select(page, "Grouped by", "By API key")
        page.get_by_role("radiogroup", name="Time", exact=True).get_by_text("Hour", exact=True).click()
        expect(page.get_by_role("row", name="Twin")).to_have_count(2)
        page.reload()
        expect(page.get_by_role("row", name="Twin")).to_have_count(2)
        expect(page.get_by_role("radio", name="Hour", exact=True)).to_be_checked()
