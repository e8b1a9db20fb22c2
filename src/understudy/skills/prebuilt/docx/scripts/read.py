"""Shows a Word document as Markdown: python read.py DOCUMENT.docx"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from docx import Document


def text_of(paragraph: Any) -> str:
    """A paragraph with the marks of its style."""
    style = paragraph.style.name if paragraph.style is not None else ""
    text = paragraph.text
    if not text.strip():
        return ""
    if style == "Title":
        return f"# {text}"
    if style.startswith("Heading "):
        return "#" * int(style.removeprefix("Heading ")) + f" {text}"
    if style.startswith("List"):
        deeper = int(style[-1]) - 1 if style[-1].isdigit() else 0
        return "  " * deeper + ("1. " if "Number" in style else "- ") + text
    return f"> {text}" if "Quote" in style else text


def rows_of(table: Any) -> list[str]:
    rows = ["| " + " | ".join(cell.text.replace("\n", " ") for cell in row.cells) + " |" for row in table.rows]
    if rows:
        rows.insert(1, "|" + " --- |" * len(table.columns))
    return rows


def lines_of(document: Any) -> list[str]:
    lines: list[str] = []
    for block in document.iter_inner_content():
        lines += ["", *rows_of(block), ""] if hasattr(block, "rows") else [text_of(block)]
    for number, section in enumerate(document.sections, 1):
        for place, part in (("header", section.header), ("footer", section.footer)):
            text = " / ".join(one.text for one in part.paragraphs if one.text)
            if text and not part.is_linked_to_previous:
                lines.append(f"({place} of section {number}: {text})")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("document", type=Path)
    given = parser.parse_args()
    print("\n".join(lines_of(Document(str(given.document)))))


if __name__ == "__main__":
    main()
