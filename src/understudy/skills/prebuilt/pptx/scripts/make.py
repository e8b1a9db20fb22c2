"""Makes a presentation from a JSON description: python make.py DESCRIPTION.json DECK.pptx [--template OTHER.pptx]"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from pptx import Presentation
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE, XL_LEGEND_POSITION
from pptx.util import Emu, Inches, Pt

TITLE, CONTENT, TITLE_ONLY = 0, 1, 5
CHARTS = {
    "column": XL_CHART_TYPE.COLUMN_CLUSTERED,
    "bar": XL_CHART_TYPE.BAR_CLUSTERED,
    "line": XL_CHART_TYPE.LINE_MARKERS,
    "pie": XL_CHART_TYPE.PIE,
}


class Deck:
    """A presentation while it is made. Layouts are those of the default template, or the nearest of another one."""

    def __init__(self, template: Path | None, folder: Path) -> None:
        self.presentation: Any = Presentation(None if template is None else str(template))
        self._folder = folder
        if template is None:
            self.presentation.slide_width, self.presentation.slide_height = Inches(13.333), Inches(7.5)

    def _slide(self, layout: int, title: str | None) -> Any:
        layouts = self.presentation.slide_layouts
        slide = self.presentation.slides.add_slide(layouts[min(layout, len(layouts) - 1)])
        width = self.presentation.slide_width
        if slide.shapes.title is not None:
            slide.shapes.title.text = title or ""
        for shape in slide.placeholders:
            # The default template's are those of narrower slides.
            scale = width / Inches(10)
            if shape.left is not None and self.presentation.slide_height == Inches(7.5) and scale > 1.1:
                left, top, height = shape.left, shape.top, shape.height
                shape.width = Emu(int(shape.width * scale))
                shape.left, shape.top, shape.height = Emu(int(left * scale)), top, height
        return slide

    def _body(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of what is below a title."""
        width, height = self.presentation.slide_width, self.presentation.slide_height
        left, top = int(width * 0.06), int(height * 0.25)
        return left, top, width - 2 * left, height - top - int(height * 0.08)

    def add(self, described: dict[str, Any]) -> None:
        title = described.get("title")
        if described.get("bullets"):
            slide = self._slide(CONTENT, title)
            self._bullets(slide, described["bullets"])
        elif any(described.get(kind) for kind in ("table", "chart", "image")):
            slide = self._slide(TITLE_ONLY, title)
            if described.get("table"):
                self._table(slide, described["table"])
            elif described.get("chart"):
                self._chart(slide, described["chart"])
            else:
                self._image(slide, self._folder / described["image"])
        else:
            slide = self._slide(TITLE, title)
            if len(slide.placeholders) > 1:
                slide.placeholders[1].text = described.get("subtitle", "")
        if described.get("notes"):
            slide.notes_slide.notes_text_frame.text = described["notes"]

    def _bullets(self, slide: Any, bullets: list[Any]) -> None:
        frame = slide.placeholders[1].text_frame
        first = True

        def add(items: list[Any], level: int) -> None:
            nonlocal first
            for item in items:
                if isinstance(item, list):
                    add(item, level + 1)
                    continue
                paragraph = frame.paragraphs[0] if first else frame.add_paragraph()
                paragraph.text, paragraph.level, first = str(item), min(level, 8), False

        add(bullets, 0)

    def _table(self, slide: Any, rows: list[list[Any]]) -> None:
        columns = max(len(row) for row in rows)
        left, top, width, height = self._body()
        row_height = min(height // len(rows), Inches(0.5))
        shape = slide.shapes.add_table(len(rows), columns, left, top, width, row_height * len(rows))
        for number, row in enumerate(rows):
            for column, value in enumerate(row):
                cell = shape.table.cell(number, column)
                cell.text = "" if value is None else str(value)
                for paragraph in cell.text_frame.paragraphs:
                    paragraph.font.size = Pt(14)

    def _chart(self, slide: Any, described: dict[str, Any]) -> None:
        data = CategoryChartData()
        data.categories = described["labels"]
        for name, values in described["series"].items():
            data.add_series(name, values)
        chart = slide.shapes.add_chart(CHARTS[described["type"]], *self._body(), data).chart
        chart.has_legend = len(described["series"]) > 1 or described["type"] == "pie"
        if chart.has_legend:
            chart.legend.position, chart.legend.include_in_layout = XL_LEGEND_POSITION.BOTTOM, False

    def _image(self, slide: Any, path: Path) -> None:
        left, top, width, height = self._body()
        picture = slide.shapes.add_picture(str(path), left, top)
        scale = min(width / picture.width, height / picture.height)
        picture.width, picture.height = Emu(int(picture.width * scale)), Emu(int(picture.height * scale))
        picture.left = Emu(left + (width - picture.width) // 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("description", type=Path, help="JSON, as SKILL.md shows it")
    parser.add_argument("deck", type=Path, help="the presentation to write")
    parser.add_argument("--template", type=Path, help="a presentation whose look is taken; its slides stay in front")
    given = parser.parse_args()
    deck = Deck(given.template, given.description.parent)
    slides = json.loads(given.description.read_text("utf-8"))["slides"]
    for one in slides:
        deck.add(one)
    deck.presentation.save(str(given.deck))
    print(f"Wrote {given.deck}: {len(slides)} slides.")


if __name__ == "__main__":
    main()
