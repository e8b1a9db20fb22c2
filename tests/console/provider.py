"""An OpenID Connect provider: it signs in whoever is named next, without asking."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

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
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place = urlsplit(self.path)
                if place.path == "/authorize":
                    asked = {name: values[0] for name, values in parse_qs(place.query).items()}
                    code = uuid.uuid4().hex
                    outer._codes[code] = asked
                    back = urlencode({"code": code, "state": asked["state"]})
                    self.send_response(303)
                    self.send_header("location", f"{asked['redirect_uri']}?{back}")
                    self.end_headers()
                    return
                document = {
                    "/.well-known/openid-configuration": {
                        "issuer": outer.url,
                        "authorization_endpoint": f"{outer.url}/authorize",
                        "token_endpoint": f"{outer.url}/token",
                        "jwks_uri": f"{outer.url}/jwks",
                    },
                    "/jwks": {"keys": [outer.signer.jwk]},
                }.get(place.path)
                self._answer(404 if document is None else 200, document)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                given = {name: values[0] for name, values in parse_qs(body).items()}
                asked = outer._codes.pop(given.get("code", ""), None)
                if asked is None or not outer._may(asked, given):
                    self._answer(400, {"error": "invalid_grant"})
                    return
                self._answer(200, {"token_type": "Bearer", "id_token": outer._id_token(asked["nonce"])})

            def _answer(self, status: int, document: Any) -> None:
                content = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

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
