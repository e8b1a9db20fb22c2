"""Web search, web fetch and tool search, from their settings.

What a tool is made of is imported when the first request names it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from understudy.documents.reader import PdfReader
from understudy.http.principal import Principal
from understudy.limits.limiter import Limiter
from understudy.net.client import Fetcher
from understudy.settings import Settings, SettingsError
from understudy.tools.protocol import Asked, ServerTool, ToolCall, ToolResult, ToolSession
from understudy.tools.running import unavailable
from understudy.tools.web.sealed import Sealed
from understudy.wire.errors import InvalidRequestError, OverloadedError, RateLimitError

if TYPE_CHECKING:
    from understudy.tools.web.index import DocumentIndex
    from understudy.tools.web.providers import SearchProvider

_NO_SEARCH: Final = (
    "web search is not set up on this server. Its operator can give a directory of documents (`web_search.documents`) "
    "or name a provider (`web_search.provider`)."
)
_NO_FETCH: Final = "web fetch is not set up on this server. Its operator can turn on `net.url_sources`."
_DATABASE: Final = Path("web_search", "documents.db")


class LazyTool:
    """A tool that is made when it is first asked for. Its types begin with `prefix`; `make` may raise _NotSetUpError.
    Implements ServerTool."""

    def __init__(self, prefix: str, make: Callable[[], ServerTool]) -> None:
        self._prefix = prefix
        self._make = make
        self._made: ServerTool | None = None

    def serves(self, kind: str) -> bool:
        return kind.startswith(self._prefix)

    async def session(self, asked: Asked) -> ToolSession | None:
        if self._made is None:
            try:
                self._made = self._make()
            except _NotSetUpError as error:
                if asked.counting:
                    return _Nothing()
                kinds = [str(tool.get("type")) for tool in asked.request["tools"]]
                place = next(place for place, kind in enumerate(kinds) if self.serves(kind))
                raise InvalidRequestError(f"tools.{place}: {error}") from None
        return await self._made.session(asked)


class _NotSetUpError(Exception):
    """Says which setting is missing."""


class _Nothing:
    """The part of a tool that is not set up, where it is only counted. Implements ToolSession."""

    functions = ()
    container = None

    def answers(self, name: str) -> bool:
        return False

    def prompted(self, request: dict[str, Any]) -> dict[str, Any]:
        return request

    async def start(self) -> None:
        """Nothing is made ready."""

    async def run(self, call: ToolCall) -> ToolResult:
        return unavailable(call.asked_of)

    async def close(self) -> None:
        """Nothing is held."""


class WebTools:
    """The tools, and what they hold together."""

    def __init__(self, settings: Settings, sealed: Sealed, fetcher: Fetcher, limiter: Limiter, pdfs: PdfReader) -> None:
        _check(settings)
        self._settings = settings
        self._sealed = sealed
        self._fetcher = fetcher
        self._pdfs = pdfs
        self._admit = _admission(limiter)
        self._index: DocumentIndex | None = None
        self._closing: list[Callable[[], Awaitable[None]]] = []
        self.tools: tuple[ServerTool, ...] = (
            LazyTool("web_search_", self._web_search),
            LazyTool("web_fetch_", self._web_fetch),
            LazyTool("tool_search_tool_", _tool_search),
        )

    async def close(self) -> None:
        for close in self._closing:
            await close()

    def _web_search(self) -> ServerTool:
        from understudy.tools.web_search.session import WebSearch

        provider = self._provider()
        self._closing.append(provider.close)
        return WebSearch(provider, self._sealed, self._admit)

    def _provider(self) -> SearchProvider:
        from understudy.tools.web.providers import Brave, DocumentSearch, DuckDuckGo, SearXNG, Tavily

        given = self._settings.web_search
        key = "" if given.key is None else given.key.get_secret_value()
        match given.provider:
            case None | "documents":
                index = self._documents()
                if index is None:
                    raise _NotSetUpError(_NO_SEARCH)
                return DocumentSearch(index)
            case "searxng":
                return SearXNG(given.url or "")
            case "brave":
                return Brave(key) if given.url is None else Brave(key, given.url)
            case "tavily":
                return Tavily(key) if given.url is None else Tavily(key, given.url)
            case "duckduckgo":
                return DuckDuckGo()

    def _web_fetch(self) -> ServerTool:
        from understudy.documents.html_reader import HtmlReader
        from understudy.tools.web_fetch.fetching import Fetching
        from understudy.tools.web_fetch.session import WebFetch

        index = self._documents()
        fetcher = self._fetcher if self._settings.net.url_sources else None
        if fetcher is None and index is None:
            raise _NotSetUpError(_NO_FETCH)
        html = HtmlReader()
        self._closing.append(html.close)
        return WebFetch(Fetching(fetcher, html, index, pdfs=self._pdfs, robots=self._settings.web_fetch.robots))

    def _documents(self) -> DocumentIndex | None:
        given = self._settings.web_search
        if given.documents is not None and self._index is None:
            from understudy.tools.web.index import DocumentIndex

            database = self._settings.storage.data_dir / _DATABASE
            self._index = DocumentIndex(given.documents, database, given.documents_url)
        return self._index


def _check(settings: Settings) -> None:
    """Raises SettingsError for what keeps the provider from working."""
    given = settings.web_search
    if given.documents is not None and not given.documents.is_dir():
        raise SettingsError(f"web_search.documents: there is no directory {given.documents}.")
    missing = {
        "documents": given.documents is None and "needs web_search.documents, the directory of them",
        "searxng": given.url is None and "needs web_search.url",
        "brave": given.key is None and "needs web_search.key",
        "tavily": given.key is None and "needs web_search.key",
        "duckduckgo": find_spec("ddgs") is None and "needs the extra `duckduckgo`",
    }
    fault = given.provider is not None and missing[given.provider]
    if fault:
        raise SettingsError(f"web_search.provider: {given.provider} {fault}.")


def _tool_search() -> ServerTool:
    from understudy.tools.tool_search.session import ToolSearch

    return ToolSearch()


def _admission(limiter: Limiter) -> Callable[[Asked], Awaitable[bool]]:
    async def admit(asked: Asked) -> bool:
        caller = Principal(asked.organization_id, asked.workspace_id or None, None)
        try:
            await limiter.begin(caller, "web_search")
        except (RateLimitError, OverloadedError):
            return False
        return True

    return admit
