"""Who searches the web for us: services that the operator names, and the operator's own documents.

What a provider returns is data from elsewhere: it is cut to size, and entries without a URL that can be cited are
passed over. URLs and fields are those of the services' documentation, as of 2026-11:
https://docs.searxng.org/dev/search_api.html, https://api-dashboard.search.brave.com/app/documentation/web-search/get-started,
https://docs.tavily.com/documentation/api-reference/endpoint/search.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal, Protocol, TypeAlias, cast

import orjson

from understudy import __version__
from understudy.tools.web.documents import Page
from understudy.tools.web.index import DocumentIndex, SearchIndexError

MOST_TEXT: Final = 8_000
"""Characters kept of a result."""

_MOST_TITLE: Final = 300
_MOST_URL: Final = 2_048
_MOST_ANSWER: Final = 4 * 1024 * 1024
_MOST_ASKED: Final = 20
_TIMEOUT: Final = 15.0

Location: TypeAlias = Mapping[str, str]
"""`city`, `region`, `country` (two letters) and `timezone`, as `user_location` has them."""


class SearchFailedError(Exception):
    """The search could not be made. `code` is what the result block says of it."""

    def __init__(self, why: str, code: Literal["unavailable", "too_many_requests"] = "unavailable") -> None:
        super().__init__(why)
        self.code: Literal["unavailable", "too_many_requests"] = code


class SearchProvider(Protocol):
    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        """At most `count` results whose URLs `keep` takes, best first. Raises SearchFailedError."""
        ...

    async def close(self) -> None: ...


class DocumentSearch:
    """Searches the operator's documents. Has no use for a location."""

    def __init__(self, index: DocumentIndex) -> None:
        self._index = index

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        try:
            return [_cut(page) for page in await self._index.search(query, count, keep)]
        except SearchIndexError as error:
            raise SearchFailedError(str(error)) from error

    async def close(self) -> None:
        """Nothing is held between searches."""


class _Service:
    """A service that is asked over HTTP and answers in JSON."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self._url = url
        self._headers = {"user-agent": f"understudy/{__version__}", "accept": "application/json", **(headers or {})}
        self._session: Any = None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _asked(self, method: str, *, query: Mapping[str, str] | None = None, body: Any = None) -> dict[str, Any]:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
            )
        session = cast("aiohttp.ClientSession", self._session)
        try:
            async with session.request(method, self._url, params=query, json=body, allow_redirects=False) as response:
                if response.status == 429:
                    raise SearchFailedError("the service has too many requests", "too_many_requests")
                if response.status != 200:
                    raise SearchFailedError(f"the service answered {response.status}")
                raw = await response.content.read(_MOST_ANSWER + 1)
                while len(raw) <= _MOST_ANSWER and (more := await response.content.read(_MOST_ANSWER + 1 - len(raw))):
                    raw += more
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise SearchFailedError(f"the service did not answer: {type(error).__name__}") from error
        if len(raw) > _MOST_ANSWER:
            raise SearchFailedError("the service's answer is too long")
        try:
            answer = orjson.loads(raw)
        except ValueError as error:
            raise SearchFailedError("the service's answer is not JSON") from error
        return cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}


class SearXNG(_Service):
    """A SearXNG server, whose settings must allow the format `json`."""

    def __init__(self, base_url: str) -> None:
        super().__init__(base_url.rstrip("/") + "/search")

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        answer = await self._asked("GET", query={"q": query, "format": "json"})
        return _results(answer.get("results"), ("content",), "publishedDate", count, keep)


class Brave(_Service):
    """Brave's Web Search API."""

    def __init__(self, key: str, url: str = "https://api.search.brave.com/res/v1/web/search") -> None:
        super().__init__(url, {"x-subscription-token": key})

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        asked = {"q": query, "count": str(_MOST_ASKED), "text_decorations": "false", "extra_snippets": "true"}
        if location and location.get("country"):
            asked["country"] = location["country"]
        web = (await self._asked("GET", query=asked)).get("web")
        found = cast("dict[str, Any]", web).get("results") if isinstance(web, dict) else None
        return _results(found, ("description", "extra_snippets"), "page_age", count, keep)


class Tavily(_Service):
    """Tavily's search."""

    def __init__(self, key: str, url: str = "https://api.tavily.com/search") -> None:
        super().__init__(url, {"authorization": f"Bearer {key}"})

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        answer = await self._asked("POST", body={"query": query, "max_results": _MOST_ASKED})
        return _results(answer.get("results"), ("content",), "published_date", count, keep)


class DuckDuckGo:
    """DuckDuckGo by the library `ddgs`, which needs no key."""

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        def ask() -> Sequence[Mapping[str, Any]]:
            from ddgs import DDGS  # pyright: ignore

            return cast("Any", DDGS)(timeout=_TIMEOUT).text(query, max_results=_MOST_ASKED, backend="duckduckgo")

        try:
            async with asyncio.timeout(2 * _TIMEOUT):
                found = await asyncio.to_thread(ask)
        except Exception as error:
            # The library has errors of many kinds, also of the clients below it.
            limited = "Ratelimit" in type(error).__name__
            why = f"DuckDuckGo did not answer: {type(error).__name__}"
            raise SearchFailedError(why, "too_many_requests" if limited else "unavailable") from error
        named = [{"url": one.get("href"), "title": one.get("title"), "content": one.get("body")} for one in found]
        return _results(named, ("content",), "date", count, keep)

    async def close(self) -> None:
        """Nothing is held between searches."""


def _results(found: object, texts: Sequence[str], age: str, count: int, keep: Callable[[str], bool]) -> list[Page]:
    pages: dict[str, Page] = {}
    for entry in cast("list[object]", found) if isinstance(found, list) else ():
        if not isinstance(entry, dict):
            continue
        members = cast("dict[str, object]", entry)
        url = members.get("url")
        if not isinstance(url, str) or not _citable(url) or url in pages or not keep(url):
            continue
        title = members.get("title")
        text = "\n".join(piece for name in texts for piece in _texts(members.get(name)))
        title = title if isinstance(title, str) and title.strip() else url
        pages[url] = _cut(Page(url, title.strip(), text, _age(members.get(age))))
        if len(pages) == count:
            break
    return list(pages.values())


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            if isinstance(one, str):
                yield one


def _citable(url: str) -> bool:
    """Whether it is a URL of the public web that may be shown and fetched later. A provider may lie."""
    if len(url) > _MOST_URL or not url.startswith(("https://", "http://")) or any(one <= " " for one in url):
        return False
    host = url.split("://", 1)[1].split("/", 1)[0].rsplit("@", 1)[-1]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return "." in host


def _age(value: object) -> str | None:
    """A date as results have it (recorded: `April 2, 2026`); None for what is none."""
    if not isinstance(value, str):
        return None
    try:
        day = datetime.fromisoformat(value)
    except ValueError:
        return None
    return f"{day:%B} {day.day}, {day.year}"


def _cut(page: Page) -> Page:
    return Page(page.url, page.title[:_MOST_TITLE], page.text[:MOST_TEXT], page.page_age)
