"""Web search in one turn.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool (2026-08); recorded answers of
2025-06 to 2026-08 have up to ten results. Later versions of the tool search from within code by default (see
tools/programmatic), and find the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias, cast

import structlog

from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.tools.web.documents import Page
from understudy.tools.web.domains import DomainFilter, declared_tool
from understudy.tools.web.providers import SearchFailedError, SearchProvider
from understudy.tools.web.results import read_result
from understudy.tools.web.sealed import CONTENT, Sealed
from understudy.wire.server_tools import ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")

NAME: Final = "web_search"
KINDS: Final = frozenset({"web_search_20250305", "web_search_20260209", "web_search_20260318"})

# Characters of a query [guess: that there is a bound is documented, by the error code `query_too_long`].
_LONGEST_QUERY: Final = 1_000
_MOST_RESULTS: Final = 10

_DIRECT: Final = {"type": "direct"}

_INPUT: Final = {
    "type": "object",
    "properties": {"query": {"type": "string", "description": "What to search for."}},
    "required": ["query"],
    "additionalProperties": False,
}
_DESCRIPTION: Final = (
    "Searches the web and returns titles, addresses and texts of pages. For what is new, what changes, and what you do "
    "not know."
)


Admit: TypeAlias = Callable[[Asked], Awaitable[bool]]


class WebSearch:
    """The web search tool. Implements ServerTool. `admit` is asked before each search whether it may be made now."""

    def __init__(self, provider: SearchProvider, sealed: Sealed, admit: Admit | None = None) -> None:
        self.provider = provider
        self.sealed = sealed
        self.admit = admit

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> WebSearchSession:
        return WebSearchSession(self, asked, *declared_tool(asked.request, KINDS, with_paths=True))


class WebSearchSession:
    """Implements ToolSession."""

    container = None

    def __init__(self, tool: WebSearch, asked: Asked, declared: dict[str, Any], domains: DomainFilter) -> None:
        self._tool = tool
        self._asked = asked
        self._domains = domains
        self._left: int | None = declared.get("max_uses")
        location = cast("dict[str, str | None]", declared.get("user_location") or {})
        self._location = {name: value for name, value in location.items() if value is not None}
        self.functions = (ServerFunction(declared["type"], NAME, _DESCRIPTION, _INPUT),)

    def answers(self, name: str) -> bool:
        return name == NAME

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    async def start(self) -> None:
        """Nothing is made ready."""

    async def run(self, call: ToolCall) -> ToolResult:
        query = call.input.get("query")
        if not isinstance(query, str) or not query.strip():
            return _failed("invalid_tool_input")
        if len(query) > _LONGEST_QUERY:
            return _failed("query_too_long")
        if self._left is not None:
            if self._left <= 0:
                return _failed("max_uses_exceeded")
            self._left -= 1
        if self._tool.admit is not None and not await self._tool.admit(self._asked):
            return _failed("too_many_requests")
        try:
            pages = await self._tool.provider.search(query, _MOST_RESULTS, self._domains.allows, self._location or None)
        except SearchFailedError as error:
            _log.warning("a web search failed", reason=str(error)[:500])
            return _failed(error.code)
        results = [self._result(page) for page in pages]
        return ToolResult(
            "web_search_tool_result",
            results,
            web_search_requests=1,
            caller=_DIRECT,
            read=[read_result(result, page.text) for result, page in zip(results, pages, strict=True)],
        )

    def _result(self, page: Page) -> dict[str, Any]:
        return {
            "type": "web_search_result",
            "title": page.title,
            "url": page.url,
            "encrypted_content": self._tool.sealed.seal(CONTENT, self._asked.organization_id, page.text),
            "page_age": page.page_age,
        }

    async def close(self) -> None:
        """Nothing is held."""


def _failed(code: str) -> ToolResult:
    content = {"type": "web_search_tool_result_error", "error_code": code}
    return ToolResult("web_search_tool_result", content, caller=_DIRECT)
