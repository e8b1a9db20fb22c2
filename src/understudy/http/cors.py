"""The rule for browsers: a request with an Origin must say that it knows its key is exposed.

Source: the 401 text observed on the real service. Credentials (cookies) are never allowed.
"""

from __future__ import annotations

from understudy.http.exchange import Exchange
from understudy.wire.errors import AuthenticationError

_OPT_IN = b"anthropic-dangerous-direct-browser-access"
_REFUSAL = "CORS requests must set 'anthropic-dangerous-direct-browser-access' header"

_PREFLIGHT = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, POST, DELETE, OPTIONS"),
    (b"access-control-max-age", b"600"),
    (b"vary", b"access-control-request-headers"),
]


def is_preflight(exchange: Exchange) -> bool:
    headers = exchange.headers
    return exchange.record.method == "OPTIONS" and b"origin" in headers and b"access-control-request-method" in headers


async def answer_preflight(exchange: Exchange) -> None:
    """204 when the request to come will carry the opt-in header, else the same 401 that it would get."""
    wanted = exchange.headers.get(b"access-control-request-headers", b"").lower()
    names = [name.strip() for name in wanted.split(b",")]
    if _OPT_IN not in names:
        raise AuthenticationError(_REFUSAL)
    # Only names made of a header's own characters are repeated.
    safe = [
        name for name in names if name and len(name) <= 100 and name.replace(b"-", b"").replace(b"_", b"").isalnum()
    ]
    await exchange.start(204, [*_PREFLIGHT, (b"access-control-allow-headers", b", ".join(safe))])
    await exchange.write(b"", more=False)


def check_origin(exchange: Exchange) -> None:
    headers = exchange.headers
    if b"origin" in headers:
        if headers.get(_OPT_IN, b"").strip().lower() != b"true":
            raise AuthenticationError(_REFUSAL)
        exchange.cors = True
