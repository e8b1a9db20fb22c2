"""Which credential a request carries, and whose it is."""

from __future__ import annotations

from hmac import compare_digest

from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator, Principal
from understudy.wire.errors import AuthenticationError

# Both texts were observed (2026-08-19 and 2026-09-02); the first belongs to x-api-key, the second to Bearer.
_BAD_KEY = "invalid x-api-key"
_BAD_BEARER = "API key is invalid."
# No recording shows a request without any credential; this is what the service's clients report.
_NO_KEY = "x-api-key header is required"


async def authenticate(exchange: Exchange, authenticator: Authenticator) -> Principal:
    """The caller. 401 without a credential, with a bad one, or with two that differ."""
    key = exchange.headers.get(b"x-api-key")
    authorization = exchange.headers.get(b"authorization")
    bearer: bytes | None = None
    if authorization is not None:
        scheme, _, value = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            bearer = value.strip()
        elif key is None:
            raise AuthenticationError(_BAD_BEARER)
    if key is None:
        if bearer is None:
            raise AuthenticationError(_NO_KEY)
        principal = await authenticator.authenticate(bearer.decode("latin-1"))
        if principal is None:
            raise AuthenticationError(_BAD_BEARER)
        return principal
    # Two credentials are one caller or none: a proxy that adds its own must not lend it out.
    alike = bearer is None or compare_digest(key, bearer)
    principal = await authenticator.authenticate(key.decode("latin-1"))
    if principal is None or not alike:
        raise AuthenticationError(_BAD_KEY)
    return principal
