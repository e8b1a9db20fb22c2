"""`encrypted_content` and `encrypted_index`: text that comes back with the conversation, readable only here.

Nothing of it is kept: what a search found is carried by the conversation itself, as in the real service. The seal is
SIV (RFC 5297) with an HMAC and a key stream, as for thinking (messages/signatures): it names the organization and what
it was made for, and another organization's, or one with a bit changed, opens as nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import zlib
from collections.abc import Sequence
from typing import Final

PURPOSE: Final = "web results"
"""What `RootSecret.derive_all` is asked for."""

CONTENT: Final = "web_search_result"
INDEX: Final = "web_search_result_location"
OUTPUT: Final = "encrypted_code_execution_result"
"""What `encrypted_content`, `encrypted_index` and `encrypted_stdout` are sealed as."""

# Field 2 of a protobuf message, as those of the real service begin (recorded).
_TAG: Final = 0x12
_SIV: Final = 32
_ID: Final = 8
_STEP: Final = 64
MOST_BYTES: Final = 64 * 1024
"""Of text that is sealed, and of a seal that is opened, in its plain form."""


class Sealed:
    """Seals with the first of `keys` (key id, 32 bytes) and opens what any of them sealed. `most_bytes`: of a text."""

    def __init__(self, keys: Sequence[tuple[str, bytes]], most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._keys = {
            hashlib.blake2b(key_id.encode(), digest_size=_ID).digest(): (
                hmac.digest(key, b"authenticate", "sha256"),
                hmac.digest(key, b"encrypt", "sha256"),
            )
            for key_id, key in keys
        }
        self._newest = next(iter(self._keys))

    def seal(self, kind: str, organization_id: str, text: str) -> str:
        """The same text is sealed alike. Raises ValueError for a longer one than is sealed."""
        raw = text.encode("utf-8", "surrogatepass")
        if len(raw) > self._most_bytes:
            raise ValueError("the text is too long to be sealed")
        packed = zlib.compress(raw, 6)
        plain = len(packed).to_bytes(4, "big") + packed
        plain += bytes(-len(plain) % _STEP)
        siv = self._siv(self._newest, kind, organization_id, plain)
        body = self._newest + siv + self._crypt(self._newest, siv, plain)
        return base64.b64encode(bytes([_TAG]) + _varint(len(body)) + body).decode()

    def open(self, kind: str, organization_id: str, sealed: str) -> str | None:
        """The text; None for what was not sealed here for this very organization and kind."""
        if len(sealed) > 2 * self._most_bytes:
            return None
        try:
            raw = base64.b64decode(sealed, validate=True)
        except (ValueError, binascii.Error):
            return None
        start = next((place for place in range(1, min(len(raw), 6)) if raw[place] < 0x80), 0) + 1
        body = raw[start:]
        head = bytes([_TAG]) + _varint(len(body))
        if raw[:start] != head or len(body) < _ID + _SIV:
            return None
        key_id, siv, hidden = body[:_ID], body[_ID : _ID + _SIV], body[_ID + _SIV :]
        if key_id not in self._keys or base64.b64encode(raw).decode() != sealed:
            return None
        plain = self._crypt(key_id, siv, hidden)
        if not hmac.compare_digest(self._siv(key_id, kind, organization_id, plain), siv):
            return None
        packed = plain[4 : 4 + int.from_bytes(plain[:4], "big")]
        return zlib.decompress(packed).decode("utf-8", "surrogatepass")

    def _siv(self, key_id: bytes, kind: str, organization_id: str, plain: bytes) -> bytes:
        mac = hmac.new(self._keys[key_id][0], digestmod="sha256")
        for field in (kind.encode(), organization_id.encode(), plain):
            mac.update(len(field).to_bytes(8, "big"))
            mac.update(field)
        return mac.digest()

    def _crypt(self, key_id: bytes, siv: bytes, text: bytes) -> bytes:
        stream = hashlib.shake_256(self._keys[key_id][1] + siv).digest(len(text))
        return (int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(text), "big")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])
