"""A key as a scanner of secrets tells it from noise, by nothing but what is written of its form."""

from __future__ import annotations

import re
import zlib

_KEY = re.compile(r"(sk-understudy-(?:api|admin)-[0-9A-Za-z]{43})([0-9A-Za-z]{6})")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_well_formed(secret: str) -> bool:
    found = _KEY.fullmatch(secret)
    if found is None:
        return False
    checksum = 0
    for character in found[2]:
        checksum = checksum * 62 + _DIGITS.index(character)
    return checksum == zlib.crc32(found[1].encode())
