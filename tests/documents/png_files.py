"""PNGs taken apart by hand, so that tests see what is in them."""

from __future__ import annotations

import base64
import struct
import zlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Picture:
    """`channels`: bytes of a pixel, one for grey and three for colours."""

    width: int
    height: int
    channels: int
    pixels: bytes

    def at(self, x: float, y: float) -> bytes:
        """The pixel at these parts of the width, from the left, and of the height, from the top."""
        start = (int(y * self.height) * self.width + int(x * self.width)) * self.channels
        return self.pixels[start : start + self.channels]


def taken_apart(text: str) -> Picture:
    """Of base64. Only what our own writer makes: eight bits, rows that are not filtered."""
    data = base64.b64decode(text, validate=True)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks: list[tuple[bytes, bytes]] = []
    place = 8
    while place < len(data):
        (size,) = struct.unpack_from(">I", data, place)
        name, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + size]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + size)
        assert checksum == zlib.crc32(name + content)
        chunks.append((name, content))
        place += 12 + size
    assert [name for name, _ in chunks] == [b"IHDR", b"IDAT", b"IEND"]
    width, height, depth, kind, packing, filters, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    assert (depth, packing, filters, interlaced) == (8, 0, 0, 0)
    channels = {0: 1, 2: 3}[kind]
    rows = zlib.decompress(chunks[1][1])
    row = 1 + width * channels
    assert len(rows) == row * height
    assert not any(rows[::row])
    pixels = b"".join([rows[start + 1 : start + row] for start in range(0, len(rows), row)])
    return Picture(width, height, channels, pixels)
