"""Text of HTML pages, read by real processes."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

import pytest

from understudy.documents.html_reader import HtmlError, HtmlPage, HtmlReader

PAGE = """<!DOCTYPE html><html><head><title> A
 page </title><style>p{color:red}</style><script>alert("<p>no</p>")</script>
<meta property="article:published_time" content="2026-04-02T10:00:00Z"></head>
<body><nav><ul><li><a href="/">Menu</a></li></ul></nav><main><article><h1>Heading &amp; more</h1>
<p>First   paragraph with <b>some</b> words in it, enough of them to look like an article to whoever reads it.</p>
<p>A second paragraph that leads <a href="https://example.org/further">further</a>, and goes on for a while.</p>
<ul><li>one point</li><li>another point</li></ul></article></main><footer>Imprint</footer></body></html>"""


@pytest.fixture
async def reader() -> AsyncGenerator[HtmlReader]:
    reader = HtmlReader(processes=1, timeout=20)
    yield reader
    await reader.close()


async def test_a_page_is_its_title_its_date_and_what_is_read_on_it(reader: HtmlReader) -> None:
    page = await reader.read(PAGE.encode())
    assert (page.title, page.date) == ("A page", "2026-04-02")
    for text in ("Heading & more", "enough of them", "[further](https://example.org/further)", "- one point"):
        assert text in page.text
    for text in ("alert", "color:red", "Menu", "Imprint"):
        assert text not in page.text


async def test_damaged_pages_are_read_as_far_as_they_go(reader: HtmlReader) -> None:
    assert await reader.read(b"<p>open <b>bold") == HtmlPage("", "open **bold**", None)
    assert "caf\u00e9" in (await reader.read("<meta charset=latin-1><p>caf\u00e9".encode("latin-1"))).text
    for nothing in (b"", b"   "):
        with pytest.raises(HtmlError):
            await reader.read(nothing)
    # The process goes on.
    assert (await reader.read(b"<p>again")).text == "again"


async def test_pages_that_are_made_to_hurt_end_in_time() -> None:
    reader = HtmlReader(processes=2, timeout=4)
    began = time.monotonic()
    try:
        for page in (b"<a " * 300_000, b"<div>" * 200_000, b"<table><tr><td>" * 60_000, b"<p>" + b"x" * 20_000_000):
            try:
                await reader.read(page)
            except HtmlError:
                pass
        assert (await reader.read(b"<p>still here")).text == "still here"
    finally:
        await reader.close()
    assert time.monotonic() - began < 40


async def test_entities_name_no_files(reader: HtmlReader) -> None:
    page = b'<!DOCTYPE html [<!ENTITY x SYSTEM "file:///etc/passwd">]><p>before &x; after</p>'
    assert "root:" not in (await reader.read(page)).text
