"""The clouds' flavours called in process, and requests signed as AWS's own SDK signs them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.eventstream import EventStreamBuffer
from pydantic import SecretStr

from asgi import KEY, ORGANIZATION, SIGNING_KEYS, Answer, InProcess, OneKey
from understudy.app.clouds import cloud_routes
from understudy.documents.reader import PdfReader
from understudy.engines.engine import Engine
from understudy.engines.routing import Mapped, Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.envelope import ApiRoute, Envelope
from understudy.http.principal import Principal
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.preparation import Preparation
from understudy.messages.signatures import Signer
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.settings import (
    AwsKeySettings,
    CloudIssuerSettings,
    CloudsSettings,
    CloudTokenSettings,
    HttpSettings,
    Settings,
    SimulatorSettings,
    StreamSettings,
)

ACCESS_KEY, SECRET = "UNDERSTUDYTESTKEY001", "a-secret-for-tests/of+this~repository"
TEMPORARY, SESSION = "ASIAUNDERSTUDYTEST02", "a-session-token=="
REGION = "us-east-1"
TOKENS = {"vertex": "ya29.a-token", "foundry": "a-key-of-foundry", "bedrock": "a-key-of-bedrock", "aws": "a-key-of-aws"}

# Workspaces of the configured credentials; the last one is archived.
OF_AWS, OF_TOKENS, GONE = "wrkspc_of_aws", "wrkspc_of_tokens", "wrkspc_gone"

BEDROCK_MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
HELLO: dict[str, Any] = {"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]}
TO_BEDROCK = {"anthropic_version": "bedrock-2023-05-31", **HELLO}
TO_VERTEX = {"anthropic_version": "vertex-2023-10-16", **HELLO}
VERTEX = "/vertex/v1/projects/a-project/locations/us-east5/publishers/anthropic/models/"


class Callers(OneKey):
    """Knows one key, and the workspaces that are there."""

    def of_workspace(self, workspace_id: str | None) -> Principal | None:
        there = {None: "wrkspc_default", OF_AWS: OF_AWS, OF_TOKENS: OF_TOKENS}
        found = there.get(workspace_id)
        return None if found is None else Principal(ORGANIZATION, found, None)


class Clouds(InProcess):
    """Every path is given as it is sent: encoded."""

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        mapped: tuple[Mapped, ...] = (),
        issuers: tuple[CloudIssuerSettings, ...] = (),
        http: HttpSettings | None = None,
        backends: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(engine)
        simulator = engine or SimulatorEngine(SimulatorSettings())
        self.routing = Routing(simulator, ["my-model"], mapped=mapped, backends=backends)
        preparation = Preparation(Signer(SIGNING_KEYS), pdfs=PdfReader(), fetcher=None, clock=time.time)
        http = http or HttpSettings()
        messages = MessagesEndpoints(self.routing, preparation, http, StreamSettings())
        clouds = CloudsSettings(
            aws_keys=[
                AwsKeySettings(access_key_id=ACCESS_KEY, secret_access_key=SecretStr(SECRET), workspace=OF_AWS),
                AwsKeySettings(
                    access_key_id=TEMPORARY, secret_access_key=SecretStr(SECRET), session_token=SecretStr(SESSION)
                ),
                AwsKeySettings(
                    access_key_id="UNDERSTUDYGONEKEY003", secret_access_key=SecretStr(SECRET), workspace=GONE
                ),
            ],
            tokens=[
                CloudTokenSettings(cloud=cloud, token=SecretStr(token), workspace=OF_TOKENS)  # type: ignore[arg-type]
                for cloud, token in TOKENS.items()
            ],
            issuers=list(issuers),
            **settings,
        )
        callers = Callers()

        async def nothing() -> None:
            pass

        self.envelope = Envelope(
            api_routes=[
                ApiRoute("/v1/messages", "POST", messages.create),
                ApiRoute("/v1/messages/count_tokens", "POST", messages.count_tokens),
            ],
            other_routes=[],
            authenticator=callers,
            request_log=self.records,
            start=nothing,
            stop=nothing,
            flavours=lambda own: cloud_routes(
                own, Settings(clouds=clouds, http=http), self.routing, messages, callers, Fetcher(Guard([]))
            ),
        )
        self.app = self._as_sent  # type: ignore[assignment]

    async def _as_sent(self, scope: Any, receive: Any, send: Any) -> None:
        await self.envelope({**scope, "path": unquote(scope["path"], errors="replace")}, receive, send)

    async def signed(
        self, path: str, body: Any = TO_BEDROCK, *, extra: Mapping[str, str] | None = None, **signing: Any
    ) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = sign(path, data, **signing)
        return await self.call(path=path, headers={**headers, **(extra or {})}, body=data, query=b"")

    async def bedrock(self, body: Any = TO_BEDROCK, model: str = BEDROCK_MODEL, action: str = "invoke") -> Answer:
        return await self.bearer(f"/bedrock/model/{model}/{action}", body)

    async def vertex(self, body: Any = TO_VERTEX, call: str = "claude-sonnet-4-5@20250929:rawPredict") -> Answer:
        return await self.bearer(VERTEX + call, body)

    async def bearer(self, path: str, body: Any, token: str = KEY, **headers: str) -> Answer:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call(path=path, headers={"authorization": f"Bearer {token}", **more}, body=data)


def sign(
    path: str,
    body: bytes,
    *,
    key: str = ACCESS_KEY,
    secret: str = SECRET,
    token: str | None = None,
    service: str = "bedrock",
    region: str = REGION,
    at: float | None = None,
    method: str = "POST",
    headers: Mapping[str, str] | None = None,
    query: str = "",
) -> dict[str, str]:
    """The headers of a request that botocore signed, `at` a time in seconds since the epoch."""
    url = "http://testserver" + path + ("?" + query if query else "")
    sent = {"host": "testserver", "content-type": "application/json", **(headers or {})}
    request = AWSRequest(method=method, url=url, headers=sent, data=body)
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        SigV4Auth(Credentials(key, secret, token), service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def packed_key(
    *,
    expires: int = 43_200,
    at: float | None = None,
    secret: str = SECRET,
    key: str = ACCESS_KEY,
    action: str | None = None,
) -> str:
    """A short-lived Bedrock API key as AWS's token generators make it."""
    request = AWSRequest(
        method="POST",
        url="https://bedrock.amazonaws.com/",
        headers={"host": "bedrock.amazonaws.com"},
        params={"Action": action or "CallWithBearerToken"},
    )
    moment = datetime.fromtimestamp(time.time() if at is None else at, UTC).replace(tzinfo=None)
    with patch("botocore.auth.get_current_datetime", lambda: moment):
        SigV4QueryAuth(Credentials(key, secret), "bedrock", REGION, expires=expires).add_auth(request)
    url = str(request.url).removeprefix("https://") + "&Version=1"
    return "bedrock-api-key-" + base64.b64encode(url.encode()).decode()


def events_of(body: bytes) -> list[Any]:
    """The events in Bedrock's frames, by botocore; an exception's as (name, payload)."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    found: list[Any] = []
    for message in buffer:
        payload = json.loads(message.payload)
        if message.headers[":message-type"] == "event":
            assert message.headers[":event-type"] == "chunk"
            found.append(json.loads(base64.b64decode(payload["bytes"])))
        else:
            found.append((message.headers[":exception-type"], payload))
    return found
