"""Looks for what is wrong in a workbook: python check.py BOOK.xlsx [--recalculate]

Errors in cells, formulas that speak of sheets that there are not, functions that are not closed. With --recalculate,
and LibreOffice installed, formulas are computed first and the results are saved in the workbook. Ends with 1 if
anything is wrong.
"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from openpyxl import load_workbook

ERRORS = ("#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#N/A", "#NUM!", "#NULL!")
SHEET = re.compile(r"(?:'((?:[^']|'')+)'|([A-Za-z_][A-Za-z0-9_.]*))!")
STRING = re.compile(r'"[^"]*"')


def recalculate(path: Path) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        print("LibreOffice is not installed: formulas are not computed.")
        return
    with tempfile.TemporaryDirectory() as folder:
        command = [office, "--headless", "--convert-to", "xlsx", "--outdir", folder, str(path)]
        subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603
        shutil.copy(Path(folder) / path.name, path)


def faults(path: Path) -> list[str]:
    found: list[str] = []
    formulas, results = load_workbook(path), load_workbook(path, data_only=True)
    names = set(formulas.sheetnames)
    for sheet in formulas.worksheets:
        for row in sheet.iter_rows():
            for cell in row:
                place = f"{sheet.title}!{cell.coordinate}"
                value, result = cell.value, results[sheet.title][cell.coordinate].value
                for shown in (value, result):
                    if isinstance(shown, str) and shown in ERRORS:
                        found.append(f"{place}: {shown}")
                        break
                if isinstance(value, str) and value.startswith("="):
                    plain = STRING.sub("", value)
                    if plain.count("(") != plain.count(")"):
                        found.append(f"{place}: a bracket is not closed in {value}")
                    for quoted, bare in SHEET.findall(plain):
                        name = quoted.replace("''", "'") or bare
                        if name not in names and not name.startswith("["):
                            found.append(f"{place}: there is no sheet {name}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("book", type=Path)
    parser.add_argument("--recalculate", action="store_true")
    given = parser.parse_args()
    if given.recalculate:
        recalculate(given.book)
    found = faults(given.book)
    print("\n".join(found) or "Nothing wrong was found.")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
