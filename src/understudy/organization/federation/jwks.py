"""Where an issuer's signing keys come from, and fetching those that are elsewhere.

URLs are https, port 443, of a public name, and lead nowhere else (WIF reference, 2026-08); what the operator vouches
for in `net.allow` may be anything. Keys are kept for some minutes; one that is unknown has them fetched anew, but not
more often than every few seconds, whatever is sent.
"""

from __future__ import annotations

import asyncio
import importlib.util
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import orjson

from understudy.net.client import Fetcher, FetchError
from understudy.net.guard import UrlRefusedError
from understudy.organization.clock import rfc3339_or_none
from understudy.organization.federation.shapes import Discovery, ExplicitUrl, Jwks
from understudy.wire.errors import InvalidRequestError

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
"""Only these sign assertions. The others share a secret, or are none."""

_FAMILIES: Final = {"RSA": ("RS", "PS"), "EC": ("ES",)}
_SECRET_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_KEPT: Final = 300.0  # seconds
_LEAST_AGE: Final = 10.0
_TIMEOUT: Final = 5.0
_MOST_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 100
_MOST_SOURCES: Final = 1_000


class KeysUnavailableError(Exception):
    """The issuer's keys could not be had. The text says why; it is for the log."""


def can_verify() -> bool:
    """Whether the library that verifies assertions is installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("jwt", "cryptography"))


def check_jwks(jwks: Jwks, issuer_url: str, fetcher: Fetcher | None) -> None:
    """400 for a source that cannot be one, and where no assertion could be verified."""
    if not can_verify():
        raise InvalidRequestError(
            "This server cannot verify workload identities. Its extra `federation` is not installed: "
            "pip install 'understudy[federation]'"
        )
    if jwks["type"] == "inline":
        for place, key in enumerate(jwks["keys"]):
            _check_key(f"jwks.keys.{place}", key)
        return
    if jwks.get("ca_cert_pem") is not None:
        raise InvalidRequestError("jwks.ca_cert_pem: certificate authorities of one's own are not supported")
    if jwks["type"] == "explicit_url":
        check_url("jwks.url", jwks["url"], fetcher)
    else:
        base = jwks.get("discovery_base")
        check_url("issuer_url" if base is None else "jwks.discovery_base", base or issuer_url, fetcher)


def _check_key(path: str, key: Mapping[str, Any]) -> None:
    if _SECRET_MEMBERS & key.keys():
        raise InvalidRequestError(f"{path}: must be a public key")
    if not isinstance(key.get("kid"), str) or not key["kid"]:
        raise InvalidRequestError(f"{path}.kid: Field required")
    if usable(key) is None:
        raise InvalidRequestError(f"{path}: must be an RSA or EC key for signatures, RSA of at least 2048 bits")


def check_url(name: str, text: str, fetcher: Fetcher | None) -> None:
    """400 for a URL that is not an issuer's to name: see above."""
    if fetcher is None:
        raise InvalidRequestError(f"{name}: fetching is switched off here. Give the keys as jwks.type inline.")
    try:
        target = fetcher.guard.judge(text)
    except UrlRefusedError as error:
        raise InvalidRequestError(f"{name}: url is not allowed: {error}") from None
    if fetcher.guard.trusts(target):
        return
    if target.url.scheme != "https":
        raise InvalidRequestError(f"{name}: url must use https scheme")
    if target.port != 443:
        raise InvalidRequestError(f"{name}: url must use port 443")
    if target.address is not None or "." not in target.host:
        raise InvalidRequestError(f"{name}: url must name a public host")


def usable(key: Mapping[str, Any], algorithm: str | None = None) -> Any:
    """The key behind a JWK, as `cryptography` has it, or None if it is none for `algorithm` (None: for any)."""
    import jwt
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    families = _FAMILIES.get(str(key.get("kty")), ())
    if key.get("use", "sig") != "sig" or not families:
        return None
    own = key.get("alg")
    wanted = algorithm or own or {"RSA": "RS256", "EC": _CURVES.get(str(key.get("crv")))}[str(key["kty"])]
    if wanted not in ALGORITHMS or not wanted.startswith(families) or (own is not None and own != wanted):
        return None
    if wanted.startswith("ES") and _CURVES.get(str(key.get("crv"))) != wanted:
        return None
    try:
        found: Any = jwt.PyJWK(dict(key), wanted).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    if isinstance(found, RSAPublicKey) and found.key_size < 2_048:
        return None
    return found if not hasattr(found, "private_bytes") else None


