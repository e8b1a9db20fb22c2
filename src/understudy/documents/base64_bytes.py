"""Bytes of a base64 text at any place, without decoding all of it."""

from __future__ import annotations

import binascii


class Base64Bytes:
    """A base64 text (RFC 4648 §4, padded or not) read like a file. What cannot be decoded reads as nothing."""

    __slots__ = ("_text", "size")

    def __init__(self, text: str) -> None:
        # Some encoders break lines; then no place could be computed.
        if "\n" in text:
            text = text.replace("\n", "").replace("\r", "")
        self._text = text
        self.size = (len(text) - text[-2:].count("=")) * 3 // 4

    def read(self, start: int, length: int) -> bytes:
        """Up to `length` bytes from `start`."""
        first = start // 3 * 4
        last = -(-(start + length) // 3) * 4
        group = self._text[first:last]
        try:
            # Characters that are none of base64's would be skipped otherwise, and shift what follows.
            decoded = binascii.a2b_base64(group + "=" * (-len(group) % 4), strict_mode=True)
        except (binascii.Error, ValueError):
            return b""
        skipped = start - start // 3 * 3
        return decoded[skipped : skipped + length]
