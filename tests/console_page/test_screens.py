"""Every page of the Console in an organization that is at work: it shows what there is, and fits a telephone.

With KEEP_SCREENSHOTS=1 the pictures of docs/console-pages.md are made anew, dark and light, wide and narrow.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from servers import start_server

from .acting import HAIKU, answer, choose, run, write
from .furnishing import Furnished, furnish
from .pictures_kept import MOST, keep
from .site import NARROW, NOBODY, WIDE, Site, Theme, first_link, with_owner

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = ROOT / "console" / "src" / "routes" / "pages.ts"
DOCS: Final = ROOT / "docs" / "console-pages.md"
KEPT: Final = ROOT / "docs" / "console"
MOST_IN_ALL: Final = 4_000_000
TALLEST: Final = 1_240
"""Pixels of a picture; what is below is more of the same."""


def _nothing(page: Page) -> None:
    del page


def _ask(page: Page) -> None:
    """A tool is called, answered, and what it said is used."""
    run(page)
    said = answer(page, HAIKU)
    said.get_by_role("textbox", name="current_weather").fill("21 degrees, rain tomorrow")
    said.get_by_role("button", name="Send results").click()
    expect(said.get_by_text("end_turn", exact=True)).to_be_visible()
    expect(said.get_by_role("table")).to_be_visible()
    said.locator("details.thinking summary").click()
    said.scroll_into_view_if_needed()


def _compare(page: Page) -> None:
    choose(page, "Compare with", HAIKU)
    write(page, "Which city is the capital of Japan, and since when?")
    run(page)
    for region in page.get_by_role("region", name=re.compile("^Answer of")).all():
        expect(region.get_by_text("end_turn", exact=True)).to_be_visible()
    page.get_by_role("region", name=re.compile("^Answer of")).first.scroll_into_view_if_needed()


def _open(name: str) -> Callable[[Page], None]:
    return lambda page: page.get_by_role("button", name=name, exact=True).first.click()


@dataclass(frozen=True)
class Screen:
    """`path` names fields of Furnished in braces; `page` is its entry of pages.ts, where that has another path."""

    path: str
    page: str = ""
    act: Callable[[Page], None] = _nothing
    signed_in: bool = True


SCREENS: Final = {
    "dashboard": Screen("/?range=30d", "/"),
    "workbench": Screen("/workbench?prompt={prompt}", "/workbench", _ask),
    "workbench-compared": Screen("/workbench", act=_compare),
    "workbench-evaluation": Screen("/workbench?prompt={prompt}&tab=evaluate"),
    "batches": Screen("/batches"),
    "batch": Screen("/batches/{batch}", "/batches/:id"),
    "files": Screen("/files"),
    "skills": Screen("/skills"),
    "skill": Screen("/skills/{skill}", "/skills/:id"),
    "models": Screen("/models"),
    "usage": Screen("/usage?range=30d&by=api_key_id", "/usage"),
    "usage-rates": Screen("/usage?tab=rates"),
    "cost": Screen("/cost"),
    "logs": Screen("/logs?model=claude-sonnet-5-5", "/logs"),
    "logs-request": Screen("/logs?open={refused}&range=30d"),
    "limits": Screen("/limits"),
    "keys": Screen("/keys"),
    "keys-create": Screen("/keys", act=_open("Create key")),
    "workspaces": Screen("/workspaces"),
    "workspace": Screen("/workspaces/{workspace}", "/workspaces/:id"),
    "workspace-members": Screen("/workspaces/{workspace}?tab=members"),
    "workspace-spend": Screen("/workspaces/{workspace}?tab=spend"),
    "members": Screen("/members"),
    "members-invites": Screen("/members?tab=invites"),
    "service-accounts": Screen("/service-accounts"),
    "billing": Screen("/billing"),
    "audit": Screen("/audit"),
    "settings": Screen("/settings"),
    "sign-in": Screen("/", "-", signed_in=False),
    "welcome": Screen("", "-", signed_in=False),
}


@pytest.fixture(scope="module")
def furnished(built: Path, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Furnished]:
    env = {"UNDERSTUDY_LIMITS_MODE": "enforce"}
    server = start_server(tmp_path_factory.mktemp("furnished"), env=env)
    yield furnish(with_owner(server, chromium))
    server.kill()


@pytest.fixture(scope="module")
def new(built: Path, chromium: Browser, tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """A server that nobody has signed in to."""
    server = start_server(tmp_path_factory.mktemp("new"))
    yield Site(server, chromium)
    server.kill()


def test_every_page_has_a_screen() -> None:
    paths = set(re.findall(r"path: '([^']+)'", PAGES.read_text(encoding="utf-8")))
    assert len(paths) > 15
    assert paths - {one.page or one.path for one in SCREENS.values()} == set()


@pytest.mark.slow
@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_is_whole_wide_and_narrow(request: pytest.FixtureRequest, name: str) -> None:
    screen = SCREENS[name]
    site, path = _where(request, name)
    pictures: dict[tuple[int, Theme], bytes] = {}
    with site.visit(path, who=None if screen.signed_in else NOBODY) as page:
        refused = _refusals(page)
        _show(page, screen)
        _fits(page, WIDE)
        _fits(page, NARROW)
        # 404 and 500 are shown on the page, but none of these pages asks for what is not there.
        assert refused == []
    if not _kept():
        return
    for size in (WIDE, NARROW):
        for theme in ("light", "dark"):
            with site.visit(path, who=None if screen.signed_in else NOBODY, theme=theme, size=size) as page:
                _show(page, screen)
                pictures[size[0], theme] = _picture(page, size)
    for theme in ("light", "dark"):
        keep(site.chromium, KEPT / f"{name}-{theme}.webp", pictures[WIDE[0], theme])
    keep(site.chromium, KEPT / f"{name}-narrow.webp", pictures[NARROW[0], "light"], pictures[NARROW[0], "dark"])


def test_the_documentation_shows_every_screen_and_nothing_else() -> None:
    shown = set(re.findall(r"\(console/([\w-]+\.webp)\)", DOCS.read_text(encoding="utf-8")))
    assert shown == {f"{name}-{kind}.webp" for name in SCREENS for kind in ("light", "dark", "narrow")}
    sizes = {file.name: file.stat().st_size for file in KEPT.glob("*.webp")}
    assert set(sizes) == shown
    assert max(sizes.values()) <= MOST
    assert sum(sizes.values()) <= MOST_IN_ALL


def _where(request: pytest.FixtureRequest, name: str) -> tuple[Site, str]:
    if name == "welcome":
        site: Site = request.getfixturevalue("new")
        return site, first_link(site.server).partition("#")[2]
    furnished: Furnished = request.getfixturevalue("furnished")
    return furnished.site, SCREENS[name].path.format(**vars(furnished))


def _show(page: Page, screen: Screen) -> None:
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    screen.act(page)
    page.wait_for_load_state("networkidle")


def _fits(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    # Charts follow the width of their box a moment later.
    page.wait_for_function(
        "width => document.documentElement.scrollWidth <= width", arg=size[0], timeout=3_000, polling=100
    )


def _refusals(page: Page) -> list[str]:
    found: list[str] = []

    def look(response: Response) -> None:
        if response.status >= 400:
            found.append(f"{response.status} {response.url}")

    page.on("response", look)
    return found


def _kept() -> bool:
    return os.environ.get("KEEP_SCREENSHOTS") == "1"


def _picture(page: Page, size: tuple[int, int]) -> bytes:
    """As tall as the page, so that the navigation, which stands still, reaches its end."""
    height: int = page.evaluate("document.documentElement.scrollHeight")
    if not page.get_by_role("dialog").count():
        page.set_viewport_size({"width": size[0], "height": max(size[1], min(height, TALLEST))})
    # Charts follow their boxes, and tokens are counted half a second after the last change.
    page.wait_for_timeout(700)
    return page.screenshot()