_CURVES: Final = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}


class KeySource:
    """Finds the key that an assertion names. `clock`: seconds, not of the day."""

    def __init__(self, fetcher: Fetcher | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._fetched: OrderedDict[str, _Fetched] = OrderedDict()

    async def key(self, jwks: Jwks, issuer_url: str, kid: str, algorithm: str) -> Any:
        """The public key `kid`, fit for `algorithm`, or None. Raises KeysUnavailableError."""
        if jwks["type"] == "inline":
            keys: list[dict[str, Any]] = jwks["keys"]
        else:
            discovery, base = jwks["type"] == "discovery", _base(jwks, issuer_url)
            source = self._fetched.get(base)
            if source is None:
                source = self._fetched[base] = _Fetched()
                if len(self._fetched) > _MOST_SOURCES:
                    self._fetched.popitem(last=False)
            keys = await self._keys(source, base, kid, discovery=discovery)
        for key in keys:
            if key.get("kid") == kid:
                return usable(key, algorithm)
        return None

    def status(self, jwks: Jwks, issuer_url: str) -> dict[str, Any] | None:
        """How fetching the keys goes in this process, as the API shows it; None while nothing was tried."""
        source = None if jwks["type"] == "inline" else self._fetched.get(_base(jwks, issuer_url))
        if source is None:
            return None
        fetched_at = rfc3339_or_none(source.fetched_at)
        # Keys are fetched when a token comes: no next time is known.
        return {"consecutive_failures": source.failures, "last_fetched_at": fetched_at, "next_poll_at": None}

    async def _keys(self, source: _Fetched, base: str, kid: str, *, discovery: bool) -> list[dict[str, Any]]:
        async with source.lock:
            age = self._clock() - source.at
            known = any(key.get("kid") == kid for key in source.keys)
            if age > _KEPT or (not known and age > _LEAST_AGE):
                source.at = self._clock()
                source.keys = []
                source.failures += 1
                source.keys = await self._fetch(base, discovery=discovery)
                source.failures, source.fetched_at = 0, time.time()
            return source.keys

    async def _fetch(self, base: str, *, discovery: bool) -> list[dict[str, Any]]:
        url = base
        if discovery:
            document = await self.document(base.rstrip("/") + "/.well-known/openid-configuration")
            url = document.get("jwks_uri")
            if not isinstance(url, str):
                raise KeysUnavailableError("the discovery document has no jwks_uri")
        keys = (await self.document(url)).get("keys")
        if not isinstance(keys, list):
            raise KeysUnavailableError("the key set has no keys")
        return [cast("dict[str, Any]", key) for key in cast("list[object]", keys)[:_MOST_KEYS] if isinstance(key, dict)]

    async def document(self, url: str) -> dict[str, Any]:
        """The JSON object at a URL that an issuer, or who configured it, named. Raises KeysUnavailableError."""
        try:
            # Once more, for a discovery document may name any URL.
            check_url("url", url, self._fetcher)
            fetcher = cast("Fetcher", self._fetcher)
            fetched = await fetcher.fetch(url, most_bytes=_MOST_BYTES, timeout=_TIMEOUT)
            if fetched.final_url != str(fetcher.guard.judge(url).url):
                raise KeysUnavailableError("it redirects")
            document: object = orjson.loads(fetched.body)
        except (FetchError, UrlRefusedError, InvalidRequestError, orjson.JSONDecodeError) as error:
            raise KeysUnavailableError(str(error)) from None
        if not isinstance(document, dict):
            raise KeysUnavailableError("it is no JSON object")
        return cast("dict[str, Any]", document)


class _Fetched:
    """What was fetched from one place, and when it was last tried."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.at = float("-inf")
        self.keys: list[dict[str, Any]] = []
        self.failures = 0
        self.fetched_at: float | None = None


def _base(jwks: Discovery | ExplicitUrl, issuer_url: str) -> str:
    """Where the keys are looked for."""
    return jwks["url"] if jwks["type"] == "explicit_url" else jwks.get("discovery_base") or issuer_url
