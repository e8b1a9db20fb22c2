"""The credentials that clients of the clouds send, and whose they are.

A key or token of this server stands for what it always does. Those of the configuration stand for a workspace.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hmac import compare_digest
from typing import Literal, Protocol, TypeAlias

from understudy.http.exchange import Exchange
from understudy.http.principal import Authenticator, Principal
from understudy.settings import AwsKeySettings, CloudTokenSettings

Cloud: TypeAlias = Literal["bedrock", "vertex", "foundry", "aws"]


class Callers(Authenticator, Protocol):
    """Knows keys of this server, and who may act in a workspace."""

    def of_workspace(self, workspace_id: str | None) -> Principal | None:
        """None for a workspace that is not there, or archived. `workspace_id` None: the default workspace."""
        ...


class Verifier(Protocol):
    async def verify(self, cloud: Cloud, token: str, /) -> Workspace | None:
        """Whom a token of an issuer stands for, or None."""
        ...


@dataclass(frozen=True, slots=True)
class Workspace:
    """Where a credential of the configuration leads. None: to the default workspace."""

    id: str | None


@dataclass(frozen=True, slots=True)
class AwsKey:
    """`session_token` is what requests must carry besides; empty for none."""

    secret: str
    session_token: str
    workspace: Workspace


class CloudCredentials:
    """All of the configuration. Secrets that are sent as they are stand here as keyed hashes only."""

    def __init__(
        self,
        callers: Callers,
        *,
        aws_keys: Iterable[AwsKeySettings] = (),
        tokens: Iterable[CloudTokenSettings] = (),
        verifier: Verifier | None = None,
    ) -> None:
        self._callers = callers
        self._verifier = verifier
        self._hash_key = secrets.token_bytes(32)
        self._tokens: dict[tuple[str, bytes], Workspace] = {
            (one.cloud, self._digest(one.token.get_secret_value())): Workspace(one.workspace) for one in tokens
        }
        self._aws_keys = {
            key.access_key_id: AwsKey(
                key.secret_access_key.get_secret_value(),
                "" if key.session_token is None else key.session_token.get_secret_value(),
                Workspace(key.workspace),
            )
            for key in aws_keys
        }
        # Takes as long as a real one.
        self.no_key = AwsKey(secrets.token_hex(20), "", Workspace(""))

    def aws_key(self, access_key_id: str) -> AwsKey | None:
        return self._aws_keys.get(access_key_id)

    def caller(self, workspace: Workspace) -> Principal | None:
        """None where the workspace is not there any more."""
        return self._callers.of_workspace(workspace.id)

    async def bearer(self, cloud: Cloud, token: str, address: str) -> Principal | None:
        """Whom a key or token stands for that is sent as it is. RateLimitError if `address` sent too many bad ones."""
        known = self._tokens.get((cloud, self._digest(token)))
        if known is not None:
            return self.caller(known)
        if self._verifier is not None and token.count(".") == 2:
            issued = await self._verifier.verify(cloud, token)
            if issued is not None:
                return self.caller(issued)
        return await self._callers.authenticate(token, address)

    def _digest(self, token: str) -> bytes:
        return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), key=self._hash_key, digest_size=32).digest()


def bearer_token(exchange: Exchange) -> str | None:
    """What stands behind `Authorization: Bearer`."""
    scheme, _, value = (exchange.header(b"authorization") or "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else None


def one_of(*given: str | None) -> str | None:
    """The one credential among those that may be given, None if there is none, and "" where two differ: a proxy that
    adds its own must not lend it out."""
    found = [one for one in given if one is not None]
    if not found:
        return None
    alike = all(
        compare_digest(found[0].encode("latin-1", "replace"), one.encode("latin-1", "replace")) for one in found
    )
    return found[0] if alike else ""


def address_of(exchange: Exchange) -> str:
    client = exchange.scope.get("client")
    return client[0] if client else ""
