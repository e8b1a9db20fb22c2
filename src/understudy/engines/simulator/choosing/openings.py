"""How the matches of a pattern begin: the words that stand first in them, as far as the pattern tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NamedTuple

# Python's own, whose form is nowhere promised: where it is another one day, every pattern is simply tried.
_parser: Any
_codes: Any
try:
    _parser, _codes = import_module("re._parser"), import_module("re._constants")
    _ANY_LETTER: list[Any] = [(_codes.IN, [(_codes.CATEGORY, _codes.CATEGORY_WORD)])]
except (ImportError, AttributeError):
    _parser = _codes = None

# More beginnings than these are not followed, nor classes of more signs.
_MOST: Final = 400
_MOST_SIGNS: Final = 10


@dataclass(frozen=True, slots=True)
class Openings:
    """What the matches in texts of ASCII begin with, in small letters: one of the words of `alone`, or one that is a
    key of `pairs` with one of its values after it, or a word that begins with one of `begun`. `bare`: no sign stands
    before it in a match."""

    alone: frozenset[str]
    pairs: dict[str, frozenset[str]]
    begun: tuple[str, ...]
    bare: bool


class _Read(NamedTuple):
    """The beginning of a match as far as it is read: the first word, once it is whole, and what is read of the one at
    hand. `at_word`: a word begins where it does; `ended`: no more of it is read; `signs`: some stood before it."""

    first: str
    word: str
    at_word: bool
    ended: bool
    signs: bool = False


class _UnknownError(Exception):
    pass


def openings_of(pattern: str) -> Openings | None:
    """None where a match may begin with words that are not known. It may begin with signs that are of no word."""
    if _parser is None:
        return None
    try:
        found = _grown(_parser.parse(pattern, re.IGNORECASE), {_Read("", "", at_word=False, ended=False)})
    except (_UnknownError, AttributeError):
        return None
    if not all(one.first or one.word for one in found):
        return None
    alone = {one.first for one in found if one.first and not (one.ended and one.word)}
    pairs: dict[str, set[str]] = {}
    for one in found:
        if one.first and one.first not in alone:
            pairs.setdefault(one.first, set()).add(one.word)
    begun = {one.word for one in found if not one.first}
    return Openings(
        frozenset(alone),
        {first: frozenset(seconds) for first, seconds in pairs.items()},
        tuple(sorted(begun)),
        not any(one.signs for one in found),
    )


def _grown(items: Iterable[Any], begun: set[_Read]) -> set[_Read]:
    """What is read behind `items`, where it is `begun` before them."""
    for code, value in items:
        grown: set[_Read] = set()
        for one in begun:
            if one.ended:
                grown.add(one)
                continue
            try:
                grown |= _behind(code, value, one)
            except _UnknownError:
                grown.add(_given_up(one))
        if len(grown) > _MOST:
            grown = {one if one.ended else _given_up(one) for one in grown}
        begun = grown
    return begun


def _given_up(one: _Read) -> _Read:
    if not one.first and not one.word:
        raise _UnknownError
    return one._replace(word="" if one.first else one.word, ended=True)


def _behind(code: Any, value: Any, one: _Read) -> set[_Read]:
    if code is _codes.LITERAL:
        return _with(chr(value), one)
    if code is _codes.IN:
        return set[_Read]().union(*(_with(sign, one) for sign in _signs(value)))
    if code is _codes.BRANCH:
        return set[_Read]().union(*(_grown(branch, {one}) for branch in value[1]))
    if code is _codes.SUBPATTERN:
        return _grown(value[3], {one})
    if code is _codes.ATOMIC_GROUP:
        return _grown(value, {one})
    if code in {_codes.MAX_REPEAT, _codes.MIN_REPEAT, _codes.POSSESSIVE_REPEAT}:
        return _repeated(value, one)
    if code is _codes.AT:
        return {_at(value, one)}
    if code in {_codes.ASSERT, _codes.ASSERT_NOT}:
        ends = code is _codes.ASSERT_NOT and one.word and value[0] == 1 and list(value[1]) == _ANY_LETTER
        return {_whole(one, at_word=False) if ends else one}
    raise _UnknownError


def _whole(one: _Read, *, at_word: bool) -> _Read:
    """The word that is read ends here. `at_word`: with a sign that is of no word."""
    if one.first:
        return one._replace(ended=True)
    return one._replace(first=one.word, word="", at_word=at_word)


def _with(sign: str, one: _Read) -> set[_Read]:
    if not sign.isascii():
        return set()
    if not (sign.isalnum() or sign == "_"):
        if one.word:
            return {_whole(one, at_word=True)}
        return {one._replace(at_word=True, signs=one.signs or not one.first)}
    if not one.at_word:
        raise _UnknownError
    return {one._replace(word=one.word + sign.lower())}


def _signs(members: Sequence[Any]) -> list[str]:
    """The signs of a class; a space for all that are of no word."""
    found: list[str] = []
    for code, value in members:
        if code is _codes.LITERAL:
            found.append(chr(value))
        elif code is _codes.RANGE and value[1] - value[0] < _MOST_SIGNS:
            found += map(chr, range(value[0], value[1] + 1))
        elif code is _codes.CATEGORY and value in {_codes.CATEGORY_SPACE, _codes.CATEGORY_NOT_WORD}:
            found.append(" ")
        else:
            raise _UnknownError
    return found


def _repeated(value: Any, one: _Read) -> set[_Read]:
    least, most, items = value
    begun = {one}
    for _ in range(min(least, _MOST_SIGNS)):
        begun = _grown(items, begun)
    if most == least:
        return begun
    if most == least + 1:
        return begun | _grown(items, begun)
    # Once more, and once more: only what leaves the words as they are may come any number of times.
    begun = _settled(begun, one)
    return begun | _settled(_grown(items, begun), one)


def _settled(begun: set[_Read], one: _Read) -> set[_Read]:
    return {
        other if other.ended or (other.first, other.word) == (one.first, one.word) else _given_up(other)
        for other in begun
    }


def _at(place: Any, one: _Read) -> _Read:
    if place is _codes.AT_BOUNDARY:
        return _whole(one, at_word=False) if one.word else one._replace(at_word=True)
    if place is _codes.AT_BEGINNING:
        return one._replace(at_word=True)
    if place is _codes.AT_END and one.word:
        return _whole(one, at_word=False)
    return one
