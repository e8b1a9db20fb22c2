"""The connection to a Claude upstream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from understudy.net.upstream_http import UpstreamHttpClient
from understudy.wire.json_text import to_json

from .body import with_model
from .responses import HttpResponse, Response, post
from .settings import ClaudeSettings


class ClaudeUpstream:
    """One server of the API, with connections that are kept. Nothing is opened before the first request."""

    def __init__(self, name: str, settings: ClaudeSettings) -> None:
        self.name = name
        self.settings = settings
        self.credentials = credentials_of(settings)
        self._client = UpstreamHttpClient(
            settings.base_url, headers=self.credentials, connect_timeout=settings.connect_timeout
        )

    @property
    def secret(self) -> str | None:
        """What must never reach a client."""
        return self.settings.api_key

    async def close(self) -> None:
        await self._client.close()

    async def ask(
        self, path: str, request: dict[str, Any], headers: Mapping[str, str], *, model: str, raw: bytes | None = None
    ) -> Response:
        """As Upstream.ask."""
        body = to_json({**request, "model": model}).encode() if raw is None else with_model(raw, request, model)
        return HttpResponse(await post(self._client, path, body, headers, self.settings), self.settings)


def credentials_of(settings: ClaudeSettings) -> dict[str, str]:
    """The header that bears the key."""
    if settings.api_key is None:
        return {}
    if settings.auth == "x-api-key":
        return {"x-api-key": settings.api_key}
    return {"authorization": f"Bearer {settings.api_key}"}
