"""Shows and fills the fields of a form.

python form.py list FORM.pdf
python form.py fill FORM.pdf OUT.pdf VALUES.json
"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from pypdf import PdfReader, PdfWriter

KINDS = {"/Tx": "text", "/Btn": "box", "/Ch": "choice", "/Sig": "signature"}


def show(path: Path) -> None:
    fields = PdfReader(str(path)).get_fields() or {}
    for name, field in fields.items():
        states = field.get("/_States_") or field.get("/Opt")
        told = f"; one of {', '.join(map(str, states))}" if states else ""
        value = field.get("/V")
        print(f"{name}: {KINDS.get(str(field.get('/FT')), 'other')}{told}" + (f"; now {value}" if value else ""))
    if not fields:
        print("There are no fields.")


def fill(path: Path, out: Path, values: dict[str, str]) -> None:
    reader = PdfReader(str(path))
    unknown = sorted(set(values) - set(reader.get_fields() or {}))
    if unknown:
        sys.exit(f"There are no fields of these names: {', '.join(unknown)}")
    writer = PdfWriter(clone_from=reader)
    for page in writer.pages:
        writer.update_page_form_field_values(page, values, auto_regenerate=False)
    with out.open("wb") as target:
        writer.write(target)
    print(f"Wrote {out}: {len(values)} fields.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    listing, filling = commands.add_parser("list"), commands.add_parser("fill")
    for one in (listing, filling):
        one.add_argument("form", type=Path)
    filling.add_argument("out", type=Path)
    filling.add_argument("values", type=Path)
    given = parser.parse_args()
    if given.command == "list":
        show(given.form)
    else:
        values = json.loads(given.values.read_text("utf-8"))
        fill(given.form, given.out, {str(name): str(value) for name, value in values.items()})


if __name__ == "__main__":
    main()
