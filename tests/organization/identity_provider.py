"""An identity provider: keys, the assertions that it signs, and its key set on loopback."""

from __future__ import annotations

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

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
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.asked.append(self.path)
                if self.path in outer.redirects:
                    self.send_response(302)
                    self.send_header("location", outer.redirects[self.path])
                    self.end_headers()
                    return
                document = outer.documents.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.redirects: dict[str, str] = {}
        self.documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/jwks"},
            "/jwks": {"keys": keys},
        }
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
