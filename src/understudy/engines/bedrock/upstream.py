"""The connection to Claude on Bedrock."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping
from contextlib import closing
from typing import Any, Final, cast
from urllib.parse import quote

import orjson

from understudy.engines.checking import CheckError, get
from understudy.engines.claude.clouds import (
    BEDROCK,
    COUNT_PATH,
    LARGE,
    cloud_betas,
    cloud_fields,
    cloud_version,
    credentials_missing,
    header_of,
    without_threads,
)
from understudy.engines.claude.errors import NO_ANSWER, BadGatewayError
from understudy.engines.claude.observing import count_of
from understudy.engines.claude.responses import GivenResponse, HttpResponse, Response, post
from understudy.net.upstream_http import Answer, UpstreamHttpClient
from understudy.wire.event_stream import CONTENT_TYPE
from understudy.wire.json_text import to_json

from .aws import Aws, AwsError
from .errors import refusal
from .models import bedrock_name, counted_name, is_versioned, stays_in_us
from .reframing import Reframing
from .settings import BedrockSettings

_ID_HEADER: Final = b"x-amzn-requestid"
_JSON: Final = {"content-type": "application/json"}
_WITHOUT: Final = frozenset({"model", "stream"})
_STREAM: Final = CONTENT_TYPE.decode()
_LEAST_ROOM: Final = 1_024
# Seconds for one look at whether the credentials are good.
_CHECK: Final = 10.0


class BedrockUpstream:
    """Bedrock of one region, with connections that are kept. Nothing is opened or looked for before it is asked."""

    def __init__(self, name: str, settings: BedrockSettings) -> None:
        self.name = name
        self.settings = settings
        self._aws = Aws(settings.region, settings.profile)
        self._client: UpstreamHttpClient | None = None
        self._url = ""

    @property
    def secret(self) -> str | None:
        """What must never reach a client. Keys that sign are sent nowhere."""
        return self.settings.api_key

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()

    async def ask(
        self, path: str, request: dict[str, Any], headers: Mapping[str, str], *, model: str, raw: bytes | None = None
    ) -> Response:
        """As Upstream.ask."""
        refused = without_threads(request)
        if refused is not None:
            return refused
        counting = path.partition("?")[0] == COUNT_PATH
        try:
            region = await self._aws.region()
            client = self._client or self._open(region)
            name = bedrock_name(model, region, self.settings.inference_profile)
            if counting:
                name = counted_name(name)
            there = _path(name, counting=counting, stream=request.get("stream") is True)
            if raw is not None and len(raw) > LARGE:
                body = await asyncio.to_thread(self._body, request, headers, name, region, counting)
            else:
                body = self._body(request, headers, name, region, counting)
            sent = {**header_of(headers, "user-agent"), **await self._credentials("POST", there, body, _JSON)}
        except AwsError as error:
            credentials_missing(self.name, error)
        answer = await post(client, there, body, sent, self.settings)
        if answer.status != 200:
            return await self._refused(answer)
        if counting:
            return await self._counted(answer)
        return BedrockResponse(answer, self.settings, self.name)

    async def check(self) -> str:
        """Try the credentials without spending tokens. Raises CheckError."""
        try:
            region = await self._aws.region()
            base = self.settings.base_url or f"https://bedrock.{region}.amazonaws.com"
            url = f"{base.rstrip('/')}/inference-profiles?maxResults=1"
            if self.settings.api_key is not None:
                headers = {"authorization": f"Bearer {self.settings.api_key}"}
            else:
                headers = await self._aws.sign("GET", url, b"", {})
        except AwsError as error:
            raise CheckError(str(error)) from error
        status, error_type, body = await get(url, headers, _CHECK, "x-amzn-errortype")
        if status == 200:
            return f"Bedrock in {region} accepts its credentials"
        found = refusal(status, error_type, body)
        if found.status == 403:
            return f"Bedrock in {region} knows its credentials, which may not list inference profiles"
        raise CheckError(f"Bedrock in {region} answered with status {status}: {found.message or found.type}")

    def _open(self, region: str) -> UpstreamHttpClient:
        settings = self.settings
        self._url = (settings.base_url or f"https://bedrock-runtime.{region}.amazonaws.com").rstrip("/")
        self._client = UpstreamHttpClient(self._url, connect_timeout=settings.connect_timeout)
        return self._client

    async def _credentials(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        key = self.settings.api_key
        if key is not None:
            return {"authorization": f"Bearer {key}"}
        return await self._aws.sign(method, self._url + path, body, headers)

    def _body(
        self, request: dict[str, Any], headers: Mapping[str, str], name: str, region: str, counting: bool
    ) -> bytes:
        version = BEDROCK.version if is_versioned(name) else cloud_version(BEDROCK, headers.get("anthropic-version"))
        fields: dict[str, Any] = {"anthropic_version": version}
        betas = cloud_betas(BEDROCK, headers.get("anthropic-beta"), self.settings.betas)
        if betas:
            fields["anthropic_beta"] = betas
        fields |= cloud_fields(BEDROCK, request, _WITHOUT, in_us=stays_in_us(name, region))
        if not counting:
            return to_json(fields).encode()
        # What is counted is a request as InvokeModel takes it.
        fields.setdefault("max_tokens", _room(fields))
        inner = base64.b64encode(to_json(fields).encode()).decode()
        return orjson.dumps({"input": {"invokeModel": {"body": inner}}})

    async def _refused(self, answer: Answer) -> Response:
        response = HttpResponse(answer, self.settings, _ID_HEADER)
        with closing(response):
            found = refusal(answer.status, answer.header(b"x-amzn-errortype"), await response.read())
        if found.status == 401:
            self._aws.forget()
        return found.response(self.name, response.headers, response.request_id)

    async def _counted(self, answer: Answer) -> Response:
        response = HttpResponse(answer, self.settings, _ID_HEADER)
        try:
            with closing(response):
                parsed: Any = orjson.loads(await response.read())
            count = count_of(parsed["inputTokens"])
        except (orjson.JSONDecodeError, LookupError, TypeError):
            count = None
        if count is None:
            raise BadGatewayError(NO_ANSWER)
        return GivenResponse(200, orjson.dumps({"input_tokens": count}), response.headers, response.request_id)


class BedrockResponse(HttpResponse):
    """A stream of frames is read as one of SSE."""

    __slots__ = ("_reframing",)

    def __init__(self, answer: Answer, settings: BedrockSettings, upstream: str) -> None:
        super().__init__(answer, settings, _ID_HEADER)
        self._reframing = Reframing(upstream) if answer.content_type == _STREAM else None

    @property
    def is_stream(self) -> bool:
        return self._reframing is not None

    async def chunk(self) -> bytes:
        if self._reframing is None:
            return await self._piece()
        while True:
            piece = await self._piece()
            if not piece:
                self._reframing.finish()
                return b""
            whole = self._reframing.feed(piece)
            if whole:
                return whole


def _path(name: str, *, counting: bool, stream: bool) -> str:
    action = "count-tokens" if counting else "invoke-with-response-stream" if stream else "invoke"
    return f"/model/{quote(name, safe='')}/{action}"


def _room(fields: dict[str, Any]) -> int:
    """As many tokens as a budget of thinking needs at least."""
    thinking = fields.get("thinking")
    budget = cast("dict[str, Any]", thinking).get("budget_tokens") if isinstance(thinking, dict) else None
    return budget + 1 if type(budget) is int and budget > 0 else _LEAST_ROOM
