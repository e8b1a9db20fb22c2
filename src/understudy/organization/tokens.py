"""Access tokens of workloads: `sk-understudy-oat-`, what the token says as base64url, and a seal over both.

Nothing of a token is stored: the seal is a keyed hash, so every server that has the root secret knows its own, and
minting one disturbs nobody. Whom it acts as must still be there when it is used.
"""

from __future__ import annotations

import base64
import hmac
from typing import Any, Final, NamedTuple

import orjson

from understudy.storage.secrets import RootSecret

PREFIX: Final = "sk-understudy-oat-"

_SEAL: Final = 32  # bytes, 43 characters
_LONGEST: Final = 2_048


class AccessToken(NamedTuple):
    """What a token says. `expires_at`: seconds since the epoch. `scope`: names separated by spaces."""

    organization_id: str
    workspace_id: str | None
    service_account_id: str
    federation_rule_id: str
    scope: str
    expires_at: float


class Tokens:
    """Mints and reads tokens."""

    def __init__(self, root: RootSecret) -> None:
        self._keys = [key for _, key in root.derive_all("access token")]

    def mint(self, token: AccessToken) -> str:
        said = _encode(orjson.dumps(list(token)))
        return f"{PREFIX}{said}.{_encode(_seal(self._keys[0], said))}"

    def read(self, secret: str) -> AccessToken | None:
        """What `secret` says if it was minted here, whether it has expired or not."""
        if not secret.startswith(PREFIX) or len(secret) > _LONGEST or not secret.isascii():
            return None
        said, _, seal = secret[len(PREFIX) :].partition(".")
        # Whatever was sealed was encoded here: nothing is decoded before the seal is known to be ours.
        if not any(hmac.compare_digest(_encode(_seal(key, said)), seal) for key in self._keys):
            return None
        values: list[Any] = orjson.loads(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))
        return AccessToken(*values)


def _seal(key: bytes, said: str) -> bytes:
    return hmac.digest(key, (PREFIX + said).encode(), "sha256")[:_SEAL]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
