"""The tools of MCP servers in one turn.

To an engine they are functions like those of the client, listed among `tools` under names that no other tool has; the
API's blocks show the server's name and the tool's own. Source:
https://platform.claude.com/docs/en/agents-and-tools/mcp-connector (2026-08); recorded answers of 2025-07 to 2026-08.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

import structlog

from understudy.net.guard import Guard, Target, UrlRefusedError
from understudy.tools.mcp.changes import named_changes
from understudy.tools.mcp.listing import Listings, Tool, pinned_tools
from understudy.tools.mcp.results import content_of, without
from understudy.tools.mcp.servers import KIND, Server, servers_of
from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.wire.errors import InvalidRequestError
from understudy.wire.server_tools import ServerFunction

if TYPE_CHECKING:
    from understudy.tools.mcp.connection import Connection, ConnectionFailedError

_log = structlog.stdlib.get_logger("understudy.tools")

# All four were seen in clients' logs of 2025-06 to 2026-08.
_UNREACHED: Final = (
    "Connection error while communicating with MCP server. The server may be unavailable or unresponsive."
)
_UNAUTHORIZED: Final = (
    "Authentication error while communicating with MCP server. Please check your authorization token."
)
_STATUS: Final = "Connection error while communicating with MCP server: Server error: MCP server error (HTTP {status})"
_SAID: Final = "MCP server returned an error while listing tools: {said}"

# Characters of a server's own error.
_MOST_SAID: Final = 500
_MOST_NAME: Final = 128
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_-]")

_Block = dict[str, Any]


class MCPConnector:
    """The MCP connector. Implements ServerTool.

    `listing_timeout` and `call_timeout` are seconds. `most_size`: bytes that a server may send for a listing or a
    call; `most_result`: characters of a result. Listings are kept for `listing_lifetime` seconds of `clock`.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        listing_timeout: float,
        call_timeout: float,
        most_size: int,
        most_result: int,
        listing_lifetime: float,
        clock: Callable[[], float],
    ) -> None:
        self.guard = guard
        self.most_result = most_result
        self.listings = Listings(listing_lifetime, clock)
        self._seconds = listing_timeout, call_timeout
        self._size = most_size
        self._farewells: set[asyncio.Task[None]] = set()

    def serves(self, kind: str) -> bool:
        return kind == KIND

    async def session(self, asked: Asked) -> MCPSession:
        servers = servers_of(asked.request, asked.betas)
        targets = [await self._target(asked.request, server) for server in servers]
        if any(server.pinned is None for server in servers):
            self.check_installed()
        asking = [
            asyncio.create_task(self._tools(asked.organization_id, server, target))
            for server, target in zip(servers, targets, strict=True)
        ]
        try:
            listed = await asyncio.gather(*asking)
        finally:
            for task in asking:
                task.cancel()
        return MCPSession(self, asked.request, servers, targets, listed)

    def check_installed(self) -> None:
        """Raises InvalidRequestError where this server cannot speak MCP."""
        if find_spec("mcp") is None:
            raise InvalidRequestError(
                "mcp_servers: this server was installed without the MCP connector. Install understudy[mcp]."
            )

    async def _target(self, request: _Block, server: Server) -> Target:
        try:
            target = self.guard.judge(server.url)
        except UrlRefusedError as error:
            _log.info("an MCP server was refused", server=server.name, reason=str(error))
            raise InvalidRequestError(_UNREACHED) from None
        if target.url.scheme != "https" and not await self._may_be_plain(target):
            place = next(n for n, one in enumerate(request["mcp_servers"]) if one["name"] == server.name)
            # Documented ("must start with https://"); text: [guess].
            raise InvalidRequestError(f"mcp_servers.{place}.url: MCP server URL must start with https://")
        return target

    async def _may_be_plain(self, target: Target) -> bool:
        """Whether the operator trusts a server that is reached without TLS."""
        if self.guard.trusts(target):
            return True
        try:
            async with asyncio.timeout(self._seconds[0]):
                addresses = await self.guard.addresses(target)
        except (UrlRefusedError, OSError):  # TimeoutError is one
            return False
        return all(self.guard.trusts(target, address) for address in addresses)

    async def _tools(self, organization_id: str, server: Server, target: Target) -> tuple[Tool, ...]:
        if server.pinned is not None:
            return pinned_tools(server.pinned)
        tools = self.listings.get(organization_id, server)
        if tools is not None:
            return tools
        from understudy.tools.mcp.connection import ConnectionFailedError

        connection = self.connect(server, target)
        try:
            tools = await connection.tools()
        except ConnectionFailedError as error:
            _log.warning("an MCP server did not list its tools", server=server.name, reason=str(error))
            raise InvalidRequestError(_told(error, server)) from None
        finally:
            self.part(connection)
        self.listings.put(organization_id, server, tools)
        return tools

    def connect(self, server: Server, target: Target) -> Connection:
        from understudy.tools.mcp.connection import Bounds, Connection

        return Connection(self.guard, target, server.token, Bounds(*self._seconds, self._size))

    def part(self, connection: Connection) -> None:
        """Close a connection, while nobody waits for it."""
        task = asyncio.create_task(connection.close())
        self._farewells.add(task)
        task.add_done_callback(self._farewells.discard)


