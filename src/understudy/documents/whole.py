"""Whether an image is all there: valid base64 to its end, and parts that end within it.

Nothing is decoded, so what is inside the compressed parts is not judged; a file that was cut off, or is a header with
nothing behind it, is found. Where the service's own decoder would be lenient the image is taken. Formats as in
`images.py`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from understudy.documents.base64_bytes import Base64Bytes
from understudy.documents.images import ImageHeader

Scan = Generator[None, None, bool]

_WINDOW: Final = 48 * 1024
# Parts looked at between two pauses, and in all. A file with more is taken as it is: none of ten megabytes needs them.
_BETWEEN: Final = 256
_MOST_PARTS: Final = 100_000

# A conversation sends its images again with every turn. Those that were found whole are remembered by the interpreter's
# own keyed hash and their length, as texts are in `tokens/tokenizer.py`; hashing takes a tenth of the time.
_MOST_REMEMBERED: Final = 16_384
_remembered: dict[int, None] = {}


class _Window:
    """Reads an image from its front to its end, a stretch at a time."""

    __slots__ = ("_bytes", "_image", "_start")

    def __init__(self, image: Base64Bytes) -> None:
        self._image = image
        self._start, self._bytes = 0, b""

    def take(self, place: int, length: int) -> bytes:
        begin = place - self._start
        if begin < 0 or begin + length > len(self._bytes):
            self._start, self._bytes, begin = place, self._image.read(place, _WINDOW), 0
        return self._bytes[begin : begin + length]


def scan_image(data: str, header: ImageHeader) -> Scan:
    """Read an image given as base64. Yields after each piece of work; returns whether it is all there."""
    if not header.width or not header.height:
        return False
    key = hash(data) << 28 | len(data)
    if key in _remembered:
        return True
    yield
    whole = yield from _scan(data, header)
    if whole:
        if len(_remembered) >= _MOST_REMEMBERED:
            for old in list(_remembered)[: _MOST_REMEMBERED // 2]:
                del _remembered[old]
        _remembered[key] = None
    return whole


def _scan(data: str, header: ImageHeader) -> Scan:
    image = Base64Bytes(data)
    pieces = image.pieces()
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            if not end.value:
                return False
            break
        yield
    match header.media_type:
        case "image/png":
            return (yield from _png(image))
        case "image/jpeg":
            return (yield from _jpeg(image))
        case "image/gif":
            return (yield from _gif(image))
        case _:
            # The size that RIFF states does not count its own eight bytes.
            return int.from_bytes(image.read(4, 4), "little") + 8 <= image.size + 1


def _png(image: Base64Bytes) -> Scan:
    window, place, pixels = _Window(image), 8, False
    for part in range(_MOST_PARTS):
        chunk = window.take(place, 8)
        if len(chunk) < 8:
            return pixels
        name = chunk[4:]
        if name == b"IEND":
            return pixels
        # Length, name, data, checksum.
        place += 12 + int.from_bytes(chunk[:4], "big")
        if place > image.size:
            return False
        pixels = pixels or name == b"IDAT"
        if part % _BETWEEN == 0:
            yield
    return True


def _jpeg(image: Base64Bytes) -> Scan:
    window, place = _Window(image), 2
    for part in range(_MOST_PARTS):
        segment = window.take(place, 4)
        if len(segment) < 4 or segment[0] != 0xFF:
            return False
        marker = segment[1]
        if marker == 0xFF:
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD7:
            place += 2
        else:
            place += 2 + max(int.from_bytes(segment[2:], "big"), 2)
            if marker == 0xDA:
                break
        if part % _BETWEEN == 0:
            yield
    # The scan must come to an end somewhere behind its header.
    end = image.size
    while end > place:
        start = max(end - _WINDOW, place)
        if b"\xff\xd9" in image.read(start, end - start + 1):
            return True
        end = start
        yield
    return False


def _gif(image: Base64Bytes) -> Scan:
    """Up to the end of the first picture: no other is seen (vision.md, "Animations are unsupported")."""
    window, place = _Window(image), 13
    flags = window.take(10, 1)
    if flags and flags[0] & 0x80:
        place += 3 << (flags[0] & 7) + 1
    picture = False
    for part in range(_MOST_PARTS):
        if part % _BETWEEN == 0:
            yield
        kind = window.take(place, 1)
        if kind == b"\x21":
            place += 2
        elif kind == b"\x2c":
            descriptor = window.take(place, 10)
            if len(descriptor) < 10:
                return False
            # The descriptor, its own colours, and the byte that says how wide the first codes are.
            place += 11 + (3 << (descriptor[9] & 7) + 1 if descriptor[9] & 0x80 else 0)
            picture = True
        else:
            return False
        for block in range(_MOST_PARTS):
            length = window.take(place, 1)
            if not length or place + length[0] >= image.size:
                return False
            place += 1 + length[0]
            if not length[0]:
                break
            if block % _BETWEEN == 0:
                yield
        if picture:
            return True
    return True
