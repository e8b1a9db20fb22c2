"""Secrets of sessions and links: 256 random bits, of which only a keyed hash is kept."""

from __future__ import annotations

import base64
import os
import re
from typing import Final, NamedTuple

from understudy.organization.keys import KeyHash
from understudy.storage.secrets import RootSecret

_IS_ONE: Final = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch


class Hashed(NamedTuple):
    """A secret as it is stored."""

    hash: str
    hash_key_id: str


class Secrets:
    """Mints secrets for one purpose, and knows what is stored of them."""

    def __init__(self, root: RootSecret, purpose: str) -> None:
        self._hashes = [KeyHash(key_id, key) for key_id, key in root.derive_all(purpose)]

    def mint(self) -> tuple[str, Hashed]:
        """A new secret."""
        secret = base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
        return secret, self.hashed(secret)[0]

    def hashed(self, secret: str) -> list[Hashed]:
        """What may be stored of `secret`, by each root secret; nothing for a text that was never minted."""
        if _IS_ONE(secret) is None:
            return []
        return [Hashed(one.digest(secret.encode()).hex(), one.key_id) for one in self._hashes]
