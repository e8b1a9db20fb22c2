"""Who asks by a session: the cookie, and for whatever changes something the token that only our own page knows."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from understudy.console import cookies
from understudy.console.origin import Origins
from understudy.console.sessions import Session, Sessions, SignedIn
from understudy.http.credentials import Caller
from understudy.http.exchange import Exchange
from understudy.http.principal import Principal
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import AuthenticationError, OverloadedError, PermissionDeniedError

CSRF_HEADER: Final = b"x-understudy-csrf"

_READING: Final = {"GET", "HEAD"}
_WORKSPACE: Final = b"anthropic-workspace-id"
_KEYS: Final = (b"x-api-key", b"authorization")


class SessionCallers:
    """`default_workspace`: the id of the one that is meant where none is named."""

    def __init__(
        self,
        sessions: Sessions,
        origins: Origins,
        root: RootSecret,
        default_workspace: Callable[[], str | None],
    ) -> None:
        self._sessions = sessions
        self._default_workspace = default_workspace
        self.origins = origins
        self._keys = [key for _, key in root.derive_all("console csrf token")]

    async def find(self, exchange: Exchange) -> SignedIn | None:
        """Who is signed in where the request comes from. 403 unless that is our own page."""
        self.origins.check(exchange)
        secret = self._secret(exchange)
        return None if secret is None else await self._sessions.find(secret)

    async def require(self, exchange: Exchange) -> SignedIn:
        """The same for a request to act on. 401 for nobody, 403 for a change without the session's token."""
        found = await self.find(exchange)
        if found is None:
            raise AuthenticationError("You are not signed in, or no longer so.")
        if exchange.scope["method"] not in _READING and not self._has_token(exchange, found.session):
            raise PermissionDeniedError(f"The header {CSRF_HEADER.decode()} is missing, or not this session's.")
        return found

    async def begun(self, exchange: Exchange, secret: str) -> tuple[SignedIn, cookies.Field]:
        """Who has just signed in, and the cookie for it. What the browser had before is over."""
        former = self._secret(exchange)
        before = None if former is None else await self._sessions.find(former)
        if before is not None:
            await self._sessions.end(before.session)
        await self._sessions.settle()
        found = await self._sessions.find(secret)
        if found is None:
            raise OverloadedError("You are signed in, but that is not known everywhere yet. Try again.")
        secure = self.origins.is_secure(exchange)
        name = cookies.session_name(secure=secure)
        seconds = int(self._sessions.lifetime)
        return found, cookies.set_cookie(name, secret, seconds=seconds, secure=secure, same_site="Strict")

    async def in_workspace(self, exchange: Exchange, named: str | None = None) -> Principal:
        """Who is signed in, in the workspace of that id, or that the request's header names. 403 for one where the
        person may not develop, whether there is one of that id or not."""
        principal = (await self.require(exchange)).person.principal
        workspace_id = named or exchange.header(_WORKSPACE) or self._default_workspace() or ""
        if workspace_id not in (principal.workspaces or ()):
            # It may have been opened to this person a moment ago.
            await self._sessions.settle()
            principal = (await self.require(exchange)).person.principal
        grant = (principal.workspaces or {}).get(workspace_id)
        if grant is None:
            raise PermissionDeniedError("Your role does not allow this in that workspace. It needs: inference")
        return replace(principal, workspace_id=workspace_id, grant=grant)

    def token(self, session: Session) -> str:
        """What our own page sends along with every change."""
        return _token(self._keys[0], session)

    def or_by_key(self, by_key: Caller) -> Caller:
        """Who is known by a key, and who is signed in where a request has none."""

        async def caller(exchange: Exchange) -> Principal:
            if any(name in exchange.headers for name in _KEYS) or self._secret(exchange) is None:
                return await by_key(exchange)
            return (await self.require(exchange)).person.principal

        return caller

    def _secret(self, exchange: Exchange) -> str | None:
        return cookies.read(exchange, cookies.session_name(secure=self.origins.is_secure(exchange)))

    def _has_token(self, exchange: Exchange, session: Session) -> bool:
        given = exchange.headers.get(CSRF_HEADER, b"")
        return any(hmac.compare_digest(_token(key, session).encode(), given) for key in self._keys)


def _token(key: bytes, session: Session) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, session.hash.encode(), "sha256")).decode().rstrip("=")
