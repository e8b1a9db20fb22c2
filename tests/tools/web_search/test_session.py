"""The web search tool, as a turn uses it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from understudy.tools.protocol import Asked, ToolCall, ToolSession
from understudy.tools.web.documents import Page
from understudy.tools.web.providers import Location, SearchFailedError
from understudy.tools.web.sealed import Sealed
from understudy.tools.web_search.session import Admit, WebSearch
from understudy.wire.errors import InvalidRequestError

SEALED = Sealed([("key", b"k" * 32)])
PAGES = [
    Page("https://a.org/1", "One", "What one says.", "April 2, 2026"),
    Page("https://blocked.org/2", "Two", "What two says."),
    Page("https://docs.a.org/3", "Three", "What three says."),
]


class Found:
    """A provider that finds always the same, or fails."""

    def __init__(self, error: SearchFailedError | None = None) -> None:
        self.error = error
        self.asked: list[tuple[str, Location | None]] = []

    async def search(
        self, query: str, count: int, keep: Callable[[str], bool], location: Location | None = None
    ) -> list[Page]:
        self.asked.append((query, location))
        if self.error is not None:
            raise self.error
        return [page for page in PAGES if keep(page.url)][:count]

    async def close(self) -> None: ...


async def session(
    provider: Found, organization_id: str = "org", admit: Admit | None = None, **fields: Any
) -> ToolSession:
    tool = {"type": "web_search_20250305", "name": "web_search", **fields}
    request: dict[str, Any] = {"messages": [], "tools": [{"name": "other"}, tool]}
    return await WebSearch(provider, SEALED, admit).session(Asked(organization_id, "wrkspc", request))


def call(query: object) -> ToolCall:
    return ToolCall("srvtoolu_01", "web_search", {"query": query})


async def test_a_search_brings_sealed_results_and_is_billed_once() -> None:
    provider = Found()
    location = {"type": "approximate", "country": "US", "city": None}
    turn = await session(provider, blocked_domains=["blocked.org"], user_location=location)
    result = await turn.run(call("tea"))
    assert provider.asked == [("tea", {"type": "approximate", "country": "US"})]
    assert result.web_search_requests == 1
    first, second = result.content
    assert list(first) == ["type", "title", "url", "encrypted_content", "page_age"]
    assert (first["title"], first["url"], first["page_age"]) == ("One", "https://a.org/1", "April 2, 2026")
    assert (second["url"], second["page_age"]) == ("https://docs.a.org/3", None)
    assert "says" not in first["encrypted_content"]


async def test_the_model_reads_what_the_client_cannot() -> None:
    turn = await session(Found(), allowed_domains=["a.org"])
    result = await turn.run(call("tea"))
    assert [list(one) for one in result.read] == [["type", "title", "url", "page_age", "text"]] * 2
    assert [one["text"] for one in result.read] == ["What one says.", "What three says."]
    assert list(result.block("srvtoolu_01")) == ["type", "tool_use_id", "content", "caller"]


async def test_a_search_that_the_limits_do_not_admit_is_not_made() -> None:
    provider = Found()
    admitted: list[str] = []

    async def admit(asked: Asked) -> bool:
        admitted.append(asked.organization_id)
        return len(admitted) < 2

    turn = await session(provider, admit=admit)
    assert isinstance((await turn.run(call("tea"))).content, list)
    refused = await turn.run(call("tea"))
    assert (refused.content["error_code"], refused.web_search_requests) == ("too_many_requests", 0)
    assert (len(provider.asked), admitted) == (1, ["org", "org"])


@pytest.mark.parametrize(
    ("query", "code"),
    [
        (None, "invalid_tool_input"),
        (7, "invalid_tool_input"),
        (" ", "invalid_tool_input"),
        ("x" * 1_001, "query_too_long"),
    ],
)
async def test_a_query_that_is_none_is_an_error_that_costs_nothing(query: object, code: str) -> None:
    result = await (await session(Found())).run(call(query))
    assert result.content == {"type": "web_search_tool_result_error", "error_code": code}
    assert result.web_search_requests == 0


async def test_no_more_searches_than_allowed() -> None:
    provider = Found()
    turn = await session(provider, max_uses=2)
    for _ in range(2):
        assert isinstance((await turn.run(call("tea"))).content, list)
    assert (await turn.run(call("tea"))).content["error_code"] == "max_uses_exceeded"
    assert len(provider.asked) == 2


@pytest.mark.parametrize("code", ["unavailable", "too_many_requests"])
async def test_a_provider_that_fails_is_an_error_that_costs_nothing(code: Any) -> None:
    result = await (await session(Found(SearchFailedError("down", code)))).run(call("tea"))
    assert result.content == {"type": "web_search_tool_result_error", "error_code": code}
    assert result.web_search_requests == 0


async def test_domains_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match=r"^tools\.1\.web_search: Invalid domain format: \*\.a\.org$"):
        await session(Found(), allowed_domains=["*.a.org"])
