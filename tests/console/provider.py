"""An OpenID Connect provider: it signs in whoever is named next, without asking."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from loopback import Asked, LoopbackServer, Said, said_json
from organization.identity_provider import Signer

CLIENT_ID, CLIENT_SECRET = "understudy-console", "of the client"


class Provider:
    """`person` are claims about who signs in next; `changes` go on top of an ID token's own claims."""

    def __init__(self) -> None:
        self.signer = Signer.make()
        self.wrong_signer: Signer | None = None
        self.person: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}
        self._codes: dict[str, dict[str, str]] = {}
        self._server = LoopbackServer(self._answer)
        self.url = self._server.url

    def close(self) -> None:
        self._server.close()

    def _answer(self, asked: Asked) -> Said:
        place = urlsplit(asked.path)
        if asked.method == "POST":
            return self._token(_first(asked.body.decode()))
        if place.path == "/authorize":
            return self._authorize(_first(place.query))
        document = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
            },
            "/jwks": {"keys": [self.signer.jwk]},
        }.get(place.path)
        return said_json(document, 404 if document is None else 200)

    def _authorize(self, asked: dict[str, str]) -> Said:
        code = uuid.uuid4().hex
        self._codes[code] = asked
        back = urlencode({"code": code, "state": asked["state"]})
        return Said(303, headers={"location": f"{asked['redirect_uri']}?{back}"})

    def _token(self, given: dict[str, str]) -> Said:
        asked = self._codes.pop(given.get("code", ""), None)
        if asked is None or not self._may(asked, given):
            return said_json({"error": "invalid_grant"}, 400)
        return said_json({"token_type": "Bearer", "id_token": self._id_token(asked["nonce"])})

    def _may(self, asked: dict[str, str], given: dict[str, str]) -> bool:
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return (
            asked["code_challenge_method"] == "S256"
            and asked["code_challenge"] == challenge
            and given.get("redirect_uri") == asked["redirect_uri"]
            and (given.get("client_id"), given.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        )

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": CLIENT_ID,
            "sub": "subject",
            "iat": now,
            "exp": now + 300,
            "nonce": nonce,
            **self.person,
            **self.changes,
        }
        return (self.wrong_signer or self.signer).sign(claims)


def _first(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}
