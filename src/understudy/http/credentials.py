"""Which credential a request carries, and whose it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hmac import compare_digest
from typing import TypeAlias

from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator, Principal
from understudy.wire.errors import AuthenticationError

# Both texts were observed (2026-08-19 and 2026-09-02); the first belongs to x-api-key, the second to Bearer.
_BAD_KEY = "invalid x-api-key"
_BAD_BEARER = "API key is invalid."
# Of a token that is no API key (2026-08-26), and of an OAuth token without the beta that it needs (2026-04-17).
_NOT_A_KEY = "Invalid bearer token"
_NO_OAUTH = "OAuth authentication is currently not supported."
_OAUTH_TOKEN, _OAUTH_BETA = b"sk-ant-oat", b"oauth-2025-04-20"
# No recording shows a request without any credential; this is what the service's clients report.
_NO_KEY = "x-api-key header is required"

Caller: TypeAlias = Callable[[Exchange], Awaitable[Principal]]
"""Whose request it is, whatever that is for. 401 for nobody's."""


def by_key(authenticator: Authenticator) -> Caller:
    """Who is known by a key or token alone."""

    async def caller(exchange: Exchange) -> Principal:
        return await identify(exchange, authenticator)

    return caller


async def authenticate(exchange: Exchange, authenticator: Authenticator, path: str | None = None) -> Principal:
    """The caller. 401 as `identify`, and with a credential that is none for `path`.

    `path` is the request's own if None. Raises also what the authenticator and `Principal.at` raise.
    """
    principal = await identify(exchange, authenticator)
    return place(exchange, principal, exchange.scope["path"] if path is None else path)


def place(exchange: Exchange, principal: Principal, path: str) -> Principal:
    """The caller at `path`, in the workspace that the request names. 401 with a credential that is none there."""
    # An admin key is no key for inference, nor a workspace's for the organization: answered as any bad key is.
    if not principal.is_known_at(path):
        raise _bad(exchange)
    return principal.at(path, exchange.header(b"anthropic-workspace-id"))


async def identify(exchange: Exchange, authenticator: Authenticator) -> Principal:
    """Whose credential a request carries, whatever it is for. 401 without one, with a bad one, or with two that differ.

    Raises also what the authenticator raises.
    """
    key = exchange.headers.get(b"x-api-key")
    authorization = exchange.headers.get(b"authorization")
    bearer: bytes | None = None
    if authorization is not None:
        scheme, _, value = authorization.partition(b" ")
        if scheme.lower() == b"bearer":
            bearer = value.strip()
        elif key is None:
            raise AuthenticationError(_BAD_BEARER)
    given = bearer if key is None else key
    if given is None:
        raise AuthenticationError(_NO_KEY)
    # Two credentials are one caller or none: a proxy that adds its own must not lend it out.
    alike = key is None or bearer is None or compare_digest(key, bearer)
    client = exchange.scope.get("client")
    principal = await authenticator.authenticate(given.decode("latin-1"), client[0] if client else "")
    if principal is None or not alike:
        raise _bad(exchange)
    return principal


def _bad(exchange: Exchange) -> AuthenticationError:
    if b"x-api-key" in exchange.headers:
        return AuthenticationError(_BAD_KEY)
    token = exchange.headers[b"authorization"].partition(b" ")[2].strip()
    if token.startswith(_OAUTH_TOKEN) and _OAUTH_BETA not in exchange.headers.get(b"anthropic-beta", b""):
        return AuthenticationError(_NO_OAUTH)
    if token and (not token.startswith(b"sk-") or token.startswith(_OAUTH_TOKEN)):
        return AuthenticationError(_NOT_A_KEY, details={"error_visibility": "user_facing"})
    return AuthenticationError(_BAD_BEARER)
