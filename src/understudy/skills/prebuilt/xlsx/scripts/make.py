"""Makes a workbook from a JSON description: python make.py DESCRIPTION.json BOOK.xlsx"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import json
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.chart import BarChart, LineChart, PieChart, Reference
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import column_index_from_string, get_column_letter

WIDEST = 60
HEADER = PatternFill("solid", fgColor="DDE6F0")
CHARTS = {"column": BarChart, "bar": BarChart, "line": LineChart, "pie": PieChart}


def value_of(given: Any, *, dates: bool) -> Any:
    """A cell's value. A text that is a day becomes one."""
    if dates and isinstance(given, str) and len(given) == len("2026-03-31"):
        try:
            return date.fromisoformat(given)
        except ValueError:
            pass
    return given


def write_rows(sheet: Any, described: dict[str, Any]) -> tuple[int, int]:
    """Fills a sheet. Returns the first and the last row of its data."""
    dates = described.get("dates", True)
    header = described.get("header")
    if header:
        sheet.append(list(header))
        for cell in sheet[1]:
            cell.font, cell.fill = Font(bold=True), HEADER
            cell.alignment = Alignment(vertical="center", wrap_text=True)
        sheet.freeze_panes = "A2"
    first = sheet.max_row + 1 if header else 1
    for row in described.get("rows", []):
        sheet.append([value_of(one, dates=dates) for one in row])
    last = max(first, sheet.max_row)
    if header and last >= first and described.get("rows"):
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(header))}{last}"
    if described.get("totals"):
        sheet.append([value_of(one, dates=dates) for one in described["totals"]])
        for cell in sheet[sheet.max_row]:
            cell.font = Font(bold=True)
    return first, last


def set_columns(sheet: Any, described: dict[str, Any], first: int) -> None:
    for letter, number_format in described.get("formats", {}).items():
        for row in range(first, sheet.max_row + 1):
            sheet[f"{letter}{row}"].number_format = number_format
    given = described.get("widths", {})
    for number in range(1, sheet.max_column + 1):
        letter = get_column_letter(number)
        shown = [str(cell.value) for cell in sheet[letter] if cell.value is not None]
        plain = [len(text) for text in shown if not text.startswith("=")]
        sheet.column_dimensions[letter].width = given.get(letter) or min(WIDEST, max([8, *plain]) + 2)


def add_chart(sheet: Any, described: dict[str, Any], first: int, last: int) -> None:
    chart = CHARTS[described["type"]]()
    if described["type"] in {"column", "bar"}:
        chart.type = "col" if described["type"] == "column" else "bar"
    chart.title = described.get("title")
    titled = first > 1
    for letter in described["values"]:
        column = column_index_from_string(letter)
        chart.add_data(Reference(sheet, min_col=column, min_row=first - titled, max_row=last), titles_from_data=titled)
    labels = column_index_from_string(described.get("labels", "A"))
    chart.set_categories(Reference(sheet, min_col=labels, min_row=first, max_row=last))
    sheet.add_chart(chart, described.get("at", f"{get_column_letter(sheet.max_column + 2)}2"))


def make(described: dict[str, Any], target: Path) -> None:
    book: Any = Workbook()
    book.remove(book.active)
    for one in described["sheets"]:
        sheet = book.create_sheet(str(one["name"])[:31])
        first, last = write_rows(sheet, one)
        set_columns(sheet, one, first)
        if one.get("chart"):
            add_chart(sheet, one["chart"], first, last)
    book.save(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("description", type=Path, help="JSON, as SKILL.md shows it")
    parser.add_argument("book", type=Path, help="the workbook to write")
    given = parser.parse_args()
    make(json.loads(given.description.read_text("utf-8")), given.book)
    print(f"Wrote {given.book}.")


if __name__ == "__main__":
    main()
