"""How many pages a PDF has, without rendering or even parsing it.

Page objects are looked for in the file's bytes and in its compressed object streams (ISO 32000-2, 7.5.7); the page
tree's own count may only lower what was found, since it is a number that anyone can write. All work is bounded: by the
file's length, and where a few bytes may stand for many by the limits below.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Generator
from typing import Final

from understudy.documents.base64_bytes import Base64Bytes

MOST_PAGES: Final = 10_000
"""Counting ends here; the API takes 600 pages."""

# Bytes looked at between two pauses, and those looked at again so that nothing is missed at the border.
_WINDOW: Final = 64 * 1024
_OVERLAP: Final = 64
# Object streams hold some hundred objects each. How many are looked at, how far their dictionaries reach, how long they
# may be, and what they may have us inflate, each and all together.
_MOST_STREAMS: Final = 1_000
_DICTIONARY: Final = 1024
_DEFLATED: Final = 192 * 1024
_INFLATED: Final = 256 * 1024
_INFLATED_IN_ALL: Final = 32 * 1024 * 1024
# Entries looked at in all: a page needs two or three of them.
_MOST_ENTRIES: Final = 20 * MOST_PAGES

_ENTRY: Final = re.compile(
    rb"/(?:Type[\0\t\n\f\r ]{0,8}/(?P<kind>Page|ObjStm)(?![A-Za-z0-9])|Count[\0\t\n\f\r ]{1,8}(?P<count>[0-9]{1,9}))"
)
_STREAM: Final = re.compile(rb"stream\r?\n")
_HEADER_WITHIN: Final = 1024


class _Found:
    """What was seen so far of one file."""

    __slots__ = ("count", "entries", "inflated", "pages", "streams")

    def __init__(self) -> None:
        self.pages = 0
        self.count = 0
        self.streams: list[int] = []
        self.entries = 0
        self.inflated = 0

    def look(self, data: bytes, end: int, at: int | None) -> None:
        """Take the entries that begin before `end` in `data`, whose place in the file is `at`."""
        for entry in _ENTRY.finditer(data):
            if entry.start() >= end or self.entries >= _MOST_ENTRIES:
                return
            self.entries += 1
            kind = entry["kind"]
            if kind == b"Page":
                self.pages += 1
            elif kind is None:
                self.count = max(self.count, int(entry["count"]))
            elif at is not None and len(self.streams) < _MOST_STREAMS:
                self.streams.append(at + entry.start())

    def answer(self) -> int:
        if not self.pages:
            # All of its objects are encrypted, or out of reach.
            return min(self.count, MOST_PAGES)
        return min(self.pages, self.count or self.pages, MOST_PAGES)


def _inflate(pdf: Base64Bytes, place: int) -> bytes:
    """What the object stream holds whose dictionary is at `place`; nothing if it cannot be read."""
    begin = _STREAM.search(pdf.read(place, _DICTIONARY))
    if begin is None:
        return b""
    place += begin.end()
    # The two bytes before deflated data (RFC 1950): cheaper to look at than all of it is to read.
    head = pdf.read(place, 2)
    if len(head) < 2 or head[0] & 0x0F != 8 or (head[0] << 8 | head[1]) % 31:
        return b""
    try:
        return zlib.decompressobj().decompress(pdf.read(place, _DEFLATED), _INFLATED)
    except zlib.error:
        return b""


def scan_pages(data: str) -> Generator[None, None, int | None]:
    """Count the pages of a PDF given as base64. Yields after each piece of work.

    Returns None if it is no PDF at all, nought if it is one in which no page was found, and at most MOST_PAGES.
    """
    pdf = Base64Bytes(data)
    # Readers allow some bytes before the header (ISO 32000-1, Annex H.3).
    if b"%PDF-" not in pdf.read(0, _HEADER_WITHIN):
        return None
    found = _Found()
    for start in range(0, pdf.size, _WINDOW):
        found.look(pdf.read(start, _WINDOW + _OVERLAP), _WINDOW, start)
        yield
    for place in found.streams:
        content = _inflate(pdf, place)
        found.look(content, len(content), None)
        found.inflated += len(content)
        if found.inflated >= _INFLATED_IN_ALL or found.pages >= MOST_PAGES:
            break
        yield
    return found.answer()
