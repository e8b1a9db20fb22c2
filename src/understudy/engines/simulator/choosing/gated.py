"""Patterns that are tried only on texts that have the words that every match of theirs begins with.

To search a text for one of fifty words is to look at each of its places fifty times, nearly always for nothing. The
words of a text are found once; with them a pattern that cannot match is known by the comparison of two sets.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, TypeAlias

from understudy.engines.simulator.choosing.openings import openings_of

_WORDS: Final = re.compile(r"\w+")
_NO_LETTERS: Final = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
# Characters of a text whose words are kept, for it is asked for them again soon.
_LONGEST: Final = 2_400

Words: TypeAlias = frozenset[str] | None
"""The words of a text, in small letters; None where its letters are not ASCII: their cases are more than two."""


def words_in(text: str) -> Words:
    return _words_in(text) if len(text) <= _LONGEST else _words_of(text)


def _words_of(text: str) -> Words:
    return frozenset(text.lower().translate(_NO_LETTERS).split()) if text.isascii() else None


_words_in = lru_cache(maxsize=128)(_words_of)


def first_in(text: str) -> str | None:
    """The first word, in small letters, "" where there is none; None where the letters are not ASCII."""
    if not text.isascii():
        return None
    found = _WORDS.search(text)
    return found.group().lower() if found else ""


class Gated:
    """A pattern without regard to case."""

    __slots__ = ("_alone", "_bare", "_begun", "_firsts", "_known", "_pairs", "pattern")

    def __init__(self, pattern: str) -> None:
        self.pattern = re.compile(pattern, re.IGNORECASE)
        openings = openings_of(pattern)
        self._known = openings is not None
        self._alone = frozenset(openings.alone if openings else ())
        self._pairs = openings.pairs if openings else {}
        self._firsts = self._alone.union(self._pairs)
        self._begun = openings.begun if openings else ()
        self._bare = openings is not None and openings.bare

    def may_find(self, words: Words) -> bool:
        """Whether anything may be found in a text of just these words."""
        if words is None or not self._known or self._begun or not self._alone.isdisjoint(words):
            return True
        pairs = self._pairs
        return any(not words.isdisjoint(pairs[first]) for first in pairs.keys() & words)

    def search(self, text: str, words: Words = None) -> re.Match[str] | None:
        """As the pattern's own search. `words` are those of just this text."""
        if words is None or not self._known or self._begun:
            return self.pattern.search(text)
        if self._firsts.isdisjoint(words):
            return None
        firsts = self._alone & words
        pairs = self._pairs
        firsts |= {first for first in pairs.keys() & words if not words.isdisjoint(pairs[first])}
        if not firsts:
            return None
        return self._at(firsts, text) if self._bare else self.pattern.search(text)

    def _at(self, firsts: frozenset[str], text: str) -> re.Match[str] | None:
        """The first match that begins with one of `firsts`."""
        low, match = text.lower(), self.pattern.match
        best: re.Match[str] | None = None
        end = len(text)
        for first in firsts:
            place = low.find(first, 0, end)
            while place >= 0:
                found = match(text, place)
                if found is not None:
                    best, end = found, place + len(first) - 1
                    break
                place = low.find(first, place + 1, end)
        return best

    def may_begin(self, first: str, words: Words = None) -> bool:
        """Whether a text may match that begins with a word, and has just these words."""
        if not self._known or first in self._alone or (self._begun and first.startswith(self._begun)):
            return True
        seconds = self._pairs.get(first)
        return seconds is not None and (words is None or not words.isdisjoint(seconds))

    def match(self, text: str, first: str | None = None, words: Words = None) -> re.Match[str] | None:
        """As the pattern's own match. `first` is the first of the words of just this text, "" where it has none."""
        return self.pattern.match(text) if first is None or self.may_begin(first, words) else None
