"""Ids in the API's form: a prefix and 24 base58 characters that begin with `01`, ordered by time to the second.

Source: 43 of 43 recorded message ids are 28 characters long, and those since 2025-11 begin `011C`.
"""

from __future__ import annotations

import os
import time
from collections import Counter

_BASE58 = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_TO_BASE58 = bytes(_BASE58[byte % 58] for byte in range(256))

_RANDOM = 14

_second = 0
_stamp = ""
_pool = ""
_place = 0
# Ids given out of each prefix while they are counted.
_counts: Counter[str] | None = None


def _seconds_in_base58(second: int) -> bytes:
    digits = bytearray(6)
    for place in range(5, -1, -1):
        second, digit = divmod(second, 58)
        digits[place] = _BASE58[digit]
    return bytes(digits)


def new_id(prefix: str) -> str:
    """A fresh id such as `msg_011C…` for `prefix` `msg_`, or the next one where ids are counted."""
    return fresh_id(prefix) if _counts is None else _counted(prefix, _counts)


def fresh_id(prefix: str) -> str:
    """An id that no other has, also where ids are counted; 82 random bits behind the time."""
    global _second, _stamp, _pool, _place
    now = int(time.time())
    if now != _second:
        _second, _stamp = now, "011C" + _seconds_in_base58(now).decode("ascii")
    start = _place
    _place = end = start + _RANDOM
    if end > len(_pool):
        # Asking the system for a few bytes costs as much as asking for many.
        _pool = os.urandom(256 * _RANDOM).translate(_TO_BASE58).decode("ascii")
        start, _place = 0, _RANDOM
        end = _RANDOM
    return f"{prefix}{_stamp}{_pool[start:end]}"


def count_ids(on: bool) -> None:
    """Give out ids that count from nought, each prefix for itself, from now on; or, with False, fresh ones again.

    For tests that compare whole answers. It is the process that counts, so ids repeat after each call with True.
    """
    global _counts
    _counts = Counter() if on else None


def _counted(prefix: str, counts: Counter[str]) -> str:
    number = counts[prefix]
    counts[prefix] += 1
    digits = bytearray()
    while number:
        number, digit = divmod(number, 58)
        digits.append(_BASE58[digit])
    return f"{prefix}01{digits[::-1].decode('ascii').rjust(22, '1')}"


def _forget_pool() -> None:
    """A forked process must not give out its parent's ids again."""
    global _pool
    _pool = ""


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)
