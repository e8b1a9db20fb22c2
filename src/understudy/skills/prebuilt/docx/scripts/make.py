"""Makes a Word document from Markdown: python make.py TEXT.md DOCUMENT.docx [--title T] [--header H] [--footer F]"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from docx import Document
from docx.shared import Cm, Pt

HEADING = re.compile(r"(#{1,4}) +(.+)")
ITEM = re.compile(r"( *)(?:([-*])|(\d+)[.)]) +(.+)")
IMAGE = re.compile(r"!\[(?:width (\d+(?:\.\d+)?)cm)?[^\]]*\]\(([^)]+)\)")
RULE = re.compile(r"\|?[ :|-]*-[ :|-]*\|?")
INLINE = re.compile(r"(\*\*.+?\*\*|\*[^*]+?\*|`[^`]+?`)")
DEEPEST = 3


def add_text(paragraph: Any, text: str) -> None:
    """Text with its bold, italic and code."""
    for part in INLINE.split(text):
        if part.startswith("**") and part.endswith("**") and len(part) > 4:
            paragraph.add_run(part[2:-2]).bold = True
        elif part.startswith("*") and part.endswith("*") and len(part) > 2:
            paragraph.add_run(part[1:-1]).italic = True
        elif part.startswith("`") and part.endswith("`") and len(part) > 2:
            paragraph.add_run(part[1:-1]).font.name = "Consolas"
        elif part:
            paragraph.add_run(part)


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def add_table(document: Any, lines: list[str]) -> None:
    rows = [cells_of(line) for line in lines]
    header = len(rows) > 1 and RULE.fullmatch(lines[1].strip()) is not None
    if header:
        del rows[1]
    columns = max(len(row) for row in rows)
    table = document.add_table(rows=0, cols=columns, style="Table Grid")
    for number, row in enumerate(rows):
        cells = table.add_row().cells
        for cell, text in zip(cells, row, strict=False):
            add_text(cell.paragraphs[0], text)
            if header and number == 0:
                for run in cell.paragraphs[0].runs:
                    run.bold = True


class Maker:
    """Reads lines, one block after the other."""

    def __init__(self, document: Any, folder: Path) -> None:
        self._document = document
        self._folder = folder

    def add(self, lines: list[str]) -> None:
        place = 0
        while place < len(lines):
            place = self._block(lines, place)

    def _block(self, lines: list[str], place: int) -> int:
        document, line = self._document, lines[place].rstrip()
        heading, item, image = HEADING.fullmatch(line), ITEM.fullmatch(line), IMAGE.fullmatch(line.strip())
        if not line:
            return place + 1
        if line.startswith("```"):
            return self._code(lines, place + 1)
        if line == "---":
            document.add_page_break()
        elif heading:
            document.add_heading(heading[2], level=len(heading[1]))
        elif image:
            width = None if image[1] is None else Cm(float(image[1]))
            document.add_picture(str(self._folder / image[2]), width=width)
        elif item:
            level = min(DEEPEST, len(item[1]) // 2 + 1)
            style = "List Bullet" if item[2] else "List Number"
            add_text(document.add_paragraph(style=style if level == 1 else f"{style} {level}"), item[4])
        elif line.startswith("|"):
            end = place
            while end < len(lines) and lines[end].startswith("|"):
                end += 1
            add_table(document, lines[place:end])
            return end
        elif line.startswith("> "):
            add_text(document.add_paragraph(style="Quote"), line[2:])
        else:
            end = place + 1
            while end < len(lines) and lines[end].strip() and not self._begins(lines[end]):
                end += 1
            add_text(document.add_paragraph(), " ".join(one.strip() for one in lines[place:end]))
            return end
        return place + 1

    def _begins(self, line: str) -> bool:
        return line.startswith(("#", "|", "```", "> ", "---", "![")) or ITEM.fullmatch(line.rstrip()) is not None

    def _code(self, lines: list[str], place: int) -> int:
        end = place
        while end < len(lines) and not lines[end].startswith("```"):
            end += 1
        run = self._document.add_paragraph().add_run("\n".join(line.rstrip("\n") for line in lines[place:end]))
        run.font.name, run.font.size = "Consolas", Pt(9)
        return end + 1


def make(source: Path, target: Path, title: str | None, header: str | None, footer: str | None) -> None:
    document = Document()
    if title:
        document.core_properties.title = title
        document.add_heading(title, level=0)
    section = document.sections[0]
    if header:
        section.header.paragraphs[0].text = header
    if footer:
        section.footer.paragraphs[0].text = footer
    Maker(document, source.parent).add(source.read_text("utf-8").splitlines())
    document.save(str(target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path, help="Markdown")
    parser.add_argument("document", type=Path, help="the document to write")
    for name in ("--title", "--header", "--footer"):
        parser.add_argument(name)
    given = parser.parse_args()
    make(given.text, given.document, given.title, given.header, given.footer)
    print(f"Wrote {given.document}.")


if __name__ == "__main__":
    main()
