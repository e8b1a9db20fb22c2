"""API key secrets: how they look, and the keyed hash by which they are recognised.

`sk-understudy-api-` (admin keys: `sk-understudy-admin-`), then 256 random bits as 43 base62 characters, then the
CRC32 of all before as 6 more, so that scanners can tell a key from noise without asking anyone. The prefix is our
own: nobody takes our keys for Anthropic's and revokes or reports them.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from typing import Literal

KeyKind = Literal["api", "admin"]

PREFIXES: dict[KeyKind, str] = {"api": "sk-understudy-api-", "admin": "sk-understudy-admin-"}
HASH_PURPOSE = "api key hash"

_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_CHARACTERS = 43  # 62 ** 43 > 2 ** 256
_CHECKSUM_CHARACTERS = 6  # 62 ** 6 > 2 ** 32


def mint(kind: KeyKind) -> str:
    """A new secret."""
    body = PREFIXES[kind] + _base62(secrets.randbits(256), _RANDOM_CHARACTERS)
    return body + _checksum(body)


def partial_key_hint(secret: str) -> str:
    """What may be shown of a minted secret: its prefix and 3 characters, and the last 4."""
    prefix = next(prefix for prefix in PREFIXES.values() if secret.startswith(prefix))
    return f"{secret[: len(prefix) + 3]}...{secret[-4:]}"


class KeyHash:
    """HMAC-SHA256 (RFC 2104) under one key. Both paddings are hashed beforehand: 0.6 µs where hmac.digest takes 1.5."""

    __slots__ = ("_inner", "_outer", "key_id")

    def __init__(self, key_id: str, key: bytes) -> None:
        """`key`: 1 to 64 bytes; `key_id` names the root secret it is derived from."""
        if not 0 < len(key) <= 64:
            raise ValueError("the key must have 1 to 64 bytes")
        self.key_id = key_id
        block = key.ljust(64, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in block))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in block))

    def digest(self, secret: bytes) -> bytes:
        """The 32 bytes by which `secret` is recognised."""
        inner = self._inner.copy()
        inner.update(secret)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()


def _base62(number: int, length: int) -> str:
    characters: list[str] = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        characters.append(_BASE62[digit])
    return "".join(reversed(characters))


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECKSUM_CHARACTERS)
