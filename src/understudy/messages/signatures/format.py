"""The bytes of a signature: the outside of the real service's, and inside a structure of our own that says whose it is.

Real ones are Base64 of a protobuf message whose body is field 2; those of models that bind thinking to its conversation
have a field 1 before it, so they begin with `CAQS` and the others with `E` (recorded). Ours do too. The body's header
names understudy, where the real one says what is signed, so that nobody takes the one for the other.
"""

from __future__ import annotations

import base64
import binascii
import string
from dataclasses import dataclass
from typing import Final

MARK: Final = b"understudy"

_BOUND: Final = b"\x08\x04"
_BODY: Final = 0x12
_HEADER: Final = b"\x08\x01" + bytes([0x42, len(MARK)]) + MARK
# Fields 1 to 8 of the body, each a string of bytes.
_TAGS: Final = tuple(field << 3 | 2 for field in range(1, 9))
_NOT_BASE64: Final = {code: "A" for code in range(128) if chr(code) not in string.ascii_letters + string.digits + "+/"}


@dataclass(frozen=True, slots=True)
class Parts:
    """What a signature is made of.

    `siv` authenticates everything, `sealed` is text that only its maker can read. `bound`: it looks like those of
    models that bind thinking to its conversation.
    """

    key_id: str
    model: str
    kind: bytes
    binding: bytes
    previous: bytes
    siv: bytes
    sealed: bytes
    bound: bool


def encode(parts: Parts) -> str:
    fields = (
        _HEADER,
        parts.key_id.encode(),
        parts.model.encode(),
        parts.kind,
        parts.binding,
        parts.previous,
        parts.siv,
        parts.sealed,
    )
    body = b"".join(_field(tag, value) for tag, value in zip(_TAGS, fields, strict=True))
    return base64.b64encode((_BOUND if parts.bound else b"") + _field(_BODY, body)).decode()


def decode(text: str) -> Parts | None:
    """None for what `encode` did not make: the same bytes in another spelling are refused as well."""
    try:
        raw = base64.b64decode(text, validate=True)
        bound = raw.startswith(_BOUND)
        body, _ = _read(raw, len(_BOUND) if bound else 0, _BODY)
        values: list[bytes] = []
        place = 0
        for tag in _TAGS:
            value, place = _read(body, place, tag)
            values.append(value)
        _, key_id, model, kind, binding, previous, siv, sealed = values
        parts = Parts(key_id.decode(), model.decode(), kind, binding, previous, siv, sealed, bound)
    except (ValueError, IndexError, binascii.Error):
        return None
    return parts if encode(parts) == text else None


def bytes_of(text: str) -> bytes:
    """The bytes of a text that was meant to be Base64, however damaged."""
    kept = text.rstrip("=").translate(_NOT_BASE64).encode("ascii", "replace").replace(b"?", b"A")
    return base64.b64decode(kept[: len(kept) - (len(kept) % 4 == 1)] + b"=" * (-len(kept) % 4 % 3))


def _field(tag: int, value: bytes) -> bytes:
    size = len(value)
    out = bytearray([tag])
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out) + value


def _read(data: bytes, place: int, tag: int) -> tuple[bytes, int]:
    if data[place] != tag:
        raise ValueError
    size = shift = 0
    while True:
        place += 1
        digit = data[place]
        size |= (digit & 0x7F) << shift
        if digit < 0x80:
            break
        shift += 7
    start = place + 1
    if start + size > len(data):
        raise ValueError
    return data[start : start + size], start + size
