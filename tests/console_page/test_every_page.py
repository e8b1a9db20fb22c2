"""What holds for each page of the navigation: it loads, fits its window, and axe finds nothing serious."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .site import NARROW, WIDE, Site, Theme, violations

PAGES = Path(__file__).resolve().parents[2] / "console" / "src" / "routes" / "pages.ts"
_ENTRY = re.compile(r"path: '([^':]+)', module: '(\w+)/Page'")


def _paths() -> list[str]:
    """The paths of the pages that are built in, without those that need an id."""
    found = _ENTRY.findall(PAGES.read_text(encoding="utf-8"))
    assert len(found) > 15, found
    return [path for path, folder in found if (PAGES.parent / folder / "Page.svelte").is_file()]


@pytest.fixture(scope="module", autouse=True)
def _used(site: Site) -> None:
    """Something to show on every page."""
    key = site.key("Shown everywhere")["raw_key"]
    body = {"model": "claude-sonnet-5-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
    for _ in range(3):
        site.api("POST", "/v1/messages", body, key=key)


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("path", _paths())
def test_a_page_fits_and_axe_finds_nothing_serious(site: Site, path: str, size: tuple[int, int], theme: Theme) -> None:
    with site.visit(path, size=size, theme=theme) as page:
        _settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0], "the page is wider than its window"
        assert violations(page) == []


@pytest.mark.slow
@pytest.mark.parametrize("path", _paths())
def test_a_page_speaks_japanese(site: Site, path: str) -> None:
    with site.visit(path, language="ja-JP") as page:
        _settle(page)
        assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", page.get_by_role("heading", level=1).inner_text())


def _settle(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    page.wait_for_load_state("networkidle")
