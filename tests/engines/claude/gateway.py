"""The Messages API in front of Claude upstreams, called in process or listening on a port."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import uvicorn

from asgi import SIGNING_KEYS, InProcess, OneKey
from understudy.documents.reader import PdfReader
from understudy.engines.claude import ClaudeSettings, ClaudeUpstream, Upstream
from understudy.engines.engine import Engine
from understudy.engines.routing import Backend, Facts, Mapped, MappedTarget, PassOn, Route, Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.body import read_json_body
from understudy.http.envelope import ApiRoute, Envelope
from understudy.http.exchange import DisconnectWatch, Exchange
from understudy.http.protocol import BoundedHttpProtocol
from understudy.messages.forwarding import Endpoint, Forwarding, check_forwarded
from understudy.messages.preparation import Preparation
from understudy.messages.rules import check_request
from understudy.messages.signatures import Signer
from understudy.messages.turn import complete_turn, stream_turn
from understudy.settings import SimulatorSettings
from understudy.wire.sse import CONTENT_TYPE, encode
from understudy.wire.validation import parse_json, validator

UPSTREAM_KEY = "sk-upstream-secret-of-the-operator"


class Gateway(InProcess):
    """`targets` of all `names`: each a (backend, model, weight). Backends are given by URL, or
    as `clouds`; `simulator` is our own."""

    def __init__(
        self,
        urls: dict[str, str],
        targets: Sequence[tuple[str, str, int]],
        names: Sequence[str] = ("public",),
        *,
        ping_interval: float = 10.0,
        api_key: str = UPSTREAM_KEY,
        engine: Engine | None = None,
        clouds: Sequence[Upstream] = (),
        **settings: Any,
    ) -> None:
        super().__init__()
        self.upstreams: dict[str, Upstream] = {
            name: ClaudeUpstream(name, ClaudeSettings(url, api_key, **settings)) for name, url in urls.items()
        }
        self.upstreams |= {cloud.name: cloud for cloud in clouds}
        backends = {name: Backend(claude=upstream, failures=100) for name, upstream in self.upstreams.items()}
        backends["simulator"] = Backend(engine=engine or SimulatorEngine(SimulatorSettings()))
        mapped = [Mapped(name, tuple(MappedTarget(*one) for one in targets), Facts()) for name in names]
        self.routing = Routing(None, mapped=mapped, backends=backends)
        self.signer = Signer(SIGNING_KEYS)
        self._preparation = Preparation(self.signer, pdfs=PdfReader(), fetcher=None, clock=time.time)
        self._forwarding = Forwarding(self.signer, ping_interval)

        async def nothing() -> None:
            pass

        self.app = Envelope(
            api_routes=[
                ApiRoute("/v1/messages", "POST", self.create),
                ApiRoute("/v1/messages/count_tokens", "POST", self.count_tokens),
            ],
            other_routes=[],
            authenticator=OneKey(),
            request_log=self.records,
            start=nothing,
            stop=self.close,
        )

    async def close(self) -> None:
        for upstream in self.upstreams.values():
            await upstream.close()

    async def create(self, exchange: Exchange) -> None:
        await self._answer(exchange, "messages")

    async def count_tokens(self, exchange: Exchange) -> None:
        await self._answer(exchange, "count_tokens")

    async def _answer(self, exchange: Exchange, endpoint: Endpoint) -> None:
        body = await read_json_body(exchange, 32 * 1024 * 1024)
        request = check_forwarded(parse_json(body), endpoint)
        route = self.routing.resolve(request["model"])
        assert route.chain is not None
        exchange.record.model = route.model.id
        async with DisconnectWatch(exchange):
            with route.chain.choose() as choice:
                while not await self._forwarding.forward(exchange, body, request, route, choice, endpoint):
                    try:
                        await self._engine(exchange, request, route.along(choice))
                        return
                    except PassOn:
                        continue

    async def _engine(self, exchange: Exchange, request: dict[str, Any], route: Route) -> None:
        validator("messages", exchange.version, ()).check(request)
        found = check_request(request, route.model, exchange.version)
        turn = await self._preparation.prepare(exchange, request, route, found)
        if request.get("stream"):
            parts = [encode(events) async for events in stream_turn(turn)]
            await exchange.respond(200, b"".join(parts), CONTENT_TYPE, [(b"understudy-engine", b"engine")])
        else:
            await exchange.respond_json(await complete_turn(turn), headers=[(b"understudy-engine", b"engine")])

    @contextmanager
    def listening(self) -> Generator[str]:
        """Serve it in a thread. Yields the URL."""
        started = threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                started.set()

        config = uvicorn.Config(
            self.app, http=BoundedHttpProtocol, ws="none", lifespan="on", log_config=None, access_log=False,
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as bound:
            bound.bind(("127.0.0.1", 0))
            bound.listen(2048)
            server = Server(config)

            def serve() -> None:
                asyncio.run(server.serve([bound]))

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            assert started.wait(20)
            try:
                yield f"http://127.0.0.1:{bound.getsockname()[1]}"
            finally:
                server.should_exit = True
                thread.join(20)
