"""What is kept of listings, and what becomes of results."""

from __future__ import annotations

import base64
from typing import Any

from mcp.types import CallToolResult

from understudy.tools.mcp.listing import Listings, Tool, tool_of
from understudy.tools.mcp.results import content_of, without
from understudy.tools.mcp.servers import Server


def server(token: str | None = None, url: str = "https://example.com/mcp") -> Server:
    return Server("one", url, token, None, {}, None)


def tool(size: int) -> Tool:
    made = tool_of("look", "x", {"type": "object", "description": "y" * min(size, 60_000)})
    assert made is not None
    return made


def test_a_listing_is_of_one_organization_token_and_server() -> None:
    listings = Listings(60, lambda: 0.0)
    listings.put("org", server("t"), (tool(10),))
    assert listings.get("org", server("t")) is not None
    assert listings.get("other", server("t")) is None
    assert listings.get("org", server()) is None
    assert listings.get("org", server("t", "https://example.com/other")) is None


def test_the_oldest_listings_go_where_there_are_too_many() -> None:
    listings = Listings(60, lambda: 0.0)
    large = (tool(60_000),) * 200  # 12 MB
    for number in range(4):
        listings.put("org", server(url=f"https://example.com/{number}"), large)
    kept = [listings.get("org", server(url=f"https://example.com/{number}")) is not None for number in range(4)]
    assert kept == [False, False, True, True]


def test_nothing_is_kept_for_no_time() -> None:
    listings = Listings(0, lambda: 0.0)
    listings.put("org", server(), (tool(10),))
    assert listings.get("org", server()) is None


def said(*content: dict[str, Any], structured: Any = None, most: int = 1000) -> list[str]:
    result = CallToolResult.model_validate({"content": list(content), "structuredContent": structured})
    return [block["text"] for block in content_of(result, None, most)]


def test_what_is_no_text_is_named() -> None:
    data = base64.b64encode(b"12345").decode()
    assert said({"type": "audio", "data": data, "mimeType": "audio/wav"}) == ["[audio audio/wav, 5 bytes, not shown]"]
    blob = {"uri": "file:///a.bin", "blob": data}
    assert said({"type": "resource", "resource": blob}) == [
        "[resource file:///a.bin of no known type, 5 bytes, not shown]"
    ]
    assert said({"type": "image", "data": "%%%", "mimeType": "image/png"})[0].startswith("[image image/png")


def test_structured_content_stands_where_there_is_no_other() -> None:
    assert said(structured={"a": 1}) == ['{"a":1}']
    assert said({"type": "text", "text": "one"}, structured={"a": 1}) == ["one"]
    assert said() == []


def test_short_tokens_are_not_looked_for() -> None:
    assert without("a cat sat", "at") == "a cat sat"
    assert without("key: 12345678", "12345678") == "key: ***"
    assert without("odd \ud800", None) == "odd ?"
