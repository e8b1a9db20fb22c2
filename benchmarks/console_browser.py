"""The Console in Debian's Chromium: how soon a page is usable, and how many frames it keeps while an answer streams."""

from __future__ import annotations

import re
import shutil
import statistics
import time
from dataclasses import dataclass
from typing import Any, Final, cast

from playwright.sync_api import Browser, CDPSession, Page, Request, StorageState, expect, sync_playwright

from .servers import BenchmarkError

MOST_SCRIPT: Final = 250_000
"""Bytes of script that the first page may load, as they are sent."""

MOST_WAIT: Final = 1_000.0
"""Milliseconds from the first request until a page can be used."""

LEAST_FRAMES: Final = 50
TOKENS: Final = 2_000

# Counts frames and long tasks from when it is run.
_COUNT: Final = """() => {
  const counted = { frames: [], tasks: [] }
  window.counted = counted
  const frame = (time) => { counted.frames.push(time); requestAnimationFrame(frame) }
  requestAnimationFrame(frame)
  new PerformanceObserver((list) => list.getEntries().forEach((one) => counted.tasks.push(one.duration)))
    .observe({ type: 'longtask' })
}"""


@dataclass(frozen=True)
class Loaded:
    """`script` in bytes, times in milliseconds."""

    what: str
    script: int
    median: float
    slowest: float


@dataclass(frozen=True)
class Streamed:
    """Frames a second, in all and in the worst second; the share of its time that the page's own script, styles and
    layout took; tasks of more than 50 ms, and the longest's milliseconds."""

    tokens: int
    frames: float
    worst: float
    busy: float
    long_tasks: int
    longest: float


def measure(link: str, repeats: int) -> tuple[list[Loaded], Streamed]:
    """`link`: the server's for its first user. Raises BenchmarkError."""
    program = shutil.which("chromium")
    if program is None:
        raise BenchmarkError("there is no chromium on this machine")
    base, _, token = link.partition("#/welcome?token=")
    # On all cores: a browser is a handful of processes, of which one draws what another has computed.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        try:
            owner = _owner(browser, base, token)
            loaded = [
                _first_load(browser, base, "sign-in", "button[type=submit]", None, repeats),
                _first_load(browser, base, "dashboard", ".stat .value, .first", owner, repeats),
                _first_load(browser, f"{base}#/workbench", "workbench", "textarea.system", owner, repeats),
                _first_load(browser, f"{base}#/logs", "logs", "table, .empty", owner, repeats),
            ]
            return loaded, _streaming(browser, base, owner)
        finally:
            browser.close()


def _owner(browser: Browser, base: str, token: str) -> StorageState:
    context = browser.new_context()
    origin = base.removesuffix("/console/")
    given = {"token": token, "name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}
    path = f"{origin}/_understudy/console/session/link"
    answer = context.request.post(path, data=given, headers={"origin": origin})
    if not answer.ok:
        raise BenchmarkError(f"signing in: {answer.status} {answer.text()}")
    state = context.storage_state()
    context.close()
    return state


def _first_load(browser: Browser, url: str, what: str, shown: str, who: StorageState | None, repeats: int) -> Loaded:
    times: list[float] = []
    scripts = 0
    for _ in range(repeats):
        context = browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=who)
        page = context.new_page()
        loaded: list[Request] = []
        page.on("requestfinished", lambda one, loaded=loaded: loaded.append(one))
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(shown, state="visible")
        times.append((time.perf_counter() - began) * 1_000)
        page.wait_for_load_state("networkidle")
        scripts = sum(one.sizes()["responseBodySize"] for one in loaded if one.resource_type == "script")
        context.close()
    return Loaded(what, scripts, statistics.median(times), max(times))


def _streaming(browser: Browser, base: str, who: StorageState) -> Streamed:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, storage_state=who)
    page = context.new_page()
    page.goto(f"{base}#/workbench")
    page.get_by_label("Max tokens").fill(str(TOKENS))
    page.get_by_label("Text of message 1, from the user").fill("Write 4000 words about the sea.")
    expect(page.get_by_text(re.compile(r"\d+ input tokens"))).to_be_visible()
    page.wait_for_timeout(1_000)
    debugger = context.new_cdp_session(page)
    debugger.send("Performance.enable")  # pyright: ignore[reportUnknownMemberType]
    page.evaluate(_COUNT)
    before = _work(debugger)
    page.get_by_role("button", name="Run", exact=True).click()
    said = page.get_by_role("region", name=re.compile("^Answer of"))
    expect(said.locator(".text").first).to_be_visible()
    begins = page.evaluate("performance.now()")
    expect(said).to_have_attribute("aria-busy", "false", timeout=60_000)
    ends = page.evaluate("performance.now()")
    return _counted(page, begins, ends, _work(debugger) - before)


def _work(debugger: CDPSession) -> float:
    """Seconds of script, styles and layout since the page began."""
    answer = cast("dict[str, list[dict[str, Any]]]", debugger.send("Performance.getMetrics"))  # pyright: ignore[reportUnknownMemberType]
    told: dict[str, float] = {one["name"]: one["value"] for one in answer["metrics"]}
    return told["ScriptDuration"] + told["LayoutDuration"] + told["RecalcStyleDuration"]


def _counted(page: Page, begins: float, ends: float, worked: float) -> Streamed:
    counted: dict[str, Any] = page.evaluate("window.counted")
    frames: list[float] = [one for one in counted["frames"] if begins <= one <= ends]
    seconds = int((ends - begins) / 1_000)
    in_each = [sum(1 for one in frames if second <= (one - begins) / 1_000 < second + 1) for second in range(seconds)]
    tokens = page.locator(".stat").filter(has_text="Output tokens").locator(".value").first.inner_text()
    return Streamed(
        int(tokens.replace(",", "")),
        len(frames) / ((ends - begins) / 1_000),
        min(in_each, default=0),
        worked / ((ends - begins) / 1_000),
        len(counted["tasks"]),
        max(counted["tasks"], default=0.0),
    )
