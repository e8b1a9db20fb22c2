"""Makes a PDF from a JSON description: python make.py DESCRIPTION.json FILE.pdf"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, letter
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import cm
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    Image,
    ListFlowable,
    PageBreak,
    Paragraph,
    SimpleDocTemplate,
    Spacer,
    Table,
    TableStyle,
)

GRID = [
    ("GRID", (0, 0), (-1, -1), 0.5, colors.grey),
    ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor("#dde6f0")),
    ("VALIGN", (0, 0), (-1, -1), "TOP"),
]


class Maker:
    """`width`: of the text, in points."""

    def __init__(self, described: dict[str, Any], folder: Path, width: float) -> None:
        self._styles = getSampleStyleSheet()
        self._folder = folder
        self._width = width
        if described.get("font"):
            pdfmetrics.registerFont(TTFont("Given", str(folder / described["font"])))
            for style in self._styles.byName.values():
                style.fontName = "Given"

    def flow(self, block: dict[str, Any]) -> list[Any]:
        """What a block of the description becomes."""
        if "heading" in block:
            return [Paragraph(escape(str(block["heading"])), self._styles["Heading2"])]
        if "text" in block:
            return [Paragraph(str(block["text"]), self._styles["BodyText"])]
        if "list" in block:
            items = [Paragraph(str(item), self._styles["BodyText"]) for item in block["list"]]
            return [ListFlowable(items, bulletType="1" if block.get("numbered") else "bullet")]
        if "table" in block:
            return [self._table(block["table"]), Spacer(1, 0.4 * cm)]
        if "image" in block:
            return [self._image(self._folder / block["image"], block.get("width_cm")), Spacer(1, 0.4 * cm)]
        if block.get("page_break"):
            return [PageBreak()]
        raise SystemExit(f"A block is none that SKILL.md shows: {block}")

    def _table(self, rows: list[list[Any]]) -> Table:
        style = self._styles["BodyText"]
        cells = [["" if value is None else Paragraph(escape(str(value)), style) for value in row] for row in rows]
        columns = max(len(row) for row in cells)
        cells = [[*row, *[""] * (columns - len(row))] for row in cells]
        return Table(cells, colWidths=[self._width / columns] * columns, repeatRows=1, style=TableStyle(GRID))

    def _image(self, path: Path, width_cm: float | None) -> Image:
        width, height = ImageReader(str(path)).getSize()
        wanted = min(self._width, width_cm * cm if width_cm else width)
        return Image(str(path), width=wanted, height=height * wanted / width)


def make(described: dict[str, Any], folder: Path, target: Path) -> None:
    title = described.get("title", "")
    size = letter if described.get("paper") == "letter" else A4
    document = SimpleDocTemplate(
        str(target),
        pagesize=size,
        title=title,
        author=described.get("author", ""),
        leftMargin=2 * cm,
        rightMargin=2 * cm,
    )
    maker = Maker(described, folder, document.width)
    styles = getSampleStyleSheet()
    flow: list[Any] = [Paragraph(escape(title), styles["Title"])] if title else []
    for block in described["content"]:
        flow += maker.flow(block)

    def number(canvas: Any, current: Any) -> None:
        canvas.setFont("Helvetica", 9)
        canvas.drawCentredString(size[0] / 2, 1.2 * cm, str(current.page))

    document.build(flow, onFirstPage=number, onLaterPages=number)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("description", type=Path, help="JSON, as SKILL.md shows it")
    parser.add_argument("file", type=Path, help="the PDF to write")
    given = parser.parse_args()
    make(json.loads(given.description.read_text("utf-8")), given.description.parent, given.file)
    print(f"Wrote {given.file}.")


if __name__ == "__main__":
    main()
