"""Usage, cost and the dashboard say what was used, by whatever name."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect

from .acting import SONNET, figure, select
from .site import Site


@pytest.fixture(scope="module")
def twins(site: Site) -> None:
    """Two keys of one name, which names may be, and requests of both that stand out among those of other tests."""
    body = {"model": SONNET, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello " * 20_000}]}
    for _ in range(2):
        key = site.key("Twin")["raw_key"]
        site.api("POST", "/v1/messages", body, key=key)


def written(site: Site, requests: int) -> None:
    """Until so many are in the sums, which are written a moment after the answer."""
    asked = f"starting_at={datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M:%SZ}"
    until = time.monotonic() + 10
    while True:
        days = site.api("GET", f"/_understudy/admin/request_summary?{asked}")["data"]
        if sum(one["requests"] for day in days for one in day["results"]) == requests:
            return
        assert time.monotonic() < until, days
        time.sleep(0.05)


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


def test_the_dashboard_draws_the_largest_groups_and_one_of_all_others(site: Site, twins: None) -> None:
    for number in range(9):
        key = site.key(f"Many {number}")["raw_key"]
        body = {
            "model": SONNET,
            "max_tokens": 8,
            "messages": [{"role": "user", "content": "Hello " * 10 * number + "."}],
        }
        site.api("POST", "/v1/messages", body, key=key)
    written(site, 11)
    with site.visit("/?by=api_key_id") as page:
        expect(figure(page.get_by_role("main"), "Requests")).to_have_text("11")
        for label in ("Requests", "Cost"):
            chart = page.locator("figure").filter(has=page.get_by_role("img", name=label, exact=True))
            names = chart.get_by_role("listitem")
            expect(names).to_have_count(8)
            expect(names.first).to_have_text("Twin")
            expect(names.last).to_have_text("Others")
            expect(chart.get_by_text("Many 8")).to_have_count(1)
            expect(chart.get_by_text("Many 0")).to_have_count(0)
