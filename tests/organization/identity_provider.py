"""An identity provider: keys, the assertions that it signs, and its key set on loopback."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from loopback import Asked, LoopbackServer, Said, said_json

AUDIENCE = "https://api.anthropic.com"
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_RSA = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@dataclass
class Signer:
    """A private key and its public JWK."""

    algorithm: str
    kid: str
    private: Any = field(repr=False)

    @classmethod
    def make(cls, algorithm: str = "RS256", kid: str | None = None) -> Signer:
        kid = kid or uuid.uuid4().hex
        if algorithm in CURVES:
            return cls(algorithm, kid, ec.generate_private_key(CURVES[algorithm]))
        # Making one takes a tenth of a second and more.
        return cls(algorithm, kid, _RSA)

    @property
    def jwk(self) -> dict[str, Any]:
        maker = ECAlgorithm if self.algorithm in CURVES else RSAAlgorithm
        public: dict[str, Any] = json.loads(maker.to_jwk(self.private.public_key()))
        public.pop("key_ops", None)
        return {**public, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def sign(self, claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
        """`headers` come on top of the key's id; None takes one away."""
        named = {"kid": self.kid, **(headers or {})}
        kept = {name: value for name, value in named.items() if value is not None}
        return jwt.encode(claims, self.private, algorithm=self.algorithm, headers=kept)


def claims(issuer: str, **changes: Any) -> dict[str, Any]:
    """Good claims, with changes; None takes one away."""
    now = int(time.time())
    made = {
        "iss": issuer,
        "sub": "repo:acme/app:ref:refs/heads/main",
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + 300,
        "jti": uuid.uuid4().hex,
        **changes,
    }
    return {name: value for name, value in made.items() if value is not None}


class JwksServer:
    """Serves a discovery document and a key set on loopback; `documents` and `redirects` may be changed."""

    def __init__(self, keys: list[dict[str, Any]]) -> None:
        self.asked: list[str] = []
        self._server = LoopbackServer(self._answer)
        self.url = self._server.url
        self.redirects: dict[str, str] = {}
        self.documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": keys},
        }

    def close(self) -> None:
        self._server.close()

    def _answer(self, asked: Asked) -> Said:
        self.asked.append(asked.path)
        if asked.path in self.redirects:
            return Said(302, headers={"location": self.redirects[asked.path]})
        document = self.documents.get(asked.path)
        return said_json(document, 404 if document is None else 200)