def _told(error: ConnectionFailedError, server: Server) -> str:
    """What the client is told: not where names lead, nor the token."""
    if error.status in {401, 403}:
        return _UNAUTHORIZED
    if error.status is not None:
        return _STATUS.format(status=error.status)
    if error.said:
        return _SAID.format(said=without(error.said[:_MOST_SAID], server.token))
    return _UNREACHED


class MCPSession:
    """Implements ToolSession."""

    container = None

    def __init__(
        self,
        connector: MCPConnector,
        request: _Block,
        servers: Sequence[Server],
        targets: Sequence[Target],
        listed: Sequence[tuple[Tool, ...]],
    ) -> None:
        self._connector = connector
        self._servers = {server.name: (server, target) for server, target in zip(servers, targets, strict=True)}
        self._connections: dict[str, Connection] = {}
        taken = {str(tool.get("name")) for tool in cast("list[_Block]", request.get("tools") or [])}
        self._by_server: dict[str, list[ServerFunction]] = {}
        for server, tools in zip(servers, listed, strict=True):
            self._by_server[server.name] = [
                _function(server.name, tool, taken) for tool in tools if server.enabled(tool.name)
            ]
        self.functions = tuple(function for functions in self._by_server.values() for function in functions)

    def answers(self, name: str) -> bool:
        return any(name == ToolCall("", "", {}, server).asked_of for server in self._servers)

    def prompted(self, request: _Block) -> _Block:
        """Each toolset as the tools that it brings."""
        request = named_changes(request, self._by_server)
        tools: list[_Block] = []
        unplaced = dict(self._by_server)
        for tool in cast("list[_Block]", request.get("tools") or []):
            if tool.get("type") == KIND:
                name = tool["mcp_server_name"]
                tools += self._definitions(name, unplaced.pop(name, []), tool.get("cache_control"))
            else:
                tools.append(tool)
        for name, functions in unplaced.items():
            tools += self._definitions(name, functions, None)
        prompted = {name: value for name, value in request.items() if name != "mcp_servers"}
        if tools or "tools" in request:
            prompted["tools"] = tools
        choice = cast("_Block", request.get("tool_choice") or {})
        if choice.get("type") == "tool" and all(tool.get("name") != choice["name"] for tool in tools):
            chosen = next((function for function in self.functions if function.title == choice["name"]), None)
            if chosen is not None:
                prompted["tool_choice"] = {**choice, "name": chosen.name}
        return prompted

    def _definitions(
        self, server_name: str, functions: list[ServerFunction], cache_control: _Block | None
    ) -> list[_Block]:
        server, _ = self._servers[server_name]
        found: list[_Block] = []
        last: _Block | None = None
        for function in functions:
            definition: _Block = {
                "name": function.name,
                "description": function.description,
                "input_schema": function.input_schema,
            }
            if server.deferred(function.title or ""):
                definition["defer_loading"] = True
            else:
                last = definition
            found.append(definition)
        if cache_control is not None and last is not None:
            last["cache_control"] = cache_control
        return found

    async def start(self) -> None:
        """Connections are made when a tool is first called: listings are often known."""

    async def run(self, call: ToolCall) -> ToolResult:
        server_name = call.server_name or ""
        server, target = self._servers[server_name]
        if all(function.title != call.name for function in self._by_server[server_name]):
            return _failed(f"The MCP server '{server_name}' has no tool '{call.name[:_MOST_NAME]}' here.")
        self._connector.check_installed()
        from understudy.tools.mcp.connection import ConnectionFailedError

        connection = self._connections.get(server_name)
        if connection is None:
            connection = self._connections[server_name] = self._connector.connect(server, target)
        try:
            result = await connection.call(call.name, call.input)
        except ConnectionFailedError as error:
            _log.warning("a tool of an MCP server failed", server=server_name, tool=call.name, reason=str(error))
            if error.said is None or error.status is not None:
                # The next call may find it well again.
                self._connector.part(self._connections.pop(server_name))
                return _failed(_told(error, server))
            return _failed(without(error.said[: self._connector.most_result], server.token))
        content = content_of(result, server.token, self._connector.most_result)
        return ToolResult("mcp_tool_result", content, is_error=result.is_error)

    async def close(self) -> None:
        for connection in self._connections.values():
            self._connector.part(connection)
        self._connections.clear()


def _function(server_name: str, tool: Tool, taken: set[str]) -> ServerFunction:
    """`taken` are the names of tools that stand in the same request; the function's is added."""
    wanted = _NOT_IN_NAMES.sub("_", f"mcp__{server_name}__{tool.name}")[:_MOST_NAME]
    name, number = wanted, 2
    while name in taken:
        ending = f"_{number}"
        name, number = wanted[: _MOST_NAME - len(ending)] + ending, number + 1
    taken.add(name)
    return ServerFunction(
        KIND,
        name,
        tool.description,
        tool.input_schema,
        block="mcp_tool_use",
        id_prefix="mcptoolu_",
        server_name=server_name,
        title=tool.name,
    )


def _failed(why: str) -> ToolResult:
    return ToolResult("mcp_tool_result", [{"type": "text", "text": why}], is_error=True)
