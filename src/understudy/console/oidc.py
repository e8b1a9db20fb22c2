"""Signing in with an OpenID Connect provider: authorization code with PKCE (RFC 7636), state and nonce.

What a browser must bring back is sealed in a cookie of its own, so that nothing is kept here of those who never come
back, and nobody can finish what another browser began. The provider only says who somebody is: users, and what they
may do, are the organization's.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
from collections.abc import Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs, urlencode

import orjson
from starlette.routing import BaseRoute

from understudy.console import cookies
from understudy.console.callers import SessionCallers
from understudy.console.endpoints import PATH
from understudy.console.pages import PATH as PAGES
from understudy.console.serving import route
from understudy.console.sign_in import SignIn
from understudy.http.exchange import Exchange
from understudy.net.client import Fetcher, FetchError
from understudy.net.guard import UrlRefusedError
from understudy.organization.clock import Clock
from understudy.organization.federation.jwks import ALGORITHMS, KeySource, KeysUnavailableError, check_url
from understudy.organization.store import actor_from
from understudy.storage.secrets import RootSecret
from understudy.wire.errors import InvalidRequestError, PermissionDeniedError

START: Final = PATH + "/oidc/start"
CALLBACK: Final = PATH + "/oidc/callback"

_COOKIE: Final = "understudy_oidc"
_SECONDS: Final = 600
_LEEWAY: Final = 30
_TIMEOUT: Final = 10.0
_MOST_BYTES: Final = 256 * 1024
_LONGEST_TOKEN: Final = 16 * 1024
_MOST_FIELDS: Final = 50

_log = logging.getLogger(__name__)


class _FailedError(Exception):
    """The provider's answer does not sign anybody in. The text says why; it is for the log."""


