"""Shows a presentation as text: python read.py DECK.pptx"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pptx import Presentation


def lines_of(shape: Any) -> Iterator[str]:
    if shape.shape_type is not None and hasattr(shape, "shapes"):
        for one in shape.shapes:
            yield from lines_of(one)
    elif getattr(shape, "has_table", False):
        for row in shape.table.rows:
            yield "| " + " | ".join(cell.text.replace("\n", " ") for cell in row.cells) + " |"
    elif getattr(shape, "has_chart", False):
        for plot in shape.chart.plots:
            yield f"(chart of {', '.join(str(label) for label in plot.categories)})"
            for series in plot.series:
                yield f"({series.name}: {', '.join(str(value) for value in series.values)})"
    elif shape.has_text_frame:
        for paragraph in shape.text_frame.paragraphs:
            if paragraph.text.strip():
                yield "  " * paragraph.level + f"- {paragraph.text}"
    elif hasattr(shape, "image"):
        yield f"(image {shape.image.content_type}: {shape.name})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deck", type=Path)
    given = parser.parse_args()
    for number, slide in enumerate(Presentation(str(given.deck)).slides, 1):
        title = slide.shapes.title
        print(f"## {number}. {'' if title is None else title.text}".rstrip())
        for shape in slide.shapes:
            if title is None or shape.shape_id != title.shape_id:
                print("\n".join(lines_of(shape)))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            print(f"(notes: {slide.notes_slide.notes_text_frame.text})")
        print()


if __name__ == "__main__":
    main()
