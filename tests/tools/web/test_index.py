"""Searching the operator's documents."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import orjson
import pytest

from understudy.tools.web.documents import Page
from understudy.tools.web.index import DocumentIndex, SearchIndexError

BASE = "https://documents.example/"


def everything(_: str) -> bool:
    return True


@pytest.fixture
def library(tmp_path: Path) -> Path:
    directory = tmp_path / "documents"
    (directory / "guides").mkdir(parents=True)
    (directory / "guides" / "rate limits.md").write_text("# Rate limits\n\nBuckets refill continuously.")
    (directory / "notes_on-tea.txt").write_text("Green tea is brewed at 80 degrees; limits are a matter of taste.")
    (directory / "picture.png").write_bytes(b"rate limits")
    (directory / "empty.md").write_text(" \n")
    (directory / "東京.md").write_text("東京都の天気は晴れです。")
    lines = [
        {"url": "https://en.example.org/shannon", "title": "Claude Shannon", "text": "Born 1916.", "page_age": "May 1"},
        {"text": "An unnamed page about turbines"},
        {"title": "No text"},
        ["not", "a", "page"],
    ]
    (directory / "more.jsonl").write_bytes(b"\n".join([*map(orjson.dumps, lines), b"{broken"]))
    return directory


def index_of(directory: Path, refresh: float = 0) -> DocumentIndex:
    return DocumentIndex(directory, directory.parent / "search.db", BASE, refresh=refresh)


async def urls(index: DocumentIndex, query: str, count: int = 10) -> list[str]:
    return [page.url for page in await index.search(query, count, everything)]


async def test_pages_are_found_by_their_words_titles_first(library: Path) -> None:
    index = index_of(library)
    assert await urls(index, "What is the limit?") == [BASE + "guides/rate%20limits.md", BASE + "notes_on-tea.txt"]
    assert await urls(index, "limits", 1) == [BASE + "guides/rate%20limits.md"]
    assert await urls(index, "brewing") == [BASE + "notes_on-tea.txt"]
    assert await urls(index, "turbine") == [BASE + "more.jsonl#2"]
    assert await urls(index, "天気") == [BASE + "%E6%9D%B1%E4%BA%AC.md"]
    assert await urls(index, "気天") == []
    assert await index.search("Shannon", 1, everything) == [
        Page("https://en.example.org/shannon", "Claude Shannon", "Born 1916.", "May 1")
    ]


@pytest.mark.parametrize("query", ["", "?!", 'a "quoted" NEAR(thing', "title:x AND OR NOT", "* ^ -", "ab" * 5_000])
async def test_any_text_can_be_asked_for(library: Path, query: str) -> None:
    assert await urls(index_of(library), query) == []


async def test_only_urls_that_are_wanted_are_counted(library: Path) -> None:
    found = await index_of(library).search("limits", 1, lambda url: url.endswith(".txt"))
    assert [page.title for page in found] == ["notes on tea"]


async def test_changed_new_and_deleted_files_are_noticed(library: Path) -> None:
    index = index_of(library)
    assert await urls(index, "turbine zeppelin") == [BASE + "more.jsonl#2"]
    (library / "more.jsonl").unlink()
    (library / "new.txt").write_text("A zeppelin.")
    assert await urls(index, "turbine zeppelin") == [BASE + "new.txt"]
    (library / "new.txt").write_text("A turbine!!")
    os.utime(library / "new.txt", ns=(1, 1))
    assert await urls(index, "zeppelin") == []
    assert await urls(index_of(library), "turbine") == [BASE + "new.txt"]


async def test_files_are_looked_at_no_oftener_than_asked(library: Path) -> None:
    index = index_of(library, refresh=60)
    assert await urls(index, "zeppelin") == []
    (library / "new.txt").write_text("A zeppelin.")
    assert await urls(index, "zeppelin") == []


async def test_a_page_is_had_by_its_url(library: Path) -> None:
    index = index_of(library)
    page = await index.page("https://en.example.org/shannon")
    assert page is not None
    assert page.text == "Born 1916."
    assert await index.page("https://en.example.org/other") is None


async def test_several_at_once_make_one_index(library: Path) -> None:
    indexes = [index_of(library) for _ in range(4)]
    for found in await asyncio.gather(*(urls(index, "limits") for index in indexes)):
        assert len(found) == 2


async def test_a_broken_index_is_told(library: Path) -> None:
    (library.parent / "search.db").write_bytes(b"no database" * 100)
    with pytest.raises(SearchIndexError):
        await urls(index_of(library), "limits")


async def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert await urls(index_of(tmp_path / "missing"), "limits") == []


async def test_links_out_of_the_directory_are_not_followed(library: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("zeppelin")
    (library / "link.txt").symlink_to(tmp_path / "secret.txt")
    assert await urls(index_of(library), "zeppelin") == []
