"""Services that search the web, against servers that answer as they do, or lie."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web

from tests.tools.site import serving
from understudy.tools.web.documents import Page
from understudy.tools.web.index import DocumentIndex
from understudy.tools.web.providers import (
    MOST_TEXT,
    Brave,
    DocumentSearch,
    DuckDuckGo,
    SearchFailedError,
    SearXNG,
    Tavily,
)


def everything(_: str) -> bool:
    return True


async def test_searxng_is_asked_for_json() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.path == "/base/search"
        assert dict(request.query) == {"q": "a & b", "format": "json"}
        results: list[Any] = [
            {"url": "https://a.org/1", "title": " One ", "content": "text", "publishedDate": "2026-04-02T00:00:00"},
            {"url": "https://a.org/1", "title": "Again"},
            {"url": "https://b.org/", "title": "", "content": None, "publishedDate": "soon"},
            {"url": "https://c.org/", "title": "Three", "content": "x" * 20_000},
        ]
        return web.json_response({"results": results})

    async with serving(answer) as url:
        provider = SearXNG(url + "/base/")
        try:
            found = await provider.search("a & b", 10, lambda url: "b.org" not in url)
            assert found == [
                Page("https://a.org/1", "One", "text", "April 2, 2026"),
                Page("https://c.org/", "Three", "x" * MOST_TEXT, None),
            ]
            assert [page.title for page in await provider.search("a & b", 2, everything)] == ["One", "https://b.org/"]
        finally:
            await provider.close()


async def test_brave_is_given_its_key_and_the_country() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["x-subscription-token"] == "brave-key"
        assert request.query["country"] == "US"
        entry = {"url": "https://a.org/", "title": "A", "description": "one", "extra_snippets": ["two", 3]}
        return web.json_response({"web": {"results": [entry | {"page_age": "2026-01-09T10:00:00"}]}})

    async with serving(answer) as url:
        provider = Brave("brave-key", url)
        found = await provider.search("q", 5, everything, {"country": "US", "city": "Boston"})
        await provider.close()
    assert found == [Page("https://a.org/", "A", "one\ntwo", "January 9, 2026")]


async def test_tavily_is_posted_to() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "Bearer tavily-key"
        assert (await request.json())["query"] == "q"
        return web.json_response({"results": [{"url": "https://a.org/", "title": "A", "content": "c"}]})

    async with serving(answer) as url:
        provider = Tavily("tavily-key", url)
        found = await provider.search("q", 5, everything)
        await provider.close()
    assert found == [Page("https://a.org/", "A", "c", None)]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/admin",
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://localhost/",
        "http://user@10.0.0.1/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://a.org/with space",
        "https://a.org/" + "x" * 3_000,
        7,
    ],
)
async def test_urls_that_nobody_may_cite_are_passed_over(url: object) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.json_response({"results": [{"url": url, "title": "t", "content": "c"}, "odd", None]})

    async with serving(answer) as base:
        provider = SearXNG(base)
        assert await provider.search("q", 5, everything) == []
        await provider.close()


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (429, b"{}", "too_many_requests"),
        (500, b"{}", "unavailable"),
        (302, b"{}", "unavailable"),
        (200, b"<html>", "unavailable"),
        (200, b" " * (5 * 1024 * 1024), "unavailable"),
    ],
)
async def test_a_service_that_fails_is_told_by_its_code(status: int, body: bytes, code: str) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"location": "http://127.0.0.1:1/"})

    async with serving(answer) as base:
        provider = SearXNG(base)
        with pytest.raises(SearchFailedError) as failed:
            await provider.search("q", 5, everything)
        await provider.close()
    assert failed.value.code == code


@pytest.mark.parametrize("body", [b"[]", b'{"results": 7}', b'{"web": []}', b"{}", b"null"])
async def test_answers_of_another_shape_hold_nothing(body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with serving(answer) as base:
        for provider in (SearXNG(base), Brave("k", base), Tavily("k", base)):
            assert await provider.search("q", 5, everything) == []
            await provider.close()


async def test_a_service_that_is_not_there_is_unavailable() -> None:
    provider = SearXNG("http://127.0.0.1:1")
    with pytest.raises(SearchFailedError, match="did not answer"):
        await provider.search("q", 5, everything)
    await provider.close()


async def test_duckduckgo_is_asked_by_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    class RatelimitException(Exception):
        pass

    class Client:
        def __init__(self, timeout: float) -> None: ...

        def text(self, query: str, max_results: int, backend: str) -> list[dict[str, str]]:
            if query == "too often":
                raise RatelimitException
            return [{"href": "https://a.org/", "title": "A", "body": query}]

    library = ModuleType("ddgs")
    library.DDGS = Client  # pyright: ignore[reportAttributeAccessIssue]
    monkeypatch.setitem(sys.modules, "ddgs", library)
    assert await DuckDuckGo().search("q", 5, everything) == [Page("https://a.org/", "A", "q")]
    with pytest.raises(SearchFailedError) as failed:
        await DuckDuckGo().search("too often", 5, everything)
    assert failed.value.code == "too_many_requests"
    monkeypatch.setitem(sys.modules, "ddgs", None)
    with pytest.raises(SearchFailedError):
        await DuckDuckGo().search("q", 5, everything)


async def test_documents_are_a_provider_too(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tea.txt").write_text("Green tea. " * 2_000)
    provider = DocumentSearch(DocumentIndex(tmp_path / "docs", tmp_path / "i.db", "https://docs.example/"))
    [page] = await provider.search("tea", 5, everything)
    assert (page.url, len(page.text)) == ("https://docs.example/tea.txt", MOST_TEXT)
    (tmp_path / "i.db").write_bytes(b"x" * 5_000)
    with pytest.raises(SearchFailedError):
        await provider.search("tea", 5, everything)
    await provider.close()
