"""AWS's credentials and signatures, by botocore.

It is imported when the first request is signed: it takes some 20 MB, and a tenth of a second. Whatever may wait for a
file, a helper program or an address of the machine's runs in a thread.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import Any, Final, Protocol

from .settings import region_of_environment

_SERVICE: Final = "bedrock"
# Seconds before their end in which temporary credentials are renewed, as botocore does.
_RENEWED: Final = 15 * 60


class AwsError(Exception):
    """There are no credentials, or no region. The text is for the operator."""


class _Frozen(Protocol):
    """botocore's ReadOnlyCredentials."""

    access_key: str
    secret_key: str
    token: str | None


class Aws:
    """Signs requests to Bedrock. None as `region` is the chain's; `profile` names one of AWS's files."""

    def __init__(self, region: str | None, profile: str | None) -> None:
        self._region = region or region_of_environment()
        self._profile = profile
        self._credentials: Any = None
        self._opening = asyncio.Lock()

    async def region(self) -> str:
        """Raises AwsError where nothing names one."""
        if self._region is None:
            async with self._opening:
                self._region = self._region or await asyncio.to_thread(_region, self._profile)
        return self._region

    async def sign(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        """The headers that a signature of the request adds; `headers` are signed with it, and the host. Raises
        AwsError."""
        region = await self.region()
        frozen = await self._frozen()
        return _sign(frozen, region, method, url, body, headers)

    def forget(self) -> None:
        """The credentials were refused: look for others the next time."""
        self._credentials = None

    async def _frozen(self) -> _Frozen:
        credentials = self._credentials
        if credentials is None or _is_old(credentials):
            async with self._opening:
                if self._credentials is None:
                    self._credentials = await asyncio.to_thread(_find, self._profile)
                credentials = self._credentials
                return await asyncio.to_thread(_freeze, credentials)
        return _freeze(credentials)


def _is_old(credentials: Any) -> bool:
    # Only credentials that end know how to tell.
    needed = getattr(credentials, "refresh_needed", None)
    return needed is not None and bool(needed(_RENEWED))


def _session(profile: str | None) -> Any:
    return importlib.import_module("botocore.session").Session(profile=profile)


def _region(profile: str | None) -> str:
    try:
        found: object = _session(profile).get_config_variable("region")
    except Exception as error:
        raise AwsError(str(error)) from error
    if not isinstance(found, str) or not found:
        raise AwsError("no region: set region of the engine, or AWS_REGION")
    return found


def _find(profile: str | None) -> Any:
    # What signs is imported here too: it takes long, and this is not the loop's thread.
    for module in ("botocore.auth", "botocore.awsrequest"):
        importlib.import_module(module)
    # The chain runs programs and plug-ins of others, which raise what they like.
    try:
        found: Any = _session(profile).get_credentials()
    except Exception as error:
        raise AwsError(str(error)) from error
    if found is None:
        raise AwsError("AWS's chain has no credentials: neither variables, nor files, nor a role of this machine")
    return found


def _freeze(credentials: Any) -> _Frozen:
    try:
        return credentials.get_frozen_credentials()
    except Exception as error:
        raise AwsError(str(error)) from error


def _sign(frozen: _Frozen, region: str, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
    request: Any = importlib.import_module("botocore.awsrequest").AWSRequest(
        method=method, url=url, data=body, headers=headers
    )
    importlib.import_module("botocore.auth").SigV4Auth(frozen, _SERVICE, region).add_auth(request)
    signed: dict[str, str] = {name.lower(): value for name, value in request.headers.items()}
    return {name: value for name, value in signed.items() if name not in headers}
