"""The program that reads one PDF after another, in a process of its own that may be killed at any time.

It is started by its path and imports nothing of this package. A document comes as its length and its bytes; what is
said of it is a letter and a number, and behind `P` each page's text as its length and its UTF-8. Embedded scripts,
files and forms are left alone: PDFium as packaged by pypdfium2 has no script engine, and nothing here asks for them.
"""

from __future__ import annotations

import io
import os
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    import pypdfium2

REQUEST: Final = struct.Struct(">QII")
"""Bytes of the document; pages and characters beyond which no text is wanted."""

REPLY: Final = struct.Struct(">cI")
"""`P` pages with text, `M` more pages than wanted, `E` a password is needed, `X` not a PDF that can be read."""

PAGE: Final = struct.Struct(">I")
"""Bytes of a page's text."""

# Read before files are out of reach: parts of the library and of Python are loaded at their first use.
_FIRST: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 30>>stream\nBT /F 9 Tf 9 9 Td (ready) Tj ET\nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def _limit(memory: int) -> None:
    """Take from this process what reading needs not. Where the system cannot, the time box alone stands."""
    with suppress(OSError):
        os.nice(5)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        import resource
    except ImportError:
        return
    limits = {
        "RLIMIT_AS": memory,
        "RLIMIT_DATA": memory,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NPROC": 0,
        # Beside the three streams nothing is opened from here on.
        "RLIMIT_NOFILE": 3,
    }
    for name, value in limits.items():
        with suppress(AttributeError, OSError, ValueError):
            resource.setrlimit(getattr(resource, name), (value, value))


def _give_time(seconds: int) -> None:
    """A bound for when nobody is there any more to keep the time."""
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _read(data: bytes, most_pages: int, most_characters: int, out: IO[bytes]) -> None:
    import pypdfium2
    from pypdfium2 import raw

    try:
        document = pypdfium2.PdfDocument(data)
        pages = len(document)
    except pypdfium2.PdfiumError as error:
        code: int | None = error.err_code  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        encrypted = code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        out.write(REPLY.pack(b"E" if encrypted else b"X", 0))
        return
    if not 0 < pages <= most_pages:
        out.write(REPLY.pack(b"M" if pages else b"X", max(pages, 0)))
        document.close()
        return
    out.write(REPLY.pack(b"P", pages))
    for number in range(pages):
        text = _page_text(document, number, most_characters)
        most_characters -= len(text)
        encoded = text.encode("utf-8", "replace")
        out.write(PAGE.pack(len(encoded)) + encoded)
    document.close()


def _page_text(document: pypdfium2.PdfDocument, number: int, most: int) -> str:
    import pypdfium2

    try:
        page = document[number]
        text_page = page.get_textpage()
        # A page of a few bytes may hold more text than there is room for; it is not even asked for.
        text = ""
        if text_page.count_chars() <= most:
            text = text_page.get_text_bounded()[:most]  # pyright: ignore[reportUnknownMemberType]
        text_page.close()
        page.close()
    except pypdfium2.PdfiumError:
        # A page that is damaged has no text; the others have.
        return ""
    # PDFium marks a hyphen at the end of a line by a character of its own.
    return text.replace("\ufffe\r\n", "").replace("\x02\r\n", "").replace("\r\n", "\n").replace("\0", "")


def main() -> None:
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    _read(_FIRST, 1, 9, io.BytesIO())
    _limit(memory)
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = source.read(REQUEST.size)
        if len(head) < REQUEST.size:
            return
        size, most_pages, most_characters = REQUEST.unpack(head)
        data = source.read(size)
        if len(data) < size:
            return
        _give_time(seconds)
        _read(data, most_pages, most_characters, out)
        out.flush()
        del data


if __name__ == "__main__":
    main()
