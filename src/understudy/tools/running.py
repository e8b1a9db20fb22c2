"""The server tools of this server, and those of them that one turn uses."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, cast

import structlog

from understudy.tools.protocol import Asked, ServerTool, ToolCall, ToolResult, ToolSession
from understudy.wire.errors import ApiError
from understudy.wire.server_tools import MCP_TOOLSET, RESULT_OF, ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")


class ToolRun:
    """The tools of one turn. Entered before the engine is first asked; leaving it ends all that they hold."""

    __slots__ = ("_sessions", "_stack", "functions", "read", "web_fetch_requests", "web_search_requests")

    def __init__(self, sessions: Sequence[ToolSession]) -> None:
        self._sessions = sessions
        self._stack = AsyncExitStack()
        self.functions: tuple[ServerFunction, ...] = tuple(
            function for session in sessions for function in session.functions
        )
        self.web_search_requests = 0
        self.web_fetch_requests = 0
        # By the ids of calls: what the model reads of a result, where that is not its content.
        self.read: dict[str, Any] = {}

    @property
    def container(self) -> dict[str, Any] | None:
        """The answer's `container`."""
        found = (session.container for session in self._sessions)
        return next((container for container in found if container is not None), None)

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with all that the tools say to the model."""
        for session in self._sessions:
            request = session.prompted(request)
        return request

    async def __aenter__(self) -> ToolRun:
        try:
            for session in self._sessions:
                self._stack.push_async_callback(session.close)
                await session.start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def run(self, call: ToolCall) -> dict[str, Any]:
        """The block that answers a call."""
        result = await self._run(call)
        self.web_search_requests += result.web_search_requests
        self.web_fetch_requests += result.web_fetch_requests
        if result.read is not None:
            self.read[call.id] = result.read
        return result.block(call.id)

    async def _run(self, call: ToolCall) -> ToolResult:
        session = next((session for session in self._sessions if session.answers(call.asked_of)), None)
        if session is None:
            return unavailable(call.asked_of)
        try:
            return await session.run(call)
        except ApiError:
            _log.warning("a server tool failed", tool=call.name, exc_info=True)
        except Exception:
            _log.exception("a server tool broke", tool=call.name)
        return unavailable(call.asked_of)


def unavailable(name: str) -> ToolResult:
    """What stands for a result that could not be had."""
    kind = RESULT_OF.get(name)
    if kind is None:
        content: Any = [{"type": "text", "text": "The tool is not available."}]
        return ToolResult("mcp_tool_result", content, is_error=True)
    return ToolResult(kind, {"type": f"{kind}_error", "error_code": "unavailable"})


class ServerTools:
    """All server tools that are built, as far as this machine can run them."""

    def __init__(self, tools: Sequence[ServerTool]) -> None:
        self._tools = tools

    def serves(self, kind: str) -> bool:
        return any(tool.serves(kind) for tool in self._tools)

    async def open(self, asked: Asked) -> ToolRun | None:
        """The tools that a request uses; None where it uses none. Raises the API's errors."""
        declared = [str(tool.get("type")) for tool in cast("list[dict[str, Any]]", asked.request.get("tools") or [])]
        if asked.request.get("mcp_servers"):
            # They may bring tools without an entry in `tools`.
            declared.append(MCP_TOOLSET)
        used = [tool for tool in self._tools if any(map(tool.serves, declared))]
        return ToolRun([await tool.session(asked) for tool in used]) if used else None
