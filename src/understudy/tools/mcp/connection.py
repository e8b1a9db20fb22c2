"""One connection to an MCP server, by the official client.

The client lives in a task of its own, for it must be left by the task that entered it; a turn may be carried on by
several. Neither of a server's instructions, nor its prompts, resources and questions, is anything made.

Transports (https://modelcontextprotocol.io/specification/2025-11-25/basic/transports, "Backwards Compatibility"):
streamable HTTP, and where that is answered with 400, 404 or 405 the SSE of 2024.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncGenerator, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeVar

import httpx2
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import (
    PARSE_ERROR,
    CallToolRequest,
    CallToolRequestParams,
    CallToolResult,
    Implementation,
    PaginatedRequestParams,
)

from understudy import __version__
from understudy.net.guard import Guard, Target
from understudy.tools.mcp.listing import MOST_PAGES, MOST_TOOLS, Tool, first_of_each_name, tool_of
from understudy.tools.mcp.transport import GuardedTransport

_T = TypeVar("_T")

_ONLY_SSE: Final = frozenset({400, 404, 405})
# Seconds that a farewell may take.
_CLOSING: Final = 2.0
_CLIENT: Final = Implementation(name="understudy", version=__version__)

for _name in ("mcp", "httpx2", "httpcore2"):
    # They write down what servers say and where they stand, and servers could fill a disk with it.
    if logging.getLogger(_name).level == logging.NOTSET:
        logging.getLogger(_name).setLevel(logging.CRITICAL)


class ConnectionFailedError(Exception):
    """A server did not answer, or not as a server of MCP does. The text is for logs; `status` is what it said by HTTP,
    where that was an error, and `said` what it said itself."""

    def __init__(self, why: str, *, status: int | None = None, said: str | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.said = said


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds until a server is connected to and has listed its tools, seconds of a call, and bytes of what comes in
    either of these times."""

    listing: float
    call: float
    size: int


class Connection:
    """`close` it, whatever became of it."""

    def __init__(self, guard: Guard, target: Target, token: str | None, bounds: Bounds) -> None:
        self._guard = guard
        self._target = target
        self._token = token
        self._bounds = bounds
        self._transport: GuardedTransport | None = None
        self._closing = asyncio.Event()
        self._ready: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None

    async def tools(self) -> tuple[Tool, ...]:
        """All that the server lists and a model can be offered. Raises ConnectionFailedError."""
        return await self._within(self._list(), self._bounds.listing)

    async def call(self, name: str, given: dict[str, Any]) -> CallToolResult:
        """Raises ConnectionFailedError."""
        return await self._within(self._call(name, given), self._bounds.call)

    async def close(self) -> None:
        self._closing.set()
        task = self._task
        if task is None:
            return
        if self._ready.done():
            await asyncio.wait({task}, timeout=_CLOSING)
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=_CLOSING)

    async def _list(self) -> tuple[Tool, ...]:
        client = await asyncio.shield(self._ready)
        found: list[Tool] = []
        cursor: str | None = None
        for _ in range(MOST_PAGES):
            listed = await client.session.list_tools(params=PaginatedRequestParams(cursor=cursor))
            for entry in listed.tools:
                tool = tool_of(entry.name, entry.description or entry.title, entry.input_schema)
                if tool is not None:
                    found.append(tool)
            cursor = listed.next_cursor
            if not cursor or len(found) >= MOST_TOOLS:
                break
        return first_of_each_name(found)

    async def _call(self, name: str, given: dict[str, Any]) -> CallToolResult:
        client = await asyncio.shield(self._ready)
        request = CallToolRequest(params=CallToolRequestParams(name=name, arguments=given))
        # Not `call_tool`: it asks for the listing again, and applies schemas that the server chose.
        return await client.session.send_request(request, CallToolResult)

    async def _within(self, asked: Coroutine[Any, Any, _T], seconds: float) -> _T:
        """What was asked for, unless it takes too long, is too much, or the connection ends first."""
        if self._task is None:
            self._task = asyncio.create_task(self._hold())
            self._task.add_done_callback(_seen)
        if self._transport is not None:
            self._transport.allow(self._bounds.size)
        doing = asyncio.create_task(asked)
        try:
            await asyncio.wait({doing, self._task}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise self._failed("the connection ended" if self._task.done() else "it took too long")
            return doing.result()
        except MCPError as error:
            # The client's own complaints of what it could not read come the same way.
            said = None if error.error.code == PARSE_ERROR else error.error.message
            raise self._failed(f"the server answered with error {error.error.code}", said=said) from error
        except (httpx2.HTTPError, httpx2.StreamError, ValueError, RuntimeError, OSError) as error:
            # pydantic's errors are ValueErrors: what came is not what the protocol wants.
            raise self._failed(type(error).__name__) from error
        finally:
            doing.cancel()
            doing.add_done_callback(_seen)

    def _failed(self, why: str, *, said: str | None = None) -> ConnectionFailedError:
        transport = self._transport
        if transport is None:
            return ConnectionFailedError(why)
        if transport.refusal is not None:
            return ConnectionFailedError(transport.refusal)
        if transport.too_large:
            return ConnectionFailedError("it says too much")
        return ConnectionFailedError(why, status=transport.status, said=None if transport.broken else said)

    async def _hold(self) -> None:
        """Connect, and stay connected until it is closed. A failure ends it: who waits sees that."""
        tls = await asyncio.to_thread(_tls)
        for streamable in (True, False):
            transport = GuardedTransport(self._guard, self._target, self._token, tls)
            transport.allow(self._bounds.size)
            self._transport = transport
            client = httpx2.AsyncClient(
                transport=transport, trust_env=False, follow_redirects=False, timeout=httpx2.Timeout(None)
            )
            with contextlib.suppress(Exception):
                async with client:
                    await self._connected(client, streamable=streamable)
            if self._ready.done() or not streamable or transport.status not in _ONLY_SSE:
                return

    async def _connected(self, client: httpx2.AsyncClient, *, streamable: bool) -> None:
        url, size = str(self._target.url), self._bounds.size
        if streamable:
            streams: AbstractAsyncContextManager[Any] = streamable_http_client(
                url, http_client=client, max_sse_event_size=size
            )
        else:
            streams = sse_client(url, httpx_client_factory=_factory(client))
        async with Client(
            streams, mode="auto" if streamable else "legacy", cache=None, client_info=_CLIENT
        ) as connected:
            assert self._transport is not None
            self._transport.status, self._transport.connected = None, True
            self._ready.set_result(connected)
            await self._closing.wait()


def _seen(task: asyncio.Task[Any]) -> None:
    """Whatever it ended with, nobody waits for it any more."""
    if not task.cancelled():
        task.exception()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    # Reading the system's certificates takes some 20 ms.
    return ssl.create_default_context()


def _factory(client: httpx2.AsyncClient) -> Any:
    """Makes no client, but lends this one."""

    @contextlib.asynccontextmanager
    async def lent(**_: object) -> AsyncGenerator[httpx2.AsyncClient]:
        yield client

    return lent
