"""Merges, picks and rotates pages.

python pages.py merge OUT.pdf ONE.pdf TWO.pdf …
python pages.py pick OUT.pdf FILE.pdf 1-3,7
python pages.py rotate OUT.pdf FILE.pdf 90 [--pages 2]
"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
from pathlib import Path

from pypdf import PdfReader, PdfWriter


def numbers_of(wanted: str | None, count: int) -> list[int]:
    """`1-3,7` as numbers; all of them without. Ends the program for pages that there are not."""
    if not wanted:
        return list(range(1, count + 1))
    found: list[int] = []
    for part in wanted.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdigit() or not (last or first).isdigit():
            raise SystemExit(f"These are no pages: {part}")
        found += range(int(first), int(last or first) + 1)
    if not found or min(found) < 1 or max(found) > count:
        raise SystemExit(f"There are pages 1 to {count} only.")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    merge = commands.add_parser("merge")
    merge.add_argument("out", type=Path)
    merge.add_argument("files", type=Path, nargs="+")
    pick = commands.add_parser("pick")
    rotate = commands.add_parser("rotate")
    for one in (pick, rotate):
        one.add_argument("out", type=Path)
        one.add_argument("file", type=Path)
    pick.add_argument("pages")
    rotate.add_argument("degrees", type=int, choices=(90, 180, 270))
    rotate.add_argument("--pages")
    given = parser.parse_args()
    writer = PdfWriter()
    if given.command == "merge":
        for path in given.files:
            writer.append(str(path))
    else:
        reader = PdfReader(str(given.file))
        chosen = numbers_of(given.pages, len(reader.pages))
        if given.command == "pick":
            for number in chosen:
                writer.add_page(reader.pages[number - 1])
        else:
            for number, page in enumerate(reader.pages, 1):
                added = writer.add_page(page)
                if number in chosen:
                    added.rotate(given.degrees)
    with given.out.open("wb") as out:
        writer.write(out)
    print(f"Wrote {given.out}: {len(writer.pages)} pages.")


if __name__ == "__main__":
    main()
