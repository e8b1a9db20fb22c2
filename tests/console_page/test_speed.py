"""What a page loads before it can be used. How fast that is on a quiet machine is measured by benchmarks/console.py."""

from __future__ import annotations

import pytest
from playwright.sync_api import Request, expect

from .site import NOBODY, Site

MOST_SCRIPT = 250_000
"""Bytes, as they are sent."""


@pytest.mark.parametrize(("path", "heading"), [("/", "Hello, Ada"), ("/workbench", "Workbench"), ("/logs", "Logs")])
def test_a_page_loads_at_most_250_kb_of_script(site: Site, path: str, heading: str) -> None:
    assert _script(site, path, heading, signed_in=True) <= MOST_SCRIPT


def test_signing_in_needs_no_script_of_the_pages_behind_it(site: Site) -> None:
    outside = _script(site, "/", "Sign in", signed_in=False)
    assert 10_000 < outside < _script(site, "/workbench", "Workbench", signed_in=True) - 50_000


def _script(site: Site, path: str, heading: str, *, signed_in: bool) -> int:
    """Bytes of script that a browser with an empty cache is sent for a page."""
    loaded: list[Request] = []
    context = site.chromium.new_context(storage_state=site.owner if signed_in else NOBODY)
    try:
        page = context.new_page()
        page.on("requestfinished", lambda request: loaded.append(request))
        page.goto(f"{site.server.url}/console/#{path}")
        expect(page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        page.wait_for_load_state("networkidle")
        return sum(one.sizes()["responseBodySize"] for one in loaded if one.resource_type == "script")
    finally:
        context.close()
