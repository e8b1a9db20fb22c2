"""Choices that are the same on every machine and in every run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

from understudy.engines.simulator.history import FEWEST, kept_history
from understudy.wire.json_text import canonical_json

T = TypeVar("T")

# What says how an answer is delivered, not what it is: a shorter answer is the beginning of the longer one, and a
# streamed answer is the whole one.
_NOT_CONTENT = frozenset(
    {
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "metadata",
        "safeguards",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "user_profile_id",
    }
)


class Seeded:
    """A stream of numbers grown from a seed by blake2b; nothing of the interpreter's own randomness."""

    __slots__ = ("_block", "_counter", "_key")

    def __init__(self, seed: bytes) -> None:
        # A seed that is a hash itself serves as the first numbers.
        self._key = self._block = seed if len(seed) == 32 else hashlib.blake2b(seed, digest_size=32).digest()
        self._counter = 0

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        if len(self._block) < 4:
            self._block = hashlib.blake2b(self._counter.to_bytes(8, "big"), key=self._key).digest()
            self._counter += 1
        number = int.from_bytes(self._block[:4], "big")
        self._block = self._block[4:]
        return number * limit >> 32

    def share(self) -> float:
        """A number from 0 up to, but not including, 1."""
        return self.below(1 << 30) / (1 << 30)

    def choice(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]


def seed_of(request: dict[str, Any], seed: int, tenant: str | None = None) -> bytes:
    """The configured seed mixed with the request in a canonical form. `tenant`: whose request it is."""
    content = {name: value for name, value in request.items() if name not in _NOT_CONTENT}
    key = str(seed).encode()
    messages = content["messages"]
    history = kept_history(tenant, messages) if len(messages) >= FEWEST else None
    if history is not None and history.known and history.plain:
        return history.prefix.digest(content, key, history.known)
    return hashlib.blake2b(canonical_json(content), key=key, digest_size=32).digest()
