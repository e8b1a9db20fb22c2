"""Tokens that others have signed: Google's and Entra's, say.

Only the extra `federation` can verify them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import structlog

from understudy.clouds.credentials import Cloud, Workspace
from understudy.net.client import Fetcher
from understudy.organization.federation.jwks import ALGORITHMS, KeySource, KeysUnavailableError, can_verify, check_jwks
from understudy.organization.federation.matching import tenant_claims
from understudy.organization.federation.shapes import Jwks
from understudy.settings import CloudIssuerSettings, SettingsError
from understudy.wire.errors import InvalidRequestError

_LONGEST: Final = 16 * 1024
_LEEWAY: Final = 30.0  # seconds

_log = structlog.stdlib.get_logger("understudy.clouds")


class IssuedTokens:
    """Raises SettingsError for issuers whose tokens could not be verified here."""

    def __init__(self, issuers: Sequence[CloudIssuerSettings], fetcher: Fetcher) -> None:
        if not can_verify():
            raise SettingsError(
                'clouds.issuers: verifying tokens takes the extra: pip install "understudy[federation]".'
            )
        self._issuers = [(one, _source(one)) for one in issuers]
        for one, source in self._issuers:
            telling = tenant_claims(one.issuer)
            if telling is not None and not telling & one.claims.keys():
                # Anybody has it sign for any audience.
                raise SettingsError(
                    f"clouds.issuers: {one.issuer} signs for everybody. Say in `claims` whom you mean, by one of "
                    f"{', '.join(sorted(telling))}."
                )
            try:
                check_jwks(source, one.issuer, fetcher)
            except InvalidRequestError as error:
                raise SettingsError(f"clouds.issuers: {one.issuer}: {error.message}") from None
        self._keys = KeySource(fetcher)

    async def verify(self, cloud: Cloud, token: str, /) -> Workspace | None:
        """Whom a token stands for, or None. Keys are only fetched for an issuer that is configured."""
        import jwt

        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            header = jwt.get_unverified_header(token)
            kid, algorithm = header.get("kid"), header.get("alg")
            if not isinstance(kid, str) or algorithm not in ALGORITHMS or "crit" in header:
                return None
            said = jwt.decode(token, options={"verify_signature": False}).get("iss")
            for one, source in self._issuers:
                if one.cloud == cloud and one.issuer == said:
                    claims = await self._claims(token, one, source, kid, cast("str", algorithm))
                    if claims is not None and all(claims.get(name) == value for name, value in one.claims.items()):
                        return Workspace(one.workspace)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            pass
        return None

    async def _claims(
        self, token: str, one: CloudIssuerSettings, source: Jwks, kid: str, algorithm: str
    ) -> Mapping[str, Any] | None:
        import jwt

        try:
            key = await self._keys.key(source, one.issuer, kid, algorithm)
        except KeysUnavailableError as error:
            _log.warning("keys of an issuer cannot be had", issuer=one.issuer, reason=str(error))
            return None
        if key is None:
            return None
        try:
            return cast(
                "Mapping[str, Any]",
                jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    issuer=one.issuer,
                    audience=one.audience,
                    options={"require": ["exp", "iss", "aud"]},
                    leeway=_LEEWAY,
                ),
            )
        except jwt.PyJWTError:
            # Another line may be of the same issuer, for another audience.
            return None


def _source(one: CloudIssuerSettings) -> Jwks:
    if one.jwks:
        return {"type": "inline", "keys": one.jwks}
    if one.jwks_url is not None:
        return {"type": "explicit_url", "url": one.jwks_url}
    return {"type": "discovery"}
