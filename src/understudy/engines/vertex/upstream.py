"""The connection to Claude on Vertex AI."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final
from urllib.parse import quote

from understudy.engines.checking import CheckError
from understudy.engines.claude.clouds import (
    COUNT_PATH,
    LARGE,
    VERTEX,
    cloud_betas,
    cloud_fields,
    cloud_version,
    credentials_missing,
    header_of,
    without_threads,
)
from understudy.engines.claude.responses import GivenResponse, HttpResponse, Response, post
from understudy.net.upstream_http import Answer, UpstreamHttpClient
from understudy.wire.json_text import to_json

from .errors import refusal
from .google import Google, GoogleError
from .models import vertex_name
from .settings import VertexSettings

_WITHOUT: Final = frozenset({"model"})
_COUNT: Final = "count-tokens"


class VertexUpstream:
    """Vertex AI of one region, with connections that are kept. Nothing is opened or looked for before it is asked."""

    def __init__(self, name: str, settings: VertexSettings) -> None:
        self.name = name
        self.settings = settings
        self._google = Google(settings.project, settings.token)
        self._client = UpstreamHttpClient(settings.url, connect_timeout=settings.connect_timeout)

    @property
    def secret(self) -> str | None:
        """What must never reach a client."""
        return self._google.token

    async def close(self) -> None:
        await self._client.close()

    async def ask(
        self, path: str, request: dict[str, Any], headers: Mapping[str, str], *, model: str, raw: bytes | None = None
    ) -> Response:
        """As Upstream.ask."""
        refused = without_threads(request)
        if refused is not None:
            return refused
        counting = path.partition("?")[0] == COUNT_PATH
        name = vertex_name(model)
        try:
            sent = {**header_of(headers, "user-agent"), **await self._google.headers()}
            project = await self._google.project()
        except GoogleError as error:
            credentials_missing(self.name, error)
        betas = cloud_betas(VERTEX, headers.get("anthropic-beta"), self.settings.betas)
        if betas:
            sent["anthropic-beta"] = ",".join(betas)
        stream = request.get("stream") is True and not counting
        there = _path(project, self.settings.region, _COUNT if counting else name, stream=stream)
        if raw is not None and len(raw) > LARGE:
            body = await asyncio.to_thread(_body, request, headers, self.settings.region, name if counting else None)
        else:
            body = _body(request, headers, self.settings.region, name if counting else None)
        answer = await post(self._client, there, body, sent, self.settings)
        if answer.status != 200:
            return await self._refused(answer)
        return HttpResponse(answer, self.settings)

    async def check(self) -> str:
        """Have a token fetched, which spends nothing. Raises CheckError."""
        try:
            await self._google.headers()
            project = await self._google.project()
        except GoogleError as error:
            raise CheckError(str(error)) from error
        how = "a token is configured" if self.settings.token is not None else "Google gives tokens"
        return f"{how}, for {project} in {self.settings.region}"

    async def _refused(self, answer: Answer) -> Response:
        response = HttpResponse(answer, self.settings)
        with closing(response):
            body = await response.read()
        found = refusal(answer.status, body)
        if found is None:
            return GivenResponse(answer.status, body, response.headers, response.request_id)
        if found.status == 401:
            self._google.forget()
        return found.response(self.name, response.headers, response.request_id)


def _path(project: str, region: str, name: str, *, stream: bool) -> str:
    method = "streamRawPredict" if stream else "rawPredict"
    place = f"/projects/{quote(project, safe=':')}/locations/{quote(region, safe='')}"
    return f"{place}/publishers/anthropic/models/{quote(name, safe='@')}:{method}"


def _body(request: dict[str, Any], headers: Mapping[str, str], region: str, counted: str | None) -> bytes:
    """`counted` is the model whose tokens are counted: there it stands in the body."""
    version = cloud_version(VERTEX, headers.get("anthropic-version"))
    fields: dict[str, Any] = {"anthropic_version": version}
    if counted is not None:
        fields["model"] = counted
    in_us = region == "us" or region.startswith("us-")
    return to_json(fields | cloud_fields(VERTEX, request, _WITHOUT, in_us=in_us)).encode()