class SingleSignOn:
    """`secret` is the client's, if the provider gave one."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        secret: str | None,
        fetcher: Fetcher,
        root: RootSecret,
        callers: SessionCallers,
        signing_in: SignIn,
        clock: Clock,
    ) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._secret = secret
        self._fetcher = fetcher
        self._keys = KeySource(fetcher)
        self._seals = [key for _, key in root.derive_all("console single sign-on")]
        self._callers = callers
        self._sign_in = signing_in
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        return [route(START, "GET", self.start), route(CALLBACK, "GET", self.callback)]

    async def start(self, exchange: Exchange) -> None:
        """GET …/oidc/start: on to the provider."""
        self._callers.origins.check(exchange)
        state, nonce, verifier = (_random() for _ in range(3))
        try:
            document = await self._document()
        except _FailedError as error:
            await self._fail(exchange, "sso_failed", str(error))
            return
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": self._redirect_uri(exchange),
            "scope": "openid email profile",
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        where = document["authorization_endpoint"]
        sealed = self._seal([state, nonce, verifier, self._clock() + _SECONDS])
        # Lax: the browser comes back from another site.
        cookie = self._cookie(exchange, sealed, _SECONDS)
        await _redirect(exchange, f"{where}{'&' if '?' in where else '?'}{urlencode(asked)}", [cookie])

    async def callback(self, exchange: Exchange) -> None:
        """GET …/oidc/callback: back from the provider."""
        self._callers.origins.check_host(exchange)
        try:
            email, name = await self._identity(exchange)
        except _FailedError as error:
            await self._fail(exchange, "sso_failed", str(error))
            return
        try:
            secret = await self._sign_in.with_provider(actor_from(exchange, "stranger"), email, name)
        except PermissionDeniedError:
            await self._fail(exchange, "sso_denied", "nobody has the address, and nobody was invited by it")
            return
        _, cookie = await self._callers.begun(exchange, secret)
        await _redirect(exchange, PAGES + "/", [cookie, self._cookie(exchange, "", 0)])

    async def _identity(self, exchange: Exchange) -> tuple[str, str]:
        """The verified address and the name of who comes back."""
        try:
            given = parse_qs(exchange.scope["query_string"].decode("latin-1"), max_num_fields=_MOST_FIELDS)
        except ValueError:
            raise _FailedError("the query has too many fields") from None
        opened = self._open(cookies.read(exchange, self._cookie_name(exchange)) or "")
        if opened is None or self._clock() >= opened[3]:
            raise _FailedError("the browser did not begin this, or too long ago")
        state, nonce, verifier, _ = opened
        if given.get("state") != [state]:
            raise _FailedError("the state is another's")
        code = given.get("code", [""])
        if len(code) != 1 or not code[0]:
            raise _FailedError("the provider sent no code")
        fields = {
            "grant_type": "authorization_code",
            "code": code[0],
            "redirect_uri": self._redirect_uri(exchange),
            "code_verifier": verifier,
            "client_id": self._client_id,
        }
        if self._secret is not None:
            fields["client_secret"] = self._secret
        document = await self._document()
        try:
            answer = await self._fetcher.post_form(
                document["token_endpoint"],
                fields,
                headers={"Accept": "application/json"},
                most_bytes=_MOST_BYTES,
                timeout=_TIMEOUT,
            )
            token = orjson.loads(answer.body).get("id_token")
        except (FetchError, UrlRefusedError, orjson.JSONDecodeError, AttributeError) as error:
            raise _FailedError(f"the token endpoint: {error}") from None
        claims = await self._claims(token, nonce)
        email, name = claims.get("email"), claims.get("name")
        if not isinstance(email, str) or not email.isprintable() or claims.get("email_verified") is not True:
            raise _FailedError("the provider has verified no address")
        shown = name if isinstance(name, str) and name.strip() and name.isprintable() else email
        return email, shown[:500]

    async def _claims(self, token: object, nonce: str) -> Mapping[str, Any]:
        """The claims of an ID token, once it is known to be the provider's, for us, and of this sign-in."""
        import jwt

        if not isinstance(token, str) or len(token) > _LONGEST_TOKEN or not token.isascii():
            raise _FailedError("the provider sent no ID token")
        try:
            header = jwt.get_unverified_header(token)
            kid, algorithm = header.get("kid"), header.get("alg")
            if not isinstance(kid, str) or algorithm not in ALGORITHMS or "crit" in header:
                raise _FailedError("the ID token's header")
            key = await self._keys.key({"type": "discovery"}, self._issuer, kid, algorithm)
            if key is None:
                raise _FailedError("the ID token's key is unknown")
            claims = cast(
                "Mapping[str, Any]",
                jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    issuer=self._issuer,
                    audience=self._client_id,
                    options={"require": ["exp", "iat", "sub", "aud", "iss"]},
                    leeway=_LEEWAY,
                ),
            )
        except (KeysUnavailableError, jwt.PyJWTError, ValueError, TypeError, OverflowError) as error:
            raise _FailedError(f"the ID token: {type(error).__name__}: {error}") from None
        if not hmac.compare_digest(str(claims.get("nonce")).encode(), nonce.encode()):
            raise _FailedError("the ID token is of another sign-in")
        # OpenID Connect Core, 3.1.3.7: with several audiences the token says for whom it was made.
        if claims.get("azp", self._client_id) != self._client_id:
            raise _FailedError("the ID token was made for another client")
        return claims

    async def _document(self) -> dict[str, str]:
        """The provider's discovery document."""
        try:
            found = await self._keys.document(self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        except KeysUnavailableError as error:
            raise _FailedError(f"the discovery document: {error}") from None
        if found.get("issuer") != self._issuer:
            raise _FailedError("the discovery document is another issuer's")
        places: dict[str, str] = {}
        for name in ("authorization_endpoint", "token_endpoint"):
            url = found.get(name)
            if not isinstance(url, str):
                raise _FailedError(f"the discovery document has no {name}")
            try:
                check_url(name, url, self._fetcher)
            except InvalidRequestError as error:
                raise _FailedError(error.message) from None
            places[name] = url
        return places

    async def _fail(self, exchange: Exchange, error: str, reason: str) -> None:
        _log.warning("single sign-on failed, request %s: %s", exchange.request_id, reason[:500])
        where = f"{PAGES}/#/signin?error={error}&request_id={exchange.request_id}"
        await _redirect(exchange, where, [self._cookie(exchange, "", 0)])

    def _redirect_uri(self, exchange: Exchange) -> str:
        return self._callers.origins.address(exchange) + CALLBACK

    def _cookie_name(self, exchange: Exchange) -> str:
        return f"__Secure-{_COOKIE}" if self._callers.origins.is_secure(exchange) else _COOKIE

    def _cookie(self, exchange: Exchange, value: str, seconds: int) -> cookies.Field:
        secure = self._callers.origins.is_secure(exchange)
        name = self._cookie_name(exchange)
        return cookies.set_cookie(name, value, seconds=seconds, secure=secure, same_site="Lax", path=PATH + "/oidc")

    def _seal(self, said: list[Any]) -> str:
        text = base64.urlsafe_b64encode(orjson.dumps(said)).decode().rstrip("=")
        return f"{text}.{hmac.digest(self._seals[0], text.encode(), 'sha256').hex()}"

    def _open(self, sealed: str) -> tuple[str, str, str, float] | None:
        text, _, seal = sealed.partition(".")
        if not any(hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), seal) for key in self._seals):
            return None
        state, nonce, verifier, until = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return state, nonce, verifier, until


def _random() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")


async def _redirect(exchange: Exchange, where: str, headers: list[cookies.Field]) -> None:
    fields = [(b"location", where.encode("ascii", "ignore")), (b"cache-control", b"no-store"), *headers]
    await exchange.respond(303, b"", b"text/plain", fields)
