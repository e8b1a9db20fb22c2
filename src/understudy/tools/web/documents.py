"""The operator's own documents, as pages that can be searched and fetched without a network.

A directory holds them: `.md` and `.txt` are a page each, `.jsonl` has one to a line, an object with `url`, `title`,
`text` and perhaps `page_age`. A page without a URL gets one from its path.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import quote

import orjson

SUFFIXES: Final = frozenset({".md", ".txt", ".jsonl"})

MOST_BYTES: Final = 64 * 1024 * 1024
"""Of one file; what is larger is passed over."""

_HEADING: Final = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Page:
    """`page_age` says when it was last updated, as people write a date; None where that is not known."""

    url: str
    title: str
    text: str
    page_age: str | None = None


@dataclass(frozen=True, slots=True)
class SourceFile:
    """`stamp` changes when the file does."""

    path: Path
    stamp: str


def source_files(directory: Path) -> Iterator[SourceFile]:
    """The files below `directory` that hold pages, by name. Links are not followed."""
    for root, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if path.suffix.lower() not in SUFFIXES or path.is_symlink():
                continue
            try:
                found = path.stat()
            except OSError:
                continue
            if found.st_size <= MOST_BYTES:
                yield SourceFile(path, f"{found.st_mtime_ns}-{found.st_size}")


def read_pages(file: Path, directory: Path, base_url: str) -> Iterator[Page]:
    """The pages of one file. Raises OSError; lines that are no page, and pages without text, are passed over."""
    url = base_url + quote(file.relative_to(directory).as_posix())
    raw = file.read_bytes()
    if file.suffix.lower() != ".jsonl":
        text = raw.decode("utf-8", "replace").strip()
        if text:
            heading = _HEADING.search(text) if file.suffix.lower() == ".md" else None
            yield Page(url, heading[1] if heading else file.stem.replace("_", " ").replace("-", " "), text)
        return
    for number, line in enumerate(raw.splitlines(), 1):
        page = _page(line, f"{url}#{number}")
        if page is not None:
            yield page


def _page(line: bytes, url: str) -> Page | None:
    try:
        found = orjson.loads(line)
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    members = cast("dict[str, object]", found)

    def text_of(name: str) -> str:
        value = members.get(name)
        return value.strip() if isinstance(value, str) else ""

    text = text_of("text")
    if not text:
        return None
    return Page(
        text_of("url") or url, text_of("title") or text.splitlines()[0][:100], text, text_of("page_age") or None
    )
