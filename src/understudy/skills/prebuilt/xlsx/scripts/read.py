"""Shows what is in a workbook: python read.py BOOK.xlsx [--sheet NAME] [--rows 50] [--results]"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from openpyxl import load_workbook


def show(path: Path, wanted: str | None, rows: int, *, results: bool) -> None:
    book = load_workbook(path, read_only=True, data_only=results)
    for sheet in book.worksheets:
        if wanted is not None and sheet.title != wanted:
            continue
        print(f"## {sheet.title}: {sheet.max_row or 0} rows, {sheet.max_column or 0} columns")
        writer = csv.writer(sys.stdout, lineterminator="\n")
        for shown, row in enumerate(sheet.iter_rows(values_only=True)):
            if shown == rows:
                print(f"(more rows follow; --rows shows more than {rows})")
                break
            writer.writerow(["" if value is None else value for value in row])
        print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("book", type=Path)
    parser.add_argument("--sheet", help="only this one")
    parser.add_argument("--rows", type=int, default=50, help="at most so many of each sheet")
    parser.add_argument("--results", action="store_true", help="the results of formulas, where they were saved")
    given = parser.parse_args()
    show(given.book, given.sheet, given.rows, results=given.results)


if __name__ == "__main__":
    main()
