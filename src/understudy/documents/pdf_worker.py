"""The program that reads one PDF after another, in a process of its own that may be killed at any time.

It is started by its path and imports nothing of this package. A document comes as its length and its bytes; what is
said of it is a letter and a number, and behind `P` each page as its length and its UTF-8: its text, or its picture as
base64. Embedded scripts and files are left alone: PDFium as packaged by pypdfium2 has no script engine, and nothing
here asks for them. What was filled into forms is drawn.
"""

from __future__ import annotations

import binascii
import io
import os
import struct
import sys
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Protocol, cast

if TYPE_CHECKING:
    import pypdfium2

REQUEST: Final = struct.Struct(">cIQII")
"""`T` for its texts or `I` for images of its pages; seconds of processor time; bytes of the document; pages, and
characters or bytes of images, beyond which nothing is wanted."""

REPLY: Final = struct.Struct(">cI")
"""`P` pages follow, `M` more pages than wanted, `E` a password is needed, `X` not a PDF that can be read."""

PAGE: Final = struct.Struct(">I")
"""Bytes of a page's text, or of its picture."""

LONGEST_SIDE: Final = 1568
"""Pixels of the longer side of a picture: what the service shows its models of an image (vision.md)."""

# Pixels for a PDF's point, of which an inch has 72: a small page is not blown up beyond 200 to the inch.
_MOST_SCALE: Final = 200 / 72
# Bytes of a picture from which it is told with 32 shades of each colour instead of 256: the scan of a page is mostly
# noise, which so takes less than half of the room (measured: 4.4 MB become 1.8).
_HEAVY: Final = 1024 * 1024
_SHADES: Final = bytes([(shade >> 3) * 255 // 31 for shade in range(256)])

# Read before files are out of reach: parts of the library and of Python are loaded at their first use.
_FIRST: Final = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
    b"4 0 obj<</Length 30>>stream\nBT /F 9 Tf 9 9 Td (ready) Tj ET\nendstream endobj\n"
    b"5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


class _Bitmap(Protocol):
    """What is used of the library's."""

    width: int
    height: int
    stride: int
    buffer: bytes

    def close(self) -> None: ...


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


def _opened(data: bytes, out: IO[bytes]) -> pypdfium2.PdfDocument | None:
    """The document; None when it was said why there is none."""
    import pypdfium2
    from pypdfium2 import raw

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        code: int | None = error.err_code  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        encrypted = code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        out.write(REPLY.pack(b"E" if encrypted else b"X", 0))
        return None


def _read(data: bytes, most_pages: int, most_characters: int, out: IO[bytes]) -> None:
    document = _opened(data, out)
    if document is None:
        return
    pages = len(document)
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


def _draw(data: bytes, most_pages: int, most_bytes: int, out: IO[bytes]) -> None:
    """Pictures of the first pages, without those behind the first for which there is no room any more."""
    import pypdfium2

    document = _opened(data, out)
    if document is None:
        return
    # Before any page is looked at, as the library wants it.
    with suppress(pypdfium2.PdfiumError):
        document.init_forms()  # pyright: ignore[reportUnknownMemberType]
    pages = min(max(len(document), 0), most_pages)
    out.write(REPLY.pack(b"P", pages))
    for number in range(pages):
        picture = b""
        if most_bytes > 0:
            picture = binascii.b2a_base64(_page_picture(document, number), newline=False)
            most_bytes -= len(picture)
        if most_bytes < 0:
            picture, most_bytes = b"", 0
        out.write(PAGE.pack(len(picture)) + picture)
    document.close()


def _page_picture(document: pypdfium2.PdfDocument, number: int) -> bytes:
    """A PNG; nothing for a page that cannot be drawn."""
    import pypdfium2

    try:
        page = document[number]
        longest = max(page.get_width(), page.get_height())
        # A hair less, since sizes are rounded up.
        scale = min((LONGEST_SIDE - 0.01) / longest, _MOST_SCALE) if longest > 0 else 1
        bitmap = cast("_Bitmap", page.render(scale=scale, rev_byteorder=True))  # pyright: ignore[reportUnknownMemberType]
        width, height, stride = bitmap.width, bitmap.height, bitmap.stride
        pixels = bytes(bitmap.buffer)
        bitmap.close()
        page.close()
    except (pypdfium2.PdfiumError, ValueError):
        # It is damaged, or has no size.
        return b""
    if stride != 3 * width:
        rows = range(0, stride * height, stride)
        pixels = b"".join([pixels[row : row + 3 * width] for row in rows])
    grey = pixels[0::3]
    if grey == pixels[1::3] == pixels[2::3]:
        pixels = grey
    picture = _png(width, height, pixels)
    return _png(width, height, pixels.translate(_SHADES)) if len(picture) > _HEAVY else picture


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG (W3C, 5 and 11) of pixels that have a byte for grey, or three for red, green and blue."""
    row = len(pixels) // height
    view = memoryview(pixels)
    # Hardly larger than at the other levels, and done in a fraction of their time.
    packer = zlib.compressobj(1)
    packed: list[bytes] = []
    for start in range(0, len(pixels), row):
        # Each row says first how it is filtered: not at all.
        packed += (packer.compress(b"\0"), packer.compress(view[start : start + row]))
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if row == width else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", b"".join(packed)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
            for name, data in chunks
        ]
    )


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
    memory = int(sys.argv[1])
    _read(_FIRST, 1, 9, io.BytesIO())
    _limit(memory)
    source, out = sys.stdin.buffer, sys.stdout.buffer
    while True:
        head = source.read(REQUEST.size)
        if len(head) < REQUEST.size:
            return
        kind, seconds, size, most_pages, most = REQUEST.unpack(head)
        data = source.read(size)
        if len(data) < size:
            return
        _give_time(seconds)
        (_draw if kind == b"I" else _read)(data, most_pages, most, out)
        out.flush()
        del data


if __name__ == "__main__":
    main()
