"""How likely each tool, or none of them, is what a turn asks for: signs that count, with learned weights.

The rules of this folder read how something is said; what is meant they miss wherever a person says it in words they do
not foresee. Here every sign counts a little instead. The weights stand in weights.json; tests/engines/simulator/
choosing/learn.py learns them from dialogues.
"""

from __future__ import annotations

import functools
import json
import math
from dataclasses import dataclass
from importlib import resources
from operator import mul
from typing import cast

from understudy.engines.simulator.choosing.clauses import Clause
from understudy.engines.simulator.choosing.evidence import TOOL, Signs, signs_of
from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.past import Made, Past
from understudy.engines.simulator.choosing.shared_words import SharedWords
from understudy.engines.simulator.choosing.turn_signs import TURN

# The odds of a tool that shares nothing with what is said.
_FAR = -30.0


@dataclass(frozen=True, slots=True)
class Weighed:
    """Logarithms of odds: of each tool, by place, and of no call at all."""

    tools: list[float]
    none: float

    def shares(self) -> tuple[list[float], float]:
        """The same as probabilities, which add up to 1."""
        most = max(*self.tools, self.none)
        odds = [math.exp(one - most) for one in self.tools]
        nothing = math.exp(self.none - most)
        whole = sum(odds) + nothing
        return [one / whole for one in odds], nothing / whole


@functools.cache
def _weights() -> tuple[tuple[float, ...], tuple[float, ...], dict[str, float]]:
    text = resources.files("understudy.engines.simulator.choosing").joinpath("weights.json").read_text("utf-8")
    data = cast("dict[str, dict[str, float]]", json.loads(text))
    return tuple(data["tool"][name] for name in TOOL), tuple(data["turn"][name] for name in TURN), data["said"]


class Scales:
    """Weighs one turn, and its clauses, against the tools offered: what does not differ between them is done once."""

    def __init__(self, offer: Offer, made: Made) -> None:
        self.offer = offer
        self.made = made
        self._past = Past(offer, made)
        self._shared = SharedWords(offer)

    def signs(self, asked: str, clauses: list[Clause], whole: Heard, brings: frozenset[str] = frozenset()) -> Signs:
        return signs_of(asked, clauses, whole, self.offer, self._past, self._shared, brings)

    def weighed(self, asked: str, clauses: list[Clause], whole: Heard, brings: frozenset[str] = frozenset()) -> Weighed:
        """`brings`: stems of what a call that is planned before may bring the id of."""
        signs = signs_of(asked, clauses, whole, self.offer, self._past, self._shared, brings, far=False)
        tool, turn, said = _weights()
        odds = [_FAR] * len(signs.tools)
        for place in signs.near:
            odds[place] = sum(map(mul, tool, signs.tools[place]))
        talk = sum(said[mark] for mark in signs.said if mark in said)
        return Weighed(odds, talk + sum(map(mul, turn, signs.turn)))
