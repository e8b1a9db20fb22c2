"""The small thesaurus of general words, in lexicon.json: acts, things, and words of other languages for them."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import TypedDict, cast

from understudy.engines.simulator.choosing.stems import folded, stem

# How much of a match is left when two words only share a group, or one only hints at the other's group.
SAME_GROUP = 0.85
HINT = 0.5
_LONGEST_PHRASE = 5


class _Data(TypedDict):
    actions: dict[str, str]
    reading: str
    near: list[str]
    things: list[str]
    related: dict[str, str]
    foreign: dict[str, str]
    japanese: dict[str, str]
    irregular: dict[str, str]
    kinds: dict[str, str]


Phrase = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`acts` and `things` say which groups a phrase of stems belongs to; `hints` are one-way and weaker.

    `first_words` says how long phrases are that begin with a word, `later_words` which may follow it in one.
    """

    acts: dict[Phrase, tuple[str, ...]]
    things: dict[Phrase, tuple[str, ...]]
    hints: dict[Phrase, tuple[str, ...]]
    first_words: dict[str, int]
    later_words: dict[str, frozenset[str]]
    near: dict[tuple[str, str], float]
    reading: frozenset[str]
    irregular: dict[str, str]
    foreign: dict[str, tuple[str, ...]]
    japanese: tuple[tuple[str, str], ...]
    kinds: dict[str, tuple[tuple[str, float], ...]]

    def stem(self, word: str) -> str:
        return stem_of(word)

    def likeness(self, heard: str, offered: str) -> float:
        """How well an act that is asked for is served by an act that is offered, from 0 to 1."""
        return 1.0 if heard == offered else self.near.get((heard, offered), 0.0)


@functools.lru_cache(maxsize=8_192)
def stem_of(word: str) -> str:
    """The stem of a folded word, or of the one that it is a form of."""
    return stem(lexicon().irregular.get(word, word))


def _phrase(text: str, irregular: dict[str, str]) -> Phrase:
    words = (folded(word) for word in text.replace("-", " ").replace("'", "").split())
    return tuple(stem(irregular.get(word, word)) for word in words)


def _kind_keys(words: str, things: dict[Phrase, list[str]], irregular: dict[str, str]) -> tuple[tuple[str, float], ...]:
    """What a value of a kind says of itself: a path speaks of a file."""
    keys: dict[str, float] = {}
    for word in words.split(","):
        phrase = _phrase(word, irregular)
        keys[phrase[0]] = 0.6
        for group in things.get(phrase, [])[:1]:
            keys.setdefault(group, 0.5)
    return tuple(keys.items())


@functools.cache
def lexicon() -> Lexicon:
    text = resources.files("understudy.engines.simulator.choosing").joinpath("lexicon.json").read_text("utf-8")
    data = cast("_Data", json.loads(text))
    irregular = data["irregular"]
    acts: dict[Phrase, list[str]] = {}
    for act, words in data["actions"].items():
        for word in words.split(","):
            acts.setdefault(_phrase(word, irregular), []).append(act)
    things: dict[Phrase, list[str]] = {}
    for number, line in enumerate(data["things"]):
        for word in line.split(","):
            things.setdefault(_phrase(word, irregular), []).append(f"#{number}")
    hints: dict[Phrase, list[str]] = {}
    for target, words in data["related"].items():
        groups = [*things.get(_phrase(target, irregular), [])[:1], _phrase(target, irregular)[0]]
        for word in words.split(","):
            hints.setdefault(_phrase(word, irregular), []).extend(groups)
    foreign: dict[str, list[str]] = {}
    for target, words in data["foreign"].items():
        for word in words.split(","):
            foreign.setdefault(folded(word), []).append(target)
    near: dict[tuple[str, str], float] = {}
    for line in data["near"]:
        one, other, degree = line.split()
        near[one, other] = near[other, one] = float(degree)
    first_words: dict[str, int] = {}
    later_words: dict[str, set[str]] = {}
    for phrase in (*acts, *things, *hints):
        first_words[phrase[0]] = max(first_words.get(phrase[0], 1), min(len(phrase), _LONGEST_PHRASE))
        if len(phrase) > 1:
            later_words.setdefault(phrase[0], set()).add(phrase[1])
    return Lexicon(
        {phrase: tuple(dict.fromkeys(found)) for phrase, found in acts.items()},
        {phrase: tuple(dict.fromkeys(found)) for phrase, found in things.items()},
        {phrase: tuple(dict.fromkeys(found)) for phrase, found in hints.items()},
        first_words,
        {word: frozenset(later) for word, later in later_words.items()},
        near,
        frozenset(data["reading"].split(",")),
        irregular,
        {word: tuple(dict.fromkeys(found)) for word, found in foreign.items()},
        tuple(sorted(data["japanese"].items(), key=lambda pair: -len(pair[0]))),
        {kind: _kind_keys(words, things, irregular) for kind, words in data["kinds"].items()},
    )
