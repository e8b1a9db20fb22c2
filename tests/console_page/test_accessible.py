"""axe finds nothing serious where pages alone do not lead: signed out, with dialogs open, with answers shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator

import pytest
from playwright.sync_api import Page, expect

from .acting import HAIKU, SONNET, answer, choose, run, select, write
from .site import NOBODY, OWNER, PASSWORD, WIDE, Site, Theme, violations

Act = Callable[[Page], None]


def _press(name: str) -> Act:
    return lambda page: page.get_by_role("button", name=name).first.click()


def _menu_of_a_row(page: Page) -> None:
    page.get_by_role("button", name="Actions for ").first.click()
    expect(page.get_by_role("menu")).to_be_visible()


def _budget(page: Page) -> None:
    _menu_of_a_row(page)
    page.get_by_role("menuitem", name="Monthly budget").click()


def _archive(page: Page) -> None:
    _menu_of_a_row(page)
    page.get_by_role("menuitem", name="Archive").click()


def _made_key(page: Page) -> None:
    page.get_by_role("button", name="Create key").first.click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("Seen by axe")
    page.get_by_role("dialog").get_by_role("button", name="Create key").click()
    expect(page.get_by_role("dialog", name="Save your key")).to_be_visible()


def _tool(page: Page) -> None:
    page.get_by_role("region", name="Tools").get_by_role("button", name="Add").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("not a name")


def _models(page: Page) -> None:
    page.get_by_role("combobox", name="Model", exact=True).click()
    expect(page.get_by_role("option").first).to_be_visible()


def _answered(page: Page) -> None:
    choose(page, "Model", HAIKU)
    choose(page, "Compare with", SONNET)
    select(page, "Thinking", "enabled")
    page.get_by_role("region", name="Tools").get_by_role("button", name="Add").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    write(page, "What is the weather in {{city}}?")
    page.get_by_role("region", name="Variables").get_by_label("city").fill("Rome")
    run(page)
    expect(answer(page, HAIKU).get_by_role("button", name="Send results")).to_be_visible()
    expect(answer(page, SONNET)).to_have_attribute("aria-busy", "false")
    answer(page, HAIKU).locator("details.thinking summary").click()


def _failed(page: Page) -> None:
    page.get_by_label("Max tokens").fill("99999999")
    write(page, "Hello")
    run(page)
    expect(answer(page).get_by_role("alert")).to_be_visible()


def _evaluated(page: Page) -> None:
    write(page, "Reply with exactly: {{word}}")
    page.get_by_role("tab", name="Evaluate").click()
    page.get_by_role("button", name="Add a case").first.click()
    page.get_by_label("word of case 1").fill("one")
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_role("radiogroup").first).to_be_visible()


def _request(page: Page) -> None:
    page.get_by_role("row").nth(1).get_by_role("button").first.click()
    expect(page.get_by_role("dialog", name="Request")).to_contain_text("anthropic-version")


def _code(page: Page) -> None:
    write(page, "Hello {{name}}")
    page.get_by_role("button", name="Get code").click()


def _narrow(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_role("button", name="Open navigation").click()
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()


OPENED: dict[str, tuple[str, Act]] = {
    "create a key": ("/keys", _press("Create key")),
    "a made key": ("/keys", _made_key),
    "menu of a row": ("/keys", _menu_of_a_row),
    "budget of a key": ("/keys", _budget),
    "a question": ("/keys", _archive),
    "create a workspace": ("/workspaces", _press("Create workspace")),
    "invite": ("/members", _press("Invite")),
    "create a service account": ("/service-accounts", _press("Create service account")),
    "add credit": ("/billing", _press("Add credit")),
    "change the tier": ("/limits", _press("Change the tier")),
    "create a batch": ("/batches", _press("Create a batch")),
    "upload a skill": ("/skills", _press("Upload a skill")),
    "a request": ("/logs", _request),
    "a tool": ("/workbench", _tool),
    "models to choose": ("/workbench", _models),
    "prompts": ("/workbench", _press("Prompts")),
    "get code": ("/workbench", _code),
    "answers": ("/workbench", _answered),
    "a failed request": ("/workbench", _failed),
    "an evaluation": ("/workbench", _evaluated),
    "rate charts": ("/usage?tab=rates", lambda page: expect(page.get_by_role("tabpanel")).to_be_visible()),
    "no such page": ("/no/such/page", lambda page: expect(page.get_by_role("heading").first).to_be_visible()),
    "navigation in a drawer": ("/settings", _narrow),
}


@pytest.fixture(scope="module", autouse=True)
def _used(site: Site) -> None:
    key = site.key("Looked at by axe")["raw_key"]
    body = {"model": SONNET, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
    site.api("POST", "/v1/messages", body, key=key)


@pytest.fixture(scope="module")
def looked(site: Site) -> Generator[Page]:
    """A page that goes from one test to the next: the browser reads the scripts once."""
    with site.visit("/settings") as page:
        yield page


def _go(page: Page, site: Site, path: str) -> None:
    # What the Workbench keeps of the test before is written as it is left.
    page.goto(f"{site.server.url}/console/#/settings")
    expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    page.evaluate("localStorage.clear()")
    page.goto("about:blank")
    page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    page.goto(f"{site.server.url}/console/#{path}")
    expect(page.get_by_role("heading").first).to_be_visible()
    expect(page.locator("[aria-busy=true], .skeleton")).to_have_count(0)


def test_axe_sees_what_is_wrong_in_either_theme(site: Site) -> None:
    """So that its silence below means something."""
    with site.visit("/settings") as page:
        expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
        wrong = "<button></button><p class='pale'>pale</p>"
        page.evaluate("html => document.querySelector('main').insertAdjacentHTML('beforeend', html)", wrong)
        page.evaluate("document.querySelector('.pale').style.color = 'light-dark(#eee, #222)'")
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            assert {one.partition(":")[0] for one in violations(page)} == {"button-name", "color-contrast"}


@pytest.mark.parametrize("name", OPENED)
def test_axe_finds_nothing_serious_with_this_open(site: Site, looked: Page, name: str) -> None:
    """In light and in dark: the page is the same, and follows the system while it is open."""
    path, act = OPENED[name]
    _go(looked, site, path)
    act(looked)
    _both_themes(looked)


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/", "Sign in to the Console"),
        ("/welcome?token=none", None),
        ("/invite?token=none", None),
        ("/signin?error=sso_failed", None),
    ],
)
def test_axe_finds_nothing_serious_for_somebody_signed_out(site: Site, path: str, heading: str | None) -> None:
    with site.visit(path, who=NOBODY) as page:
        expect(page.get_by_role("heading", name=heading).first if heading else page.get_by_role("main")).to_be_visible()
        expect(page.locator("[aria-busy=true], .skeleton")).to_have_count(0)
        _both_themes(page)


@pytest.mark.parametrize("path", ["/batches", "/skills", "/workspaces"])
def test_axe_finds_nothing_serious_on_the_page_of_one_thing(site: Site, looked: Page, path: str) -> None:
    if path == "/batches":
        line = {"model": SONNET, "max_tokens": 8, "messages": [{"role": "user", "content": "Hello"}]}
        requests = [{"custom_id": "one", "params": line}]
        path += "/" + site.api("POST", "/v1/messages/batches", {"requests": requests}, key=site.server.api_key)["id"]
    elif path == "/skills":
        path += "/" + site.api("GET", "/v1/skills", key=site.server.api_key)["data"][0]["id"]
    else:
        path += "/" + site.workspace("Of axe")
    _go(looked, site, path)
    expect(looked.get_by_role("heading", level=1)).to_be_visible()
    _both_themes(looked)


def test_somebody_without_a_pointer_signs_in_makes_a_key_and_runs_a_prompt(site: Site) -> None:
    with site.visit("/keys", who=NOBODY) as page:
        expect(page.get_by_role("heading", name="Sign in to the Console")).to_be_visible()
        _reach(page, "Email")
        page.keyboard.type(OWNER)
        _reach(page, "Password")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")

        expect(page.get_by_role("heading", name="API keys", level=1)).to_be_visible()
        _reach(page, "Create key")
        page.keyboard.press("Enter")
        _reach(page, "Name")
        page.keyboard.type("Made by keys")
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog", name="Save your key")).to_be_visible()
        _reach(page, "Done")
        page.keyboard.press("Enter")
        expect(page.get_by_role("row", name="Made by keys")).to_be_visible()

        _reach(page, "Workbench", back=True)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Workbench", level=1)).to_be_visible()
        _reach(page, "Model")
        page.keyboard.type("haiku-4-5")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        expect(page.get_by_role("combobox", name="Model", exact=True)).to_have_value(HAIKU)
        _reach(page, "Text of message 1, from the user")
        page.keyboard.type("Reply with exactly: hands off")
        page.keyboard.press("Control+Enter")
        expect(answer(page, HAIKU)).to_contain_text("hands off")


_NAME = """() => {
  const at = document.activeElement
  return (at.getAttribute('aria-label') || at.labels?.[0]?.innerText || at.innerText || '').trim()
}"""


def _reach(page: Page, name: str, *, back: bool = False) -> None:
    """By the Tab key; what is focused must be seen to be so."""
    for _ in range(60):
        focused: str = page.evaluate(_NAME)
        if focused == name:
            shown = page.evaluate(_RING)
            assert shown, f"{name} does not show that it is focused"
            return
        page.keyboard.press("Shift+Tab" if back else "Tab")
    pytest.fail(f"{name} is not reached")


_RING = """() => {
  for (let at = document.activeElement; at; at = at.parentElement) {
    const style = getComputedStyle(at)
    if ((style.outlineStyle !== 'none' && style.outlineWidth !== '0px') || style.boxShadow !== 'none') return true
  }
  return false
}"""


def _both_themes(page: Page) -> None:
    found: dict[Theme, list[str]] = {}
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})))")
        found[theme] = violations(page)
    assert found == {"light": [], "dark": []}, json.dumps(found, indent=1)
