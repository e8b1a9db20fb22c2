"""What a text means of a choice that it does not name: "snatched" of lost or stolen, "blue lights" of urgent."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from understudy.engines.simulator.choosing.kindred import Groups, kindred
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.stems import folded
from understudy.engines.simulator.choosing.vectors import direction_of, likeness
from understudy.engines.simulator.choosing.words import STOP

from . import words
from .hints import Hint
from .values import Text

_WORD: Final = re.compile(r"[^\W\d_]+")
_LONGEST: Final = 1_500
# Words of a text that are compared with options, and how near one must be, and how much nearer than to the next.
_MOST_SAID: Final = 16
_NEAR: Final = 0.5
_CLEARLY: Final = 0.1


@lru_cache(maxsize=64)
def _said(text: str) -> tuple[tuple[str, frozenset[int], bool], ...]:
    """The words of a text that have kindred: stem, groups, and whether a negation stands before."""
    known, stem = kindred(), lexicon().stem
    tokens = [folded(match[0]) for match in _WORD.finditer(text[:_LONGEST])]
    stems = [stem(token) for token in tokens]
    found: list[tuple[str, frozenset[int], bool]] = []
    for place, one in enumerate(stems):
        groups: Groups = () if tokens[place] in STOP else known.words.get(one, ())
        if place + 1 < len(stems):
            groups += known.pairs.get((one, stems[place + 1]), ())
        if groups:
            near = tokens[max(0, place - 3) : place]
            found.append((one, frozenset(groups), not words.NEGATIONS.isdisjoint(near)))
    return tuple(found)


@lru_cache(maxsize=1024)
def _meant(option: str) -> tuple[frozenset[str], frozenset[int]]:
    """The stems of an option's words, and all their groups."""
    known, stem = kindred(), lexicon().stem
    parts = [folded(part) for part in words.name_words(option)]
    stems = [stem(part) for part in parts]
    groups = {
        group for one, part in zip(stems, parts, strict=True) if part not in STOP for group in known.words.get(one, ())
    }
    for first, second in pairwise(stems):
        groups.update(known.pairs.get((first, second), ()))
    return frozenset(stems), frozenset(groups)


def option_meant(options: list[Any], text: Text, without: Collection[str]) -> Any:
    """The option that the words of a text are nearest to, if one is; None where none or several are.

    `without`: stems that say nothing of the choice, since the tool itself is called so.
    """
    worth: dict[str, float] = {}
    for option in options:
        if not isinstance(option, str):
            return None
        stems, groups = _meant(option)
        worth[option] = sum(
            (1.0 if stem in stems else min(1.0, 0.4 * len(groups & theirs) + 0.3) if groups & theirs else 0.0)
            for stem, theirs, denied in _said(text.text)
            if stem not in without and not denied
        )
    best = max(worth, key=lambda option: worth[option], default="")
    if not best or worth[best] < 0.5 or sum(value > worth[best] - 0.2 for value in worth.values()) > 1:
        return None
    return best


def option_nearest(options: list[Any], text: Text, without: Collection[str]) -> Any:
    """The option that is nearest in meaning to some word of a text, where it is near and no other is as near."""
    stem = lexicon().stem
    said = dict.fromkeys(word for word in _WORD.findall(text.text[:_LONGEST].lower()) if word not in STOP)
    towards = [direction_of(word) for word in list(said)[:_MOST_SAID] if stem(folded(word)) not in without]
    worth: dict[str, float] = {}
    for option in options:
        if not isinstance(option, str):
            return None
        ways = [direction_of(part.lower()) for part in words.name_words(option)]
        worth[option] = max((likeness(one, way) for one in towards for way in ways), default=0.0)
    ranked = sorted(worth, key=lambda option: -worth[option])
    if len(ranked) < 2 or worth[ranked[0]] < _NEAR or worth[ranked[0]] - worth[ranked[1]] < _CLEARLY:
        return None
    return ranked[0]


def akin(name: str, beside: Collection[str]) -> bool:
    """Whether one of the words beside a value is kindred to what a property is called."""
    known, stem = kindred(), lexicon().stem
    _, groups = _meant(name)
    return bool(groups) and any(
        not groups.isdisjoint(known.words.get(stem(word), ())) for word in beside if word not in STOP
    )


def is_meant(one: Hint, text: Text, without: Collection[str]) -> bool | None:
    """Whether the words of a text speak of what a boolean property is called; None where they do not."""
    stems, groups = _meant(one.name)
    for stem, theirs, denied in _said(text.text):
        if stem in without or stem in stems:
            continue
        if not groups.isdisjoint(theirs):
            return not denied
    return None
