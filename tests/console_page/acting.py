"""What a person does on pages, in a word each."""

from __future__ import annotations

import base64
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Locator, Page, expect

from .site import Site

SONNET, HAIKU = "claude-sonnet-5-5", "claude-haiku-4-5-20251001"


@dataclass(frozen=True)
class Given:
    """A file from the person's machine."""

    name: str
    type: str
    content: bytes


def choose(page: Page, box: str, option: str) -> None:
    """In a box that is searched by typing."""
    field = page.get_by_role("combobox", name=box, exact=True)
    field.fill(option)
    page.get_by_role("option").filter(has_text=option).first.click()
    expect(field).to_have_value(option)


def select(page: Page, box: str, option: str) -> None:
    page.get_by_role("combobox", name=box, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def menu(page: Page, name: str, item: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    page.get_by_role("menuitem", name=item, exact=True).click()


def confirm(page: Page, act: str) -> None:
    page.get_by_role("alertdialog").get_by_role("button", name=act, exact=True).click()


def drop(target: Locator, *files: Given) -> None:
    """Drag files from the desktop and let them go there."""
    given = [[one.name, one.type, base64.b64encode(one.content).decode()] for one in files]
    carried = target.page.evaluate_handle(
        """files => {
          const carried = new DataTransfer()
          for (const [name, type, content] of files) {
            carried.items.add(new File([Uint8Array.from(atob(content), (sign) => sign.charCodeAt(0))], name, { type }))
          }
          return carried
        }""",
        given,
    )
    target.dispatch_event("dragover", {"dataTransfer": carried})
    target.dispatch_event("drop", {"dataTransfer": carried})


def write(page: Page, text: str, message: int = 1) -> None:
    """The text of a message in the Workbench."""
    page.get_by_label(f"Text of message {message}, from the user").fill(text)


def run(page: Page) -> None:
    page.get_by_role("button", name="Run", exact=True).click()


def answer(page: Page, model: str = SONNET) -> Locator:
    return page.get_by_role("region", name=f"Answer of {model}")


def figure(where: Locator, label: str) -> Locator:
    """The number below a label."""
    return where.locator(".stat").filter(has=where.page.get_by_text(label, exact=True)).locator(".value")


@contextmanager
def scripted(site: Site, *rules: dict[str, Any]) -> Generator[None]:
    """The server answers so; what no rule is for is answered as always."""
    site.api("POST", "/_understudy/scenarios", {"rules": list(rules)})
    try:
        yield
    finally:
        site.api("DELETE", "/_understudy/scenarios")
