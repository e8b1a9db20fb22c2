"""The application called in process: no socket, so that a property can be tried on thousands of requests."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from starlette.routing import BaseRoute

from understudy.clouds.openai import chat_routes
from understudy.documents.reader import PdfReader
from understudy.engines.engine import Engine
from understudy.engines.routing import Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.envelope import ApiRoute, Envelope
from understudy.http.limiting import UNLIMITED, Limits
from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.messages.completions import CompletionsEndpoint
from understudy.messages.endpoints import MessagesEndpoints
from understudy.messages.preparation import NO_TOOLS, Preparation
from understudy.messages.signatures import Signer
from understudy.models.endpoints import ModelsEndpoints
from understudy.settings import HttpSettings, SimulatorSettings, StreamSettings
from understudy.tools.running import ServerTools
from understudy.tools.web.sealed import Sealed
from understudy.wire.known_bodies import KnownBodies

KEY = "sk-understudy-api-in-process"
ORGANIZATION = "6f0c9a52-6d1c-4f5e-9d43-0d9a8f3b7c11"
WORKSPACE = "wrkspc_in_process"
SIGNING_KEYS = [("key_in_process", b"s" * 32)]

HEADERS: dict[str, str] = {
    "x-api-key": KEY,
    "anthropic-version": "2023-06-01",
    "content-type": "application/json",
}


def today() -> date:
    """The catalog's own day, so that no test's outcome hangs on the calendar."""
    return date(2026, 11, 22)


@dataclass
class OneKey:
    """An Authenticator with one key."""

    workspace: str = WORKSPACE

    async def authenticate(self, secret: str, address: str = "") -> Principal | None:
        return Principal(ORGANIZATION, self.workspace, "apikey_in_process") if secret == KEY else None


@dataclass
class Records:
    """A RequestLog that keeps what it is given."""

    kept: list[RequestRecord] = field(default_factory=list)

    def begin(self) -> None:
        pass

    def record(self, record: RequestRecord) -> None:
        self.kept.append(record)


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class InProcess:
    """The API around an engine, called as an ASGI application. `names` are configured; `today` tells the day, `clock`
    the seconds of the prompt cache; `tools` are what the server runs, `sealed` opens what web searches found, `advice`
    what an advisor said, `credit` what refusals are worth. `limits` are asked before any model is;
    `bodies` are remembered."""

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        http: HttpSettings | None = None,
        stream: StreamSettings | None = None,
        other_routes: Sequence[BaseRoute] = (),
        names: Sequence[str] = (),
        today: Callable[[], date] = today,
        clock: Callable[[], float] = time.time,
        tools: ServerTools = NO_TOOLS,
        sealed: Sealed | None = None,
        advice: Sealed | None = None,
        credit: Sealed | None = None,
        limits: Limits = UNLIMITED,
        bodies: KnownBodies | None = None,
    ) -> None:
        self.records = Records()
        self.key = OneKey()
        routing = Routing(engine or SimulatorEngine(SimulatorSettings()), names)
        preparation = Preparation(
            Signer(SIGNING_KEYS),
            pdfs=PdfReader(),
            fetcher=None,
            clock=clock,
            tools=tools,
            sealed=sealed,
            advice=advice,
            credit=credit,
        )
        endpoints = MessagesEndpoints(
            routing, preparation, http or HttpSettings(), stream or StreamSettings(), limits=limits, bodies=bodies
        )
        completions = CompletionsEndpoint(routing, http or HttpSettings())
        models = ModelsEndpoints(routing, today)

        async def nothing() -> None:
            pass

        self.app = Envelope(
            api_routes=[
                ApiRoute("/v1/messages", "POST", endpoints.create),
                ApiRoute("/v1/messages/count_tokens", "POST", endpoints.count_tokens),
                ApiRoute("/v1/models", "GET", models.list),
                ApiRoute("/v1/models/{model_id:path}", "GET", models.retrieve),
                ApiRoute("/v1/complete", "POST", completions.create),
                *chat_routes(routing, endpoints.create, http or HttpSettings(), stream or StreamSettings()),
            ],
            other_routes=list(other_routes),
            authenticator=self.key,
            request_log=self.records,
            start=nothing,
            stop=nothing,
        )

    async def call(
        self,
        method: str = "POST",
        path: str = "/v1/messages",
        headers: dict[str, str] | list[tuple[bytes, bytes]] | None = None,
        body: bytes | Sequence[bytes] = b"",
        query: bytes = b"",
    ) -> Answer:
        """One request. `body` may come in pieces. The client stays until the answer is whole."""
        given = HEADERS if headers is None else headers
        pairs = given if isinstance(given, list) else [(n.encode(), v.encode("latin-1")) for n, v in given.items()]
        pieces: Iterator[tuple[bytes, bool]]
        if isinstance(body, bytes):
            pieces = iter([(body, False)])
        else:
            pieces = iter([(piece, place < len(body) - 1) for place, piece in enumerate(body)] or [(b"", False)])
        answer = Answer(0, {}, b"")
        parts: list[bytes] = []
        unfinished = True

        async def receive() -> dict[str, Any]:
            try:
                piece, more = next(pieces)
            except StopIteration:
                await asyncio.Event().wait()
                raise AssertionError from None
            return {"type": "http.request", "body": piece, "more_body": more}

        async def send(message: Any) -> None:
            nonlocal unfinished
            if message["type"] == "http.response.start":
                answer.status = message["status"]
                answer.headers = {n.decode(): v.decode("latin-1") for n, v in message["headers"]}
            else:
                parts.append(message["body"])
                unfinished = message.get("more_body", False)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "root_path": "",
            "scheme": "http",
            "query_string": query,
            "headers": pairs,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 2),
            "state": {},
        }
        await self.app(scope, receive, send)
        task = asyncio.current_task()
        # A client that has gone waits for none.
        assert not unfinished or (task is not None and task.cancelling()), "the answer has no end"
        answer.body = b"".join(parts)
        return answer

    async def post(self, request: Any, path: str = "/v1/messages", **headers: str) -> Answer:
        """A JSON request with the usual headers; `headers` with underscores for hyphens come on top."""
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.call(path=path, headers={**HEADERS, **more}, body=json.dumps(request).encode())
