"""A full-text index of the operator's documents (SQLite FTS5), so that searching needs no network."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

import structlog

from understudy.tools.web.documents import Page, read_pages, source_files

_log = structlog.stdlib.get_logger("understudy.tools")
_T = TypeVar("_T")

# Counted up when the tables change: an index of another form is made anew.
_FORM: Final = 1
_TABLES: Final = f"""
DROP TABLE IF EXISTS words; DROP TABLE IF EXISTS pages; DROP TABLE IF EXISTS files;
CREATE TABLE files (path TEXT PRIMARY KEY, stamp TEXT NOT NULL);
CREATE TABLE pages (id INTEGER PRIMARY KEY, path TEXT NOT NULL, url TEXT NOT NULL, title TEXT NOT NULL,
                    text TEXT NOT NULL, page_age TEXT);
CREATE INDEX pages_path ON pages (path);
CREATE INDEX pages_url ON pages (url);
CREATE VIRTUAL TABLE words USING fts5 (title, text, content='', tokenize='porter unicode61 remove_diacritics 2');
PRAGMA user_version = {_FORM};
"""
# A word of the title tells more than one of the text.
_BEST: Final = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY bm25(words, 6.0, 1.0)"
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM words WHERE words MATCH ? LIMIT ?)"
# A word is common that stands on more than one page in so many.
_COMMON_SHARE: Final = 10
_PAGE: Final = "SELECT url, title, text, page_age FROM pages WHERE"

_WORD: Final = re.compile(r"\w+")
_MOST_WORDS: Final = 24
# Scripts that are written without spaces: there each character is a word, and a word is a phrase of them.
_UNSPACED: Final = re.compile(r"([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff])")
# Words that stand in every text and tell nothing of it.
_COMMON: Final = frozenset(
    "a an and are as at be but by can could did do does for from had has have how i in is it its me my of on or our "
    "that the their them they this to was we were what when where which who why will with would you your".split()
)


class SearchIndexError(Exception):
    """The index can be neither made nor read."""


class DocumentIndex:
    """An index of `directory`, kept in the file `database`. Files that have changed are looked for before a search, at
    most every `refresh` seconds.

    `base_url`: what stands before a file's path in the URL of its page.
    """

    def __init__(self, directory: Path, database: Path, base_url: str, *, refresh: float = 5.0) -> None:
        self._directory = directory
        self._database = database
        self._base_url = base_url
        self._refresh = refresh
        self._looked = float("-inf")
        # One at a time, so that no two of them write.
        self._turn = asyncio.Lock()

    async def search(self, query: str, count: int, keep: Callable[[str], bool]) -> list[Page]:
        """The best `count` pages whose URLs `keep` takes, best first. Raises SearchIndexError."""

        def work(connection: sqlite3.Connection) -> list[Page]:
            found: list[Page] = []
            phrases = _telling(connection, _phrases(query))
            if not phrases:
                return found
            for (row,) in connection.execute(_BEST, (" OR ".join(phrases),)):
                page = Page(*connection.execute(f"{_PAGE} id = ?", (row,)).fetchone())
                if keep(page.url):
                    found.append(page)
                    if len(found) == count:
                        break
            return found

        return await self._run(work)

    async def page(self, url: str) -> Page | None:
        """The page of this very URL, if there is one. Raises SearchIndexError."""

        def work(connection: sqlite3.Connection) -> Page | None:
            row = connection.execute(f"{_PAGE} url = ? ORDER BY id LIMIT 1", (url,)).fetchone()
            return None if row is None else Page(*row)

        return await self._run(work)

    async def _run(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        async with self._turn:
            return await asyncio.to_thread(self._work, work)

    def _work(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            self._database.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._database, timeout=30)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = OFF")
                if time.monotonic() - self._looked >= self._refresh:
                    with connection:
                        self._bring_up_to_date(connection)
                    self._looked = time.monotonic()
                return work(connection)
        except (OSError, sqlite3.Error) as error:
            raise SearchIndexError(f"{type(error).__name__}: {error}") from error

    def _bring_up_to_date(self, connection: sqlite3.Connection) -> None:
        # Other processes wait here, and find it done.
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _FORM:
            # One by one: `executescript` would end the transaction.
            for statement in _TABLES.split(";"):
                connection.execute(statement)
        known: dict[str, str] = dict(connection.execute("SELECT path, stamp FROM files"))
        for file in source_files(self._directory):
            path = file.path.relative_to(self._directory).as_posix()
            stamp = f"{file.stamp} {self._base_url}"
            if known.pop(path, None) == stamp:
                continue
            _forget(connection, path)
            try:
                for page in read_pages(file.path, self._directory, self._base_url):
                    _add(connection, path, page)
            except OSError as error:
                _log.warning("a document cannot be read", path=path, reason=error.strerror)
            connection.execute("INSERT INTO files VALUES (?, ?)", (path, stamp))
        for gone in known:
            _forget(connection, gone)


def _add(connection: sqlite3.Connection, path: str, page: Page) -> None:
    added = connection.execute(
        "INSERT INTO pages (path, url, title, text, page_age) VALUES (?, ?, ?, ?, ?)",
        (path, page.url, page.title, page.text, page.page_age),
    )
    connection.execute(
        "INSERT INTO words (rowid, title, text) VALUES (?, ?, ?)", (added.lastrowid, *_spread(page.title, page.text))
    )


def _forget(connection: sqlite3.Connection, path: str) -> None:
    # What the index of words does not keep it must be told, to take it back.
    for row, title, text in connection.execute("SELECT id, title, text FROM pages WHERE path = ?", (path,)).fetchall():
        connection.execute(
            "INSERT INTO words (words, rowid, title, text) VALUES ('delete', ?, ?, ?)", (row, *_spread(title, text))
        )
    connection.execute("DELETE FROM pages WHERE path = ?", (path,))
    connection.execute("DELETE FROM files WHERE path = ?", (path,))


def _spread(*texts: str) -> list[str]:
    return [_UNSPACED.sub(r" \1 ", text) for text in texts]


def _phrases(query: str) -> list[str]:
    """The words that are looked for, each as a phrase of FTS5's, so that none is an operator."""
    words = list(dict.fromkeys(word.lower() for word in _WORD.findall(query)))
    kept = [word for word in words if word not in _COMMON] or words
    return [f'"{_spread(word)[0].strip()}"' for word in kept[:_MOST_WORDS]]


def _telling(connection: sqlite3.Connection, phrases: list[str]) -> list[str]:
    """`phrases` without those that many pages have, if any others are found: ranking all these pages takes long."""
    pages: int = connection.execute("SELECT coalesce(max(id), 0) FROM pages").fetchone()[0]
    most = max(pages // _COMMON_SHARE, 1_000)
    if pages <= most:
        return phrases
    rare: list[str] = []
    found = False
    for phrase in phrases:
        counted = connection.execute(_COUNT, (phrase, most)).fetchone()[0]
        if counted < most:
            rare.append(phrase)
            found = found or counted > 0
    return rare if found else phrases
