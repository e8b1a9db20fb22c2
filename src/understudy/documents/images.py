"""What an image's first bytes say of it: its format and its size in pixels.

Nothing is decoded, so a decompression bomb costs what any other image does. Formats: PNG (W3C, 11.2.1 IHDR), JPEG
(ITU-T T.81, B.2.2), GIF (89a, 18), WebP (RFC 9649).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from understudy.documents.base64_bytes import Base64Bytes

# The longest header of the formats without segments.
_FIRST: Final = 32
# Segments of a JPEG before the one with its size; real files have some ten, with a large profile some fifty more.
_MOST_SEGMENTS: Final = 500
_START_OF_FRAME: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
# Markers that stand alone: TEM and the restart markers.
_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD8)})
_START_OF_SCAN: Final = 0xDA
_END_OF_IMAGE: Final = 0xD9


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """`width` and `height` are pixels; nought where the format was recognised and its size could not be read."""

    media_type: str
    width: int
    height: int


def read_image_header(data: str) -> ImageHeader | None:
    """The header of an image given as base64; None if its bytes are of no format that the API takes."""
    image = Base64Bytes(data)
    first = image.read(0, _FIRST)
    if first.startswith(b"\x89PNG\r\n\x1a\n"):
        return _png(first)
    if first.startswith(b"\xff\xd8\xff"):
        return _jpeg(image)
    if first.startswith((b"GIF87a", b"GIF89a")):
        return ImageHeader("image/gif", _little(first, 6, 2), _little(first, 8, 2))
    if first.startswith(b"RIFF") and first[8:12] == b"WEBP":
        return _webp(first)
    return None


def _little(data: bytes, start: int, length: int) -> int:
    return int.from_bytes(data[start : start + length], "little")


def _big(data: bytes, start: int, length: int) -> int:
    return int.from_bytes(data[start : start + length], "big")


def _png(first: bytes) -> ImageHeader:
    if first[12:16] != b"IHDR" or len(first) < 24:
        return ImageHeader("image/png", 0, 0)
    return ImageHeader("image/png", _big(first, 16, 4), _big(first, 20, 4))


def _jpeg(image: Base64Bytes) -> ImageHeader:
    unread = ImageHeader("image/jpeg", 0, 0)
    place = 2
    for _ in range(_MOST_SEGMENTS):
        segment = image.read(place, 9)
        if len(segment) < 2 or segment[0] != 0xFF:
            return unread
        marker = segment[1]
        if marker == 0xFF:  # a fill byte
            place += 1
        elif marker in _WITHOUT_LENGTH:
            place += 2
        elif marker in _START_OF_FRAME:
            if len(segment) < 9:
                return unread
            return ImageHeader("image/jpeg", _big(segment, 7, 2), _big(segment, 5, 2))
        elif marker in {_START_OF_SCAN, _END_OF_IMAGE} or len(segment) < 4:
            return unread
        else:
            # The length counts its own two bytes; less than that would make no way.
            place += 2 + max(_big(segment, 2, 2), 2)
    return unread


def _webp(first: bytes) -> ImageHeader:
    chunk = first[12:16]
    width = height = 0
    if chunk == b"VP8 " and first[23:26] == b"\x9d\x01\x2a" and len(first) >= 30:
        # Two bits above each of the fourteen say how to scale on display.
        width, height = _little(first, 26, 2) & 0x3FFF, _little(first, 28, 2) & 0x3FFF
    elif chunk == b"VP8L" and first[20:21] == b"\x2f" and len(first) >= 25:
        packed = _little(first, 21, 4)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif chunk == b"VP8X" and len(first) >= 30:
        width, height = _little(first, 24, 3) + 1, _little(first, 27, 3) + 1
    return ImageHeader("image/webp", width, height)
