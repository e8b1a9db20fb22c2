"""Ways to be somebody on a server of the organization's own tests."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import pytest

from servers import RunningServer

VERSION = "2026-10-21"
OLD_VERSION = "2023-06-01"
_numbers = itertools.count(1)


def unique(word: str = "thing") -> str:
    """A name that nothing else has."""
    return f"{word}-{next(_numbers)}"


@dataclass
class Organization:
    """The server as an administrator sees it, and others whom it lets in."""

    server: RunningServer
    admin: anthropic.Anthropic
    http: httpx.Client = field(repr=False)

    def sdk(self, key: str, **options: Any) -> anthropic.Anthropic:
        """The official SDK with another key."""
        return anthropic.Anthropic(api_key=key, base_url=self.server.url, max_retries=0, **options)

    def call(
        self,
        method: str,
        path: str,
        json: Any = None,
        *,
        key: str | None = None,
        version: str = VERSION,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A bare request, with the admin key unless another is given. What the path holds is sent as it is."""
        given = {"x-api-key": key or self.server.admin_key, "anthropic-version": version, **(headers or {})}
        return self.http.request(method, path, json=json, headers=given)

    def ours(self, method: str, path: str, json: Any = None, *, key: str | None = None) -> Any:
        """A request to our own routes that must be answered."""
        answer = self.call(method, f"/_understudy/admin/{path}", json, key=key)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def key(self, **params: Any) -> Any:
        """A new key: its object, and its secret as `raw_key`."""
        return self.ours("POST", "api_keys", {"name": unique("key"), **params})

    def user(self, role: str = "developer") -> Any:
        """A new member."""
        return self.ours("POST", "users", {"email": f"{unique('user')}@example.com", "name": "Ann", "role": role})

    def workspace(self, **params: Any) -> Any:
        """A new workspace."""
        return self.admin.organization.workspaces.create(name=unique("workspace"), **params)

    def talk(self, key: str, **headers: str) -> httpx.Response:
        """A message with `key`; `headers` with underscores for hyphens."""
        body = {"model": "claude-opus-5-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Hi"}]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.call("POST", "/v1/messages", body, key=key, headers=named)

    @property
    def default_workspace(self) -> str:
        return str(self.talk(self.server.api_key).headers["anthropic-workspace-id"])


def refused(status: int, call: Callable[..., Any], /, *arguments: Any, **options: Any) -> str:
    """The message of the error with which the SDK's call is refused."""
    with pytest.raises(anthropic.APIStatusError) as caught:
        call(*arguments, **options)
    assert caught.value.status_code == status, caught.value.body
    body: Any = caught.value.body
    return str(body["error"]["message"])
