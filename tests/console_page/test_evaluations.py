"""Test cases of a prompt: brought, run, graded, kept, and taken away again."""

from __future__ import annotations

import csv
import io
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from .acting import HAIKU, SONNET, choose, menu, write
from .site import Site

# A byte order mark, quotes, a line break within a cell, and the line ends of Windows: what spreadsheets write.
CASES = '\ufeffword,ideal,note\r\nalpha,alpha,"first, of all"\r\n"be\nta",no such,\r\n"say ""hi""",,x\r\n'
FORMULAS = ["=HYPERLINK(1)", "+1+cmd", "-2+3", "@SUM(A1)", "\t=1", "plain", "-5"]


@pytest.fixture
def bench(site: Site) -> Generator[Page]:
    with site.visit("/workbench") as page:
        write(page, "Reply with exactly: {{word}}")
        yield page


def test_cases_are_imported_run_graded_saved_and_there_after_a_reload(bench: Page, tmp_path: Path) -> None:
    page = bench
    choose(page, "Compare with", HAIKU)
    page.get_by_role("tab", name="Evaluate").click()
    expect(page.get_by_text("No test cases yet")).to_be_visible()
    bring(page, CASES, tmp_path)
    expect(page.get_by_text("3 cases read.")).to_be_visible()
    table = page.get_by_role("table", name="Test cases")
    expect(table.get_by_label("word of case 2")).to_have_value("be\nta")
    expect(table.get_by_label("word of case 3")).to_have_value('say "hi"')
    expect(page.get_by_role("button", name="Save cases")).to_be_disabled()
    page.get_by_role("button", name="Run all").click()
    expect(table.get_by_role("radiogroup")).to_have_count(6)
    expect(table.get_by_role("row").nth(1)).to_contain_text("alpha")
    expect(table.get_by_text("50% hold the ideal answer")).to_have_count(2)
    for case, grade in ((1, "5"), (2, "2")):
        group = table.get_by_role("radiogroup", name=f"Grade of case {case}, {SONNET}")
        group.get_by_role("radio", name=grade).click()
        expect(group.get_by_role("radio", name=grade)).to_be_checked()
    expect(table).to_contain_text("3.5 of 5, 2 graded")

    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("dialog").get_by_label("Name").fill("Repeating")
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved as version 1.")).to_be_visible()
    table.get_by_label("Ideal answer of case 3").fill("hi")
    page.get_by_role("button", name="Save cases").click()
    expect(page.get_by_text("Test cases and results are saved.")).to_be_visible()

    page.reload()
    expect(table).to_contain_text("3.5 of 5, 2 graded")
    expect(table.get_by_label("Ideal answer of case 3")).to_have_value("hi")
    expect(table.get_by_role("radiogroup")).to_have_count(6)
    table.get_by_role("button", name="Remove case 1").click()
    expect(table.get_by_role("radiogroup")).to_have_count(4)


def test_abuse_61_cells_that_begin_like_a_formula_are_none_in_the_exported_file(bench: Page, tmp_path: Path) -> None:
    page = bench
    page.get_by_role("tab", name="Evaluate").click()
    lines = io.StringIO()
    csv.writer(lines).writerows([["word", "ideal"], *([one, one] for one in FORMULAS)])
    bring(page, lines.getvalue(), tmp_path)
    page.get_by_role("button", name="Run all").click()
    expect(page.get_by_role("table", name="Test cases").get_by_role("radiogroup")).to_have_count(len(FORMULAS))
    with page.expect_download() as saved:
        menu(page, "More actions", "Export CSV")
    text = saved.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0].lstrip("'") for row in rows[1:]] == FORMULAS
    for cell in (cell for row in rows for cell in row):
        assert not cell.strip().startswith(("=", "+", "@")), cell
        assert not cell.startswith("-") or cell == "-5", cell


def bring(page: Page, text: str, directory: Path) -> None:
    file = directory / "cases.csv"
    file.write_bytes(text.encode())
    with page.expect_file_chooser() as chooser:
        menu(page, "More actions", "Import CSV")
    chooser.value.set_files(file)
