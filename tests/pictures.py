"""Smallest real images and PDFs, made by hand."""

from __future__ import annotations

import base64
import struct
import zlib


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


def png(width: int, height: int) -> bytes:
    """A whole grey PNG; a large one is small in bytes, as a decompression bomb would be."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + b"\x80" * width) * height, 9)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_header(width: int, height: int) -> bytes:
    """The beginning of a PNG, without its rows."""
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + b"\x08\0\0\0\0"


def jpeg(width: int, height: int, *, before: int = 0, frame: int = 0xC0) -> bytes:
    """The segments of a JPEG up to its scan, `before` bytes of metadata standing before its size."""
    segments = [b"\xff\xd8", b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"]
    while before > 0:
        size = min(before, 65_533)
        segments.append(b"\xff\xe2" + struct.pack(">H", size + 2) + b"\xff" * size)
        before -= size
    segments.append(b"\xff\xdb" + struct.pack(">H", 67) + b"\0" * 65)
    segments.append(bytes((0xFF, frame)) + struct.pack(">HBHHB", 11, 8, height, width, 1) + b"\1\x11\0")
    segments.append(b"\xff\xda" + struct.pack(">H", 8) + b"\1\1\0\0\x3f\0" + b"\0\xff\xd9")
    return b"".join(segments)


def gif(width: int, height: int) -> bytes:
    return (
        b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0\0\0\0\xff\xff\xff\x2c" + b"\0" * 9 + b"\2\2\x44\1\0;"
    )


def webp_lossy(width: int, height: int) -> bytes:
    frame = b"\x10\0\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + b"\0" * 8
    return _riff(b"VP8 ", frame)


def webp_lossless(width: int, height: int) -> bytes:
    return _riff(b"VP8L", b"\x2f" + struct.pack("<I", (width - 1) | (height - 1) << 14) + b"\0" * 8)


def webp_extended(width: int, height: int) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return _riff(b"VP8X", b"\0\0\0\0" + size)


def _riff(name: bytes, data: bytes) -> bytes:
    chunk = name + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def pdf(pages: int, *, count: int | None = None, filler: bytes = b"") -> bytes:
    """A PDF 1.4 with empty pages. `count` is what its page tree says, if not the truth."""
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[%s]/Count %d>>" % (kids, pages if count is None else count),
    ]
    objects += [b"<</Type /Page /Parent 2 0 R /MediaBox[0 0 200 200]>>" + filler for _ in range(pages)]
    body = b"%PDF-1.4\n"
    for number, content in enumerate(objects, 1):
        body += b"%d 0 obj%s endobj\n" % (number, content)
    return body + b"trailer<</Size %d/Root 1 0 R>>\n%%%%EOF\n" % (len(objects) + 1)


def pdf_with_object_streams(pages: int, *, in_each: int = 100) -> bytes:
    """A PDF 1.5 whose pages stand in compressed object streams, as most writers make them today."""
    tree = b"<</Type/Catalog/Pages 2 0 R>> <</Type/Pages/Kids[]/Count %d>>" % pages
    contents = [tree]
    for start in range(0, pages, in_each):
        contents.append(b"<</Type/Page/Parent 2 0 R>> " * min(in_each, pages - start))
    body = b"%PDF-1.5\n"
    for number, content in enumerate(contents, 1):
        packed = zlib.compress(content)
        body += b"%d 0 obj<</Type/ObjStm/N 1/First 0/Filter/FlateDecode/Length %d>>stream\r\n" % (number, len(packed))
        body += packed + b"\nendstream endobj\n"
    return body + b"%%EOF\n"
