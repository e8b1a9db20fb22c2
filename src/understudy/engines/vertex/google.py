"""Google's credentials, by google-auth.

It is imported when the first request needs a token. Fetching one waits for the network, so that runs in a thread, once
for all requests that wait for it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any, Final

_SCOPES: Final = ("https://www.googleapis.com/auth/cloud-platform",)


class GoogleError(Exception):
    """There are no credentials, or no project. The text is for the operator."""


class Google:
    """Access tokens, and the project they are for. `token`: one that takes the chain's place."""

    def __init__(self, project: str | None, token: str | None) -> None:
        self._project = project or os.environ.get("GOOGLE_CLOUD_PROJECT") or None
        self._token = token
        self._credentials: Any = None
        self._fetching = asyncio.Lock()

    @property
    def token(self) -> str | None:
        """The one that was sent last."""
        if self._token is not None:
            return self._token
        found: object = getattr(self._credentials, "token", None)
        return found if isinstance(found, str) else None

    async def headers(self) -> dict[str, str]:
        """The headers that bear a token. Raises GoogleError."""
        if self._token is not None:
            return {"authorization": f"Bearer {self._token}"}
        credentials = self._credentials
        if credentials is None or not _is_fresh(credentials):
            async with self._fetching:
                credentials = self._credentials
                if credentials is None or not _is_fresh(credentials):
                    credentials = await asyncio.to_thread(self._fetch, credentials)
                    self._credentials = credentials
        headers: dict[str, str] = {}
        credentials.apply(headers)
        return {name.lower(): value for name, value in headers.items()}

    async def project(self) -> str:
        """Raises GoogleError where nothing names one."""
        if self._project is None:
            if self._token is None:
                await self.headers()
            if self._project is None:
                raise GoogleError("no project: set project of the engine, or GOOGLE_CLOUD_PROJECT")
        return self._project

    def forget(self) -> None:
        """The token was refused: fetch another the next time, from credentials that are looked for again."""
        self._credentials = None

    def _fetch(self, credentials: Any) -> Any:
        # The chain runs programs and plug-ins of others, which raise what they like.
        try:
            if credentials is None:
                credentials, project = importlib.import_module("google.auth").default(scopes=_SCOPES)
                self._project = self._project or project
            credentials.refresh(importlib.import_module("google.auth.transport.urllib3").Request(_pool()))
        except Exception as error:
            if getattr(credentials, "valid", False):
                # It is good for some minutes yet.
                return credentials
            raise GoogleError(str(error)) from error
        return credentials


def _pool() -> Any:
    return importlib.import_module("urllib3").PoolManager()


def _is_fresh(credentials: Any) -> bool:
    return str(getattr(credentials.token_state, "name", "")) == "FRESH"
