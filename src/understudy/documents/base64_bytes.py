"""Bytes of a base64 text at any place, without decoding all of it; and all of them, in short stretches."""

from __future__ import annotations

import binascii
from collections.abc import Generator
from typing import Final

# Some encoders break lines. A text this short is simply freed of its breaks; of a longer one the lines must be of one
# length, so that every place can be computed: 20 ms of copying would else stand in everybody's way.
_SHORT: Final = 1024 * 1024
# Characters decoded between two pauses: less than half a millisecond. A multiple of four.
PIECE: Final = 256 * 1024


class Base64Bytes:
    """A base64 text (RFC 4648 §4, padded or not) read like a file. What cannot be decoded reads as nothing."""

    __slots__ = ("_break", "_characters", "_text", "_whole", "_width", "size")

    def __init__(self, text: str) -> None:
        self._width = self._break = 0
        line = text.find("\n")
        if line >= 0 and len(text) <= _SHORT:
            text = text.replace("\n", "").replace("\r", "")
        elif line >= 0:
            self._break = 2 if text[:line].endswith("\r") else 1
            self._width = line + 1 - self._break
        self._text = text
        self._characters = len(text)
        if self._break:
            # The last line may be shorter, and may or may not have an end.
            length = len(text) - self._break if text.endswith("\n") else len(text)
            whole, rest = divmod(length, self._width + self._break)
            self._characters = whole * self._width + min(rest, self._width)
        end = text[-8:].replace("\n", "").replace("\r", "")[-2:]
        padding = len(end) - len(end.rstrip("="))
        self._whole = not self._characters % 4 if padding else self._characters % 4 != 1
        self.size = max(self._characters - padding, 0) * 3 // 4

    def _group(self, first: int, last: int) -> str | None:
        """Characters from `first` up to `last`; None if the lines are not of one length."""
        if not self._break:
            return self._text[first:last]
        last = min(last, self._characters)
        if not self._width or first >= last:
            return None if not self._width else ""
        start, end = (place + place // self._width * self._break for place in (first, last))
        group = self._text[start:end].replace("\n", "").replace("\r", "")
        return group if len(group) == last - first else None

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`."""
        first = start // 3 * 4
        last = -(-(start + length) // 3) * 4
        group = self._group(first, last)
        if group is None:
            return b""
        try:
            # Characters that are none of base64's would be skipped otherwise, and shift what follows.
            decoded = binascii.a2b_base64(group + "=" * (-len(group) % 4), strict_mode=True)
        except (binascii.Error, ValueError):
            return b""
        skipped = start - start // 3 * 3
        return decoded[skipped : skipped + length]

    def pieces(self) -> Generator[bytes, None, bool]:
        """All bytes, in pieces of some 200 KB. Returns whether the whole text was base64; it ends where it is not."""
        most = PIECE // 4 * 3
        for start in range(0, self.size, most):
            expected = min(most, self.size - start)
            piece = self.read(start, most)
            if len(piece) != expected:
                return False
            yield piece
        return self._whole


def decoded(text: str) -> Generator[None, None, bytes | None]:
    """The bytes of a base64 text; None if it is not base64. Yields after each piece of work."""
    pieces: list[bytes] = []
    reading = Base64Bytes(text).pieces()
    while True:
        try:
            pieces.append(next(reading))
        except StopIteration as end:
            return b"".join(pieces) if end.value else None
        yield
