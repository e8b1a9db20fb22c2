"""The web fetch tool, against a real server on this machine."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.tools.site import Site
from understudy.documents.html_reader import HtmlReader
from understudy.net.client import Fetcher
from understudy.net.guard import Guard
from understudy.tokens.tokenizer import count_text
from understudy.tools.protocol import Asked, ToolCall, ToolSession
from understudy.tools.web.index import DocumentIndex
from understudy.tools.web_fetch.fetching import Fetching
from understudy.tools.web_fetch.session import WebFetch, first_tokens
from understudy.wire.errors import InvalidRequestError


@asynccontextmanager
async def fetching(index: DocumentIndex | None = None, *, allow: bool = True) -> AsyncGenerator[Fetching]:
    found = Fetching(Fetcher(Guard(["127.0.0.1"] if allow else [])), HtmlReader(processes=1), index)
    try:
        yield found
    finally:
        await found.close()


async def session(of: Fetching, said: str, organization_id: str = "org", **fields: Any) -> ToolSession:
    tool = {"type": "web_fetch_20250910", "name": "web_fetch", **fields}
    request: dict[str, Any] = {"messages": [{"role": "user", "content": said}], "tools": [tool]}
    return await WebFetch(of).session(Asked(organization_id, "wrkspc", request))


def call(url: object) -> ToolCall:
    return ToolCall("srvtoolu_01", "web_fetch", {"url": url})


async def test_a_page_becomes_a_document(site: Site) -> None:
    url = site.page("/a", "<html><head><title>A page</title></head><body><p>Its words.</p></body></html>")
    async with fetching() as of:
        turn = await session(of, f"Read {url}.", citations={"enabled": True})
        result = await turn.run(call(url))
    assert result.web_fetch_requests == 1
    assert list(result.content) == ["type", "url", "retrieved_at", "content"]
    assert result.content["url"] == url
    assert result.content["content"] == {
        "type": "document",
        "source": {"type": "text", "media_type": "text/plain", "data": "Its words."},
        "title": "A page",
        "citations": {"enabled": True},
    }


async def test_a_pdf_is_passed_on_as_it_is(site: Site) -> None:
    url = site.page("/a.pdf", b"%PDF-1.4 not read here", "application/pdf")
    async with fetching() as of:
        result = await (await session(of, url)).run(call(url))
    assert base64.b64decode(result.content["content"]["source"]["data"]) == b"%PDF-1.4 not read here"
    assert "citations" not in result.content["content"]


@pytest.mark.parametrize(
    ("said", "asked", "code"),
    [
        ("{url}/a", None, "invalid_tool_input"),
        ("{url}/a", "no url", "invalid_tool_input"),
        ("{url}/a", "file:///etc/passwd", "invalid_tool_input"),
        ("{url}/a", "{url}/a?" + "x" * 300, "url_too_long"),
        ("{url}/a", "{url}/b", "url_not_in_prior_context"),
        ("{url}/gone", "{url}/gone", "url_not_accessible"),
        ("{url}/busy", "{url}/busy", "too_many_requests"),
        ("{url}/picture", "{url}/picture", "unsupported_content_type"),
        ("{url}/large", "{url}/large", "content_too_large"),
        ("{url}/away", "{url}/away", "url_not_allowed"),
        ("http://169.254.169.254/latest", "http://169.254.169.254/latest", "url_not_allowed"),
    ],
)
async def test_what_goes_wrong_is_an_error_of_the_tool(site: Site, said: str, asked: str | None, code: str) -> None:
    site.page("/busy", "", status=429)
    site.page("/picture", b"\x89PNG", "image/png")
    site.page("/large", b"x" * (11 * 1024 * 1024), "text/plain")
    site.page("/away", "", status=302, location="http://169.254.169.254/latest/meta-data")
    async with fetching() as of:
        turn = await session(of, said.format(url=site.url))
        result = await turn.run(call(None if asked is None else asked.format(url=site.url)))
    assert result.content == {"type": "web_fetch_tool_result_error", "error_code": code}
    assert result.web_fetch_requests == 0


async def test_private_addresses_are_not_fetched(site: Site) -> None:
    url = site.page("/a", "secret")
    async with fetching(allow=False) as of:
        result = await (await session(of, url)).run(call(url))
    assert result.content["error_code"] == "url_not_allowed"
    assert site.asked == []


async def test_robots_are_minded(site: Site) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /private", "text/plain")
    private, public = site.page("/private/a", "no", "text/plain"), site.page("/public", "yes", "text/plain")
    async with fetching() as of:
        turn = await session(of, f"{private} {public}")
        assert (await turn.run(call(private))).content["error_code"] == "url_not_allowed"
        assert (await turn.run(call(public))).content["content"]["source"]["data"] == "yes"
    assert site.asked == ["/robots.txt", "/public"]


async def test_a_page_is_fetched_once_unless_it_shall_be_fresh_and_never_for_another_organization(site: Site) -> None:
    url = site.page("/a", "words", "text/plain")
    async with fetching() as of:
        for _ in range(2):
            await (await session(of, url)).run(call(url))
        assert site.asked.count("/a") == 1
        await (await session(of, url, use_cache=False)).run(call(url))
        assert site.asked.count("/a") == 2
        await (await session(of, url, "another")).run(call(url))
        assert site.asked.count("/a") == 3


async def test_domains_uses_and_redirects_are_bounded(site: Site) -> None:
    port = site.url.rpartition(":")[2]
    url = site.page("/a", "words", "text/plain")
    leads = site.page("/leads", "", status=302, location=f"http://localhost:{port}/a")
    async with fetching() as of:
        turn = await session(of, url, allowed_domains=["example.org"])
        assert (await turn.run(call(url))).content["error_code"] == "url_not_allowed"
        turn = await session(of, f"{url} {leads}", max_uses=1, allowed_domains=["127.0.0.1"])
        assert (await turn.run(call(leads))).content["error_code"] == "url_not_allowed"
        assert (await turn.run(call(url))).content["error_code"] == "max_uses_exceeded"
        with pytest.raises(InvalidRequestError, match=r"^tools\.0\.web_fetch: Invalid domain format: \*\.org$"):
            await session(of, url, blocked_domains=["*.org"])


async def test_what_the_turn_has_found_may_be_fetched(site: Site) -> None:
    url = site.page("/found", "words", "text/plain")
    async with fetching() as of:
        turn = await session(of, "Search for it")
        assert (await turn.run(call(url))).content["error_code"] == "url_not_in_prior_context"
        found = {
            "type": "web_search_tool_result",
            "tool_use_id": "s",
            "content": [{"type": "web_search_result", "url": url}],
        }
        searched = replace(call(url), messages=[{"role": "assistant", "content": [found]}])
        assert (await turn.run(searched)).content["type"] == "web_fetch_result"


async def test_documents_of_the_operator_need_no_network(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "tea.md").write_text("# Tea\nGreen.")
    index = DocumentIndex(tmp_path / "docs", tmp_path / "i.db", "https://docs.example/")
    async with fetching(index, allow=False) as of:
        turn = await session(of, "https://docs.example/tea.md")
        result = await turn.run(call("https://docs.example/tea.md"))
    assert result.content["content"]["title"] == "Tea"


async def test_content_is_cut_to_so_many_tokens(site: Site) -> None:
    url = site.page("/a", "one two three four " * 2_000, "text/plain")
    async with fetching() as of:
        result = await (await session(of, url, max_content_tokens=100)).run(call(url))
    assert 90 <= count_text(result.content["content"]["source"]["data"]) <= 100
    assert await first_tokens("short", 100) == "short"
    assert count_text(await first_tokens("word " * 100_000, 20_000)) <= 20_000


async def test_a_site_that_hangs_can_be_left(site: Site) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        raise AssertionError

    site.pages["/robots.txt"] = hang
    url = site.url + "/a"
    async with fetching() as of:
        turn = await session(of, url)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await turn.run(call(url))
