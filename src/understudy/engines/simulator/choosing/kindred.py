"""Words of everyday English that speak of the same matters, in kindred.json: looser than the thesaurus.

A line there is a group of words, or of pairs of words, that people use for one matter: "lost, stolen, block". Two words
of a group are no synonyms; that one is heard and the other offered only makes a tool likelier.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import cast

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.stems import folded

Groups = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Kindred:
    """The groups by number that a stem, or two stems after one another, belong to."""

    words: dict[str, Groups]
    pairs: dict[tuple[str, str], Groups]


@functools.cache
def kindred() -> Kindred:
    text = resources.files("understudy.engines.simulator.choosing").joinpath("kindred.json").read_text("utf-8")
    stem = lexicon().stem
    words: dict[str, list[int]] = {}
    pairs: dict[tuple[str, str], list[int]] = {}
    for number, line in enumerate(cast("list[str]", json.loads(text))):
        for term in line.split(","):
            stems = [stem(folded(word)) for word in term.split()]
            if len(stems) == 1:
                words.setdefault(stems[0], []).append(number)
            elif len(stems) == 2:
                pairs.setdefault((stems[0], stems[1]), []).append(number)
    return Kindred(
        {word: tuple(dict.fromkeys(groups)) for word, groups in words.items()},
        {pair: tuple(dict.fromkeys(groups)) for pair, groups in pairs.items()},
    )
