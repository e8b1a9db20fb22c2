"""Stands between the SDK's tests and the server: rewrites requests by the table and remembers what passed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

import aiohttp
from aiohttp import web

from .rewriting import Request, rewrite
from .table import Resource

CONTROL_PATH = "/_suite/test"
"""Told the id of each test before it runs: requests say nothing of who sends them."""

# They speak of one connection only, or of a body that is written anew.
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host", "te", "upgrade"}


@dataclass(frozen=True, slots=True)
class Passed:
    """A request that passed, and its answer's status."""

    test: str
    method: str
    path: str
    status: int
    rewritten: tuple[str, ...]


@dataclass
class Proxy:
    """`async with Proxy(…)`; then `url` is where it listens, and `passed` grows."""

    upstream: str
    keys: Mapping[str, str]
    """A key for each kind of credential."""
    resources: Mapping[str, Resource]
    """By the file of their tests."""
    made: Mapping[str, str]
    prepare: Callable[[Resource], Awaitable[Mapping[str, str]]]
    """For resources whose tests want fresh objects."""
    url: str = ""
    passed: list[Passed] = field(default_factory=list[Passed])
    _test: str = ""

    async def __aenter__(self) -> Proxy:
        self._client = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post(CONTROL_PATH, self._begin_test)
        application.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _begin_test(self, asked: web.Request) -> web.Response:
        self._test = await asked.text()
        resource = self.resources[self._test.partition("::")[0]]
        if resource.fresh:
            self.made = {**self.made, **await self.prepare(resource)}
        return web.Response()

    async def _pass(self, asked: web.Request) -> web.StreamResponse:
        test = self._test
        resource = self.resources[test.partition("::")[0]]
        content = await asked.read()
        headers = {name.lower(): value for name, value in asked.headers.items() if name.lower() not in _HOP_BY_HOP}
        is_json = headers.get("content-type", "").startswith("application/json")
        request = Request(
            method=asked.method,
            path=asked.path,
            query=list(asked.query.items()),
            headers=headers,
            body=json.loads(content) if is_json and content else None,
            content=content,
        )
        rewrite(request, resource, self.made)
        # The placeholder of the SDK's client is in the one header or the other.
        name = "authorization" if "authorization" in request.headers else "x-api-key"
        request.headers[name] = ("Bearer " if name == "authorization" else "") + self.keys[resource.credential]
        content = request.content if request.body is None else json.dumps(request.body).encode()
        async with self._client.request(
            asked.method, self.upstream + request.path, params=request.query, headers=request.headers, data=content
        ) as answer:
            self.passed.append(
                Passed(test, asked.method, request.path, answer.status, tuple(dict.fromkeys(request.rewritten)))
            )
            response = web.StreamResponse(status=answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    response.headers.add(name, value)
            try:
                await response.prepare(asked)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
            except ConnectionResetError:  # tests of streams close them unread
                pass
            return response
