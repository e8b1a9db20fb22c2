"""The Range header (RFC 9110, 14): one range of bytes; several, or another unit, are answered with the whole."""

from __future__ import annotations

import re
from typing import Final

from understudy.files.errors import RangeNotSatisfiableError

_ONE: Final = re.compile(r"bytes=\s*(\d{0,19})-(\d{0,19})\s*")


def range_of(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last; None for the whole. Raises RangeNotSatisfiableError."""
    found = _ONE.fullmatch(header.strip()) if header is not None else None
    if found is None:
        return None
    first, last = found.groups()
    if not first and not last:
        return None
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), size if not last else min(int(last) + 1, size)
        if last and int(last) < int(first):
            return None
    if start >= end:
        raise RangeNotSatisfiableError(headers={"content-range": f"bytes */{size}"})
    return start, end
