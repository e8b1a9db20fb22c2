"""Hashes of passwords: argon2id, computed in threads, a few at a time.

The library is imported with the first password: a server that nobody signs in to never loads it.
"""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from argon2 import PasswordHasher

# OWASP's second choice of parameters (Password Storage Cheat Sheet, 2025): 19 MiB and two passes on one lane.
_MEMORY: Final = 19 * 1024  # KiB
_PASSES: Final = 2
_LANES: Final = 1
# Each that is under way takes its memory and a core.
_AT_ONCE: Final = 2

LONGEST: Final = 1_024
"""Characters of a password that anybody would look at."""


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY, parallelism=_LANES)


@cache
def _nobodys() -> str:
    return _hasher().hash("nobody's password")


class Passwords:
    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """What is stored of a password."""
        async with self._slots:
            return await asyncio.to_thread(lambda: _hasher().hash(_encoded(password)))

    async def verify(self, stored: str | None, password: str) -> bool:
        """Whether `stored` is of that password. With None it never is, and takes the same time to say so."""
        if len(password) > LONGEST:
            password, stored = "", None
        async with self._slots:
            return await asyncio.to_thread(_verify, stored, password)

    def is_old(self, stored: str) -> bool:
        """Whether it was made with other parameters than are used now."""
        return _hasher().check_needs_rehash(stored)


def _verify(stored: str | None, password: str) -> bool:
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        _hasher().verify(stored or _nobodys(), _encoded(password))
    except (VerificationError, InvalidHashError):
        return False
    return stored is not None


def _encoded(password: str) -> bytes:
    return password.encode("utf-8", "surrogatepass")
