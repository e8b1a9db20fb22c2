"""Web search in one turn.

Sources: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-search-tool (2026-08); recorded answers of
2025-06 to 2026-08 have up to ten results. Later versions of the tool search from within code by default; here the model
calls all of them directly, and they find the same.
"""

from __future__ import annotations

from typing import Any, Final, cast

import structlog

from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.tools.web.documents import Page
from understudy.tools.web.domains import DomainFilter, domain_filter
from understudy.tools.web.providers import SearchFailedError, SearchProvider
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import InvalidRequestError
from understudy.wire.server_tools import ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")

NAME: Final = "web_search"
KINDS: Final = frozenset({"web_search_20250305", "web_search_20260209", "web_search_20260318"})

CONTENT: Final = "web_search_result"
"""What `encrypted_content` is sealed as."""

# Characters of a query [guess: that there is a bound is documented, by the error code `query_too_long`].
_LONGEST_QUERY: Final = 1_000
_MOST_RESULTS: Final = 10

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


class WebSearch:
    """The web search tool. Implements ServerTool."""

    def __init__(self, provider: SearchProvider, sealed: Sealed) -> None:
        self.provider = provider
        self.sealed = sealed

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> WebSearchSession:
        tools = cast("list[dict[str, Any]]", asked.request["tools"])
        place, tool = next((place, tool) for place, tool in enumerate(tools) if tool.get("type") in KINDS)
        try:
            domains = domain_filter(tool.get("allowed_domains"), tool.get("blocked_domains"), with_paths=True)
        except ValueError as error:
            # Text: [guess]; "invalid domain formats are rejected at request time with a 400" (server-tools.md).
            raise InvalidRequestError(f"tools.{place}.web_search: Invalid domain format: {error}") from None
        return WebSearchSession(self, asked, tool, domains)


class WebSearchSession:
    """Implements ToolSession."""

    container = None

    def __init__(self, tool: WebSearch, asked: Asked, declared: dict[str, Any], domains: DomainFilter) -> None:
        self._tool = tool
        self._organization_id = asked.organization_id
        self._domains = domains
        self._left: int | None = declared.get("max_uses")
        location = cast("dict[str, str | None]", declared.get("user_location") or {})
        self._location = {name: value for name, value in location.items() if value is not None}
        self.functions = (ServerFunction(declared["type"], NAME, _DESCRIPTION, _INPUT),)

    def answers(self, name: str) -> bool:
        return name == NAME

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        """Results with what they say, instead of how it is sealed. 400 for a seal that is not ours, or was changed."""
        messages: list[dict[str, Any]] = []
        changed = False
        for number, message in enumerate(request["messages"]):
            content = message["content"]
            if message["role"] == "assistant" and isinstance(content, list):
                opened = [
                    self._opened(block, f"messages.{number}.content.{place}")
                    if block["type"] == "web_search_tool_result"
                    else block
                    for place, block in enumerate(cast("list[dict[str, Any]]", content))
                ]
                changed = changed or opened != content
                message = {**message, "content": opened}
            messages.append(message)
        return {**request, "messages": messages} if changed else request

    def _opened(self, block: dict[str, Any], path: str) -> dict[str, Any]:
        found = block["content"]
        if not isinstance(found, list):
            return block
        results: list[dict[str, Any]] = []
        for place, result in enumerate(cast("list[dict[str, Any]]", found)):
            text = self._tool.sealed.open(CONTENT, self._organization_id, result["encrypted_content"])
            if text is None:
                # Text: [guess]; "if it is missing or modified, the request fails with a 400" (web-search-tool.md).
                raise InvalidRequestError(
                    f"{path}.content.{place}.encrypted_content: Invalid encrypted content in web search result"
                )
            results.append({**result, "encrypted_content": text})
        return {**block, "content": results}

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
        try:
            pages = await self._tool.provider.search(query, _MOST_RESULTS, self._domains.allows, self._location or None)
        except SearchFailedError as error:
            _log.warning("a web search failed", reason=str(error)[:500])
            return _failed(error.code)
        return ToolResult("web_search_tool_result", [self._result(page) for page in pages], web_search_requests=1)

    def _result(self, page: Page) -> dict[str, Any]:
        return {
            "type": "web_search_result",
            "title": page.title,
            "url": page.url,
            "encrypted_content": self._tool.sealed.seal(CONTENT, self._organization_id, page.text),
            "page_age": page.page_age,
        }

    async def close(self) -> None:
        """Nothing is held."""


def _failed(code: str) -> ToolResult:
    return ToolResult("web_search_tool_result", {"type": "web_search_tool_result_error", "error_code": code})
