"""Web fetch in one turn.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/web-fetch-tool (2026-08); recorded answers of
2025-09 to 2026-08. Later versions of the tool fetch from within code by default (see tools/programmatic).
"""

from __future__ import annotations

from typing import Any, Final

import structlog

from understudy.tokens.pace import Pace
from understudy.tokens.tokenizer import count_text, cut, decode, encode
from understudy.tools.protocol import Asked, ToolCall, ToolResult
from understudy.tools.web.domains import DomainFilter, declared_tool
from understudy.tools.web_fetch.fetching import FetchFailedError, Fetching, WebPage
from understudy.tools.web_fetch.urls import UrlsOfConversation, canonical
from understudy.wire.server_tools import ServerFunction

_log = structlog.stdlib.get_logger("understudy.tools")

NAME: Final = "web_fetch"
KINDS: Final = frozenset({"web_fetch_20250910", "web_fetch_20260209", "web_fetch_20260309", "web_fetch_20260318"})

_LONGEST_URL: Final = 250

_DIRECT: Final = {"type": "direct"}

_INPUT: Final = {
    "type": "object",
    "properties": {
        "url": {"type": "string", "description": "A URL that stands in the conversation, as it stands there."}
    },
    "required": ["url"],
    "additionalProperties": False,
}
_DESCRIPTION: Final = (
    "Fetches a web page or a PDF and returns what it says. Only URLs can be fetched that the user gave or a tool's "
    "results have."
)


class WebFetch:
    """The web fetch tool. Implements ServerTool."""

    def __init__(self, fetching: Fetching) -> None:
        self.fetching = fetching

    def serves(self, kind: str) -> bool:
        return kind in KINDS

    async def session(self, asked: Asked) -> WebFetchSession:
        return WebFetchSession(self, asked, *declared_tool(asked.request, KINDS, with_paths=False))


class WebFetchSession:
    """Implements ToolSession."""

    container = None

    def __init__(self, tool: WebFetch, asked: Asked, declared: dict[str, Any], domains: DomainFilter) -> None:
        self._tool = tool
        self._organization_id = asked.organization_id
        self._messages: list[dict[str, Any]] = asked.request["messages"]
        self._domains = domains
        self._left: int | None = declared.get("max_uses")
        self._most_tokens: int | None = declared.get("max_content_tokens")
        self._citations: dict[str, Any] | None = declared.get("citations")
        self._use_cache = declared.get("use_cache") is not False
        self._url_sources: dict[str, Any] | None = declared.get("url_sources")
        self._urls: UrlsOfConversation | None = None
        self.functions = (ServerFunction(declared["type"], NAME, _DESCRIPTION, _INPUT),)

    def answers(self, name: str) -> bool:
        return name == NAME

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    async def start(self) -> None:
        """Nothing is made ready."""

    async def run(self, call: ToolCall) -> ToolResult:
        url = call.input.get("url")
        if not isinstance(url, str) or canonical(url) is None:
            return _failed("invalid_tool_input")
        if len(url) > _LONGEST_URL:
            return _failed("url_too_long")
        if self._left is not None:
            if self._left <= 0:
                return _failed("max_uses_exceeded")
            # "Failed fetches count against the limit."
            self._left -= 1
        if "://" not in url:
            url = "https://" + url
        # What the turn has found by now counts as well.
        if self._urls is None:
            self._urls = UrlsOfConversation(self._messages, self._url_sources)
        self._urls.add(call.messages)
        if url not in self._urls:
            return _failed("url_not_in_prior_context")
        if not self._domains.allows(url):
            return _failed("url_not_allowed")
        try:
            page = await self._tool.fetching.fetch(
                url, self._organization_id, self._domains.allows, use_cache=self._use_cache
            )
        except FetchFailedError as error:
            _log.info("a page was not fetched", code=error.code, reason=str(error)[:200])
            return _failed(error.code)
        content = {
            "type": "web_fetch_result",
            "url": url,
            "retrieved_at": page.retrieved_at.isoformat(),
            "content": await self._document(page),
        }
        return ToolResult("web_fetch_tool_result", content, web_fetch_requests=1, caller=_DIRECT)

    async def _document(self, page: WebPage) -> dict[str, Any]:
        if page.kind == "pdf":
            source = {"type": "base64", "media_type": "application/pdf", "data": page.data}
        else:
            text = page.data if self._most_tokens is None else await first_tokens(page.data, self._most_tokens)
            source = {"type": "text", "media_type": "text/plain", "data": text}
        document: dict[str, Any] = {"type": "document", "source": source, "title": page.title}
        if self._citations is not None:
            document["citations"] = {"enabled": self._citations.get("enabled") is True}
        return document

    async def close(self) -> None:
        """Nothing is held."""


async def first_tokens(text: str, most: int) -> str:
    """The beginning of `text` that has at most about `most` tokens. Lets other work run in between."""
    kept: list[str] = []
    pace = Pace()
    try:
        for piece in cut(text):
            tokens = count_text(piece)
            if tokens > most:
                kept.append(decode(encode(piece)[:most]))
                break
            kept.append(piece)
            most -= tokens
            if pace.due():
                await pace.pause()
    finally:
        pace.end()
    return "".join(kept)


def _failed(code: str) -> ToolResult:
    content = {"type": "web_fetch_tool_result_error", "error_code": code}
    return ToolResult("web_fetch_tool_result", content, caller=_DIRECT)
