"""The cookies: their names, how they are set, and what a request sent of them."""

from __future__ import annotations

import re
from typing import Final, Literal

from understudy.http.exchange import Exchange

SESSION: Final = "understudy_session"
"""Under TLS with `__Host-` before it, so that no other host of the domain can set it."""

_VALUE: Final = re.compile(r"[A-Za-z0-9._~-]{1,4000}").fullmatch
_MOST: Final = 16_384

Field = tuple[bytes, bytes]


def session_name(*, secure: bool) -> str:
    return f"__Host-{SESSION}" if secure else SESSION


def read(exchange: Exchange, name: str) -> str | None:
    """The value of a cookie; None where none was sent, or several that differ."""
    header = exchange.header(b"cookie")
    if header is None or len(header) > _MOST:
        return None
    values: set[str] = set()
    for pair in header.split(";"):
        given, _, value = pair.strip().partition("=")
        if given == name:
            values.add(value.strip('"'))
    value = values.pop() if len(values) == 1 else ""
    return value if _VALUE(value) else None


def set_cookie(
    name: str, value: str, *, seconds: int, secure: bool, same_site: Literal["Strict", "Lax"], path: str = "/"
) -> Field:
    """A header that sets a cookie that no script reads, for so many seconds; with 0, one that removes it."""
    parts = [f"{name}={value}", f"Path={path}", f"Max-Age={seconds}", "HttpOnly", f"SameSite={same_site}"]
    if secure:
        parts.append("Secure")
    return b"set-cookie", "; ".join(parts).encode()
