"""A browser as far as the server sees one: it keeps cookies, and says where a request comes from."""

from __future__ import annotations

from typing import Any

import httpx

CONSOLE = "/_understudy/console"
PASSWORD = "correct horse battery"


class Browser:
    """`csrf` is what the page would send; `url` the server's own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=30)
        self.csrf = ""
        self.session: dict[str, Any] = {}

    def call(
        self, method: str, path: str, json: Any = None, *, headers: dict[str, str] | None = None, csrf: bool = True
    ) -> httpx.Response:
        """As the page's own script asks."""
        sent = {"origin": self.url, "sec-fetch-site": "same-origin", "anthropic-version": "2026-10-21"}
        if csrf and self.csrf:
            sent["x-understudy-csrf"] = self.csrf
        return self.http.request(method, path, json=json, headers={**sent, **(headers or {})})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.call("GET", path, headers=headers)

    def ours(self, method: str, path: str, json: Any = None) -> Any:
        """A request that must be answered."""
        answer = self.call(method, path, json)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def look(self) -> dict[str, Any]:
        """What the page is told of who is signed in."""
        return self._took(self.get(CONSOLE + "/session"))

    def sign_in(self, email: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.call("POST", CONSOLE + "/session", {"email": email, "password": password})
        if answer.status_code == 200:
            self._took(answer)
        return answer

    def claim(self, token: str, **params: str) -> httpx.Response:
        """Open a one-time link."""
        answer = self.call("POST", CONSOLE + "/session/link", {"token": token, **params})
        if answer.status_code == 200:
            self._took(answer)
        return answer

    def accept(self, token: str, name: str, password: str = PASSWORD) -> httpx.Response:
        answer = self.call("POST", CONSOLE + "/session/invite", {"token": token, "name": name, "password": password})
        if answer.status_code == 200:
            self._took(answer)
        return answer

    @property
    def cookie(self) -> str | None:
        return self.http.cookies.get("understudy_session")

    def _took(self, answer: httpx.Response) -> dict[str, Any]:
        assert answer.status_code == 200, answer.text
        self.session = answer.json()
        self.csrf = self.session.get("csrf_token", "")
        return self.session


def token_of(console_url: str) -> str:
    """The token of a one-time link."""
    return console_url.partition("#/welcome?token=")[2]
