"""Fills a template: python replace.py TEMPLATE.docx DOCUMENT.docx VALUES.json

Each key of the JSON object is replaced by its value wherever it stands, and keeps the look of its first character.
Ends with 1 if a key was not found.
"""

# ruff: noqa: T201 -- commands print
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docx import Document


def paragraphs_of(holder: Any) -> Iterator[Any]:
    """Those of a document, a cell, a header, with those of its tables."""
    yield from holder.paragraphs
    for table in holder.tables:
        for row in table.rows:
            for cell in row.cells:
                yield from paragraphs_of(cell)


def replace(paragraph: Any, key: str, value: str) -> int:
    """How often. The key may lie in several runs, as Word likes to cut it."""
    found, start = 0, 0
    while True:
        runs = paragraph.runs
        whole = "".join(run.text for run in runs)
        place = whole.find(key, start)
        if place < 0:
            return found
        end, at, first = place + len(key), 0, True
        for run in runs:
            text = run.text
            left, right = max(place - at, 0), min(end - at, len(text))
            if left < right:
                run.text = text[:left] + (value if first else "") + text[right:]
                first = False
            at += len(text)
        start = place + len(value)
        found += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("template", "document", "values"):
        parser.add_argument(name, type=Path)
    given = parser.parse_args()
    values = {str(key): str(value) for key, value in json.loads(given.values.read_text("utf-8")).items() if key}
    document = Document(str(given.template))
    holders = [document]
    for section in document.sections:
        holders += [part for part in (section.header, section.footer) if not part.is_linked_to_previous]
    found: Counter[str] = Counter()
    for holder in holders:
        for paragraph in paragraphs_of(holder):
            for key, value in values.items():
                found[key] += replace(paragraph, key, value)
    document.save(str(given.document))
    for key in values:
        print(f"{key}: replaced {found[key]} times" if found[key] else f"{key}: not found")
    sys.exit(0 if all(found[key] for key in values) else 1)


if __name__ == "__main__":
    main()
