"""The server tools of this server, and those of them that one turn uses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from types import TracebackType
from typing import Any, cast

import structlog

from understudy.tools.protocol import (
    Asked,
    CodeSession,
    ModelUse,
    ServerTool,
    ToolCall,
    ToolResult,
    ToolSession,
)
from understudy.wire.callers import CODE_CALLER, called_by_code
from understudy.wire.errors import ApiError
from understudy.wire.server_tools import MCP_TOOLSET, RESULT_OF, ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")


class ToolRun:
    """The tools of one turn. Entered before the engine is first asked; leaving it ends all that they hold."""

    __slots__ = ("_sessions", "_stack", "advised", "functions", "read", "web_fetch_requests", "web_search_requests")

    def __init__(self, sessions: Sequence[ToolSession]) -> None:
        self._sessions = sessions
        self._stack = AsyncExitStack()
        functions = [function for session in sessions for function in session.functions]
        code = next((session for session in sessions if isinstance(session, CodeSession)), None)
        # Those that only code may call.
        hidden = frozenset[str]() if code is None else code.offer(functions)
        if code is not None:
            functions = [function for session in sessions for function in session.functions]
        self.functions: tuple[ServerFunction, ...] = tuple(
            function for function in functions if function.server_name is not None or function.name not in hidden
        )
        self.web_search_requests = 0
        self.web_fetch_requests = 0
        # By the ids of calls: what the model reads of a result, where that is not its content.
        self.read: dict[str, Any] = {}
        # Calls of other models, in order.
        self.advised: list[ModelUse] = []

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

    def resumes(self, call: ToolCall) -> bool:
        """Whether it is code that has called tools, and goes on."""
        session = self._session_of(call)
        return isinstance(session, CodeSession) and session.has_begun(call)

    async def run(self, call: ToolCall) -> AsyncGenerator[dict[str, Any]]:
        """The blocks that a call leads to: those of calls that its code makes, and last the one that answers it. Where
        that is missing, code waits for what the client will send."""
        session = self._session_of(call)
        if not isinstance(session, CodeSession):
            yield self._block(call, await self._run(call))
            return
        result: ToolResult | None = None
        try:
            async with aclosing(session.steps(call, self._run_for_code)) as steps:
                async for step in steps:
                    if isinstance(step, ToolResult):
                        result = step
                    else:
                        yield step
        except ApiError:
            _log.warning("a server tool failed", tool=call.name, exc_info=True)
            result = unavailable(call.asked_of)
        except Exception:
            _log.exception("a server tool broke", tool=call.name)
            result = unavailable(call.asked_of)
        if result is not None:
            yield self._block(call, result)

    async def _run_for_code(self, call: ToolCall) -> ToolResult:
        result = await self._run(call)
        self._count(result)
        return result

    def _block(self, call: ToolCall, result: ToolResult) -> dict[str, Any]:
        self._count(result)
        if result.read is not None:
            self.read[call.id] = result.read
        return result.block(call.id)

    def _count(self, result: ToolResult) -> None:
        self.web_search_requests += result.web_search_requests
        self.web_fetch_requests += result.web_fetch_requests
        if result.advised is not None:
            self.advised.append(result.advised)

    def _session_of(self, call: ToolCall) -> ToolSession | None:
        return next((session for session in self._sessions if session.answers(call.asked_of)), None)

    async def _run(self, call: ToolCall) -> ToolResult:
        session = self._session_of(call)
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

    def __init__(self, tools: Sequence[ServerTool], closing: Sequence[Callable[[], Awaitable[None]]] = ()) -> None:
        """`closing`: how those of them are closed that hold something between turns."""
        self._tools = tools
        self._closing = closing

    async def close(self) -> None:
        for close in self._closing:
            await close()

    def serves(self, kind: str) -> bool:
        return any(tool.serves(kind) for tool in self._tools)

    async def open(self, asked: Asked) -> ToolRun | None:
        """The tools that a request uses; None where it uses none. Raises the API's errors."""
        tools = cast("list[dict[str, Any]]", asked.request.get("tools") or [])
        declared = [str(tool.get("type")) for tool in tools]
        if any(map(called_by_code, tools)):
            # "The API provisions the code execution it needs" (web-search-tool.md; recorded of client tools as well).
            declared.append(CODE_CALLER)
        if asked.request.get("mcp_servers"):
            # They may bring tools without an entry in `tools`.
            declared.append(MCP_TOOLSET)
        used = [tool for tool in self._tools if any(map(tool.serves, declared))]
        sessions = [session for tool in used if (session := await tool.session(asked)) is not None]
        return ToolRun(sessions) if sessions else None
