"""Shows the text of a PDF, page by page: python read.py FILE.pdf [--pages 1-3,7] [--tables] [--password P]"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
from pathlib import Path

import pdfplumber
from pages import numbers_of


def show(path: Path, wanted: str | None, password: str, *, tables: bool) -> None:
    with pdfplumber.open(path, password=password) as file:
        count = len(file.pages)
        print(f"{count} pages")
        for number in numbers_of(wanted, count):
            page = file.pages[number - 1]
            text = (page.extract_text() or "").strip()
            print(f"\n## Page {number}\n\n{text or '(no text: the page is empty or a picture)'}")
            for table in page.extract_tables() if tables else ():
                print()
                for row in table:
                    print("| " + " | ".join((cell or "").replace("\n", " ") for cell in row) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", help="such as 1-3,7; default: all")
    parser.add_argument("--tables", action="store_true", help="tables too")
    parser.add_argument("--password", default="")
    given = parser.parse_args()
    show(given.file, given.pages, given.password, tables=given.tables)


if __name__ == "__main__":
    main()
