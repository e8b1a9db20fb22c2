"""How far the words of a turn are those of the tools offered, or kindred to them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from understudy.engines.simulator.choosing.kindred import Groups, kindred
from understudy.engines.simulator.choosing.lexicon import SAME_GROUP
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.words import Token

# How much of a match is left between words of one kindred group.
_KIN = 0.6
_MOST = 4.0
# Words whose shares are kept, each for the tools it was said to.
_REMEMBERED = 2_048


class Share(NamedTuple):
    """What one word says of the tool at a place."""

    place: int
    word: float
    group: float
    kin: float
    best: float
    covered: float
    weighed: float


_known: dict[tuple[int, tuple[tuple[str, float], ...], Groups, float], list[Share]] = {}


class Columns(NamedTuple):
    """A number for each tool, by place."""

    word: list[float]
    group: list[float]
    kin: list[float]
    best: list[float]
    first: list[float]
    lead: list[float]
    covered: list[float]
    weighed: list[float]
    strongest: list[float]


class SharedWords:
    """What each word says of the tools is worked out once, for a turn is weighed as a whole and clause by clause."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def columns(self, content: Sequence[Token], tokens: Sequence[Token]) -> Columns:
        """`content` are those of the tokens that count."""
        many = len(self._offer.tools)
        word, group, kin, best = [0.0] * many, [0.0] * many, [0.0] * many, [0.0] * many
        covered, weighed, strongest = [0.0] * many, [0.0] * many, [0.0] * many
        total = max(1.0, sum(token.weight for token in content))
        for token, groups in zip(content, _kindred(content, tokens), strict=True):
            for share in self._shares(token, groups):
                place, of_word, of_group, of_kin, of_best, of_covered, of_weighed = share
                word[place] += of_word
                group[place] += of_group
                kin[place] += of_kin
                best[place] += of_best
                if of_best > strongest[place]:
                    strongest[place] = of_best
                covered[place] += of_covered / total
                weighed[place] += of_weighed / total
        word, group, kin, best = ([min(one, _MOST) for one in column] for column in (word, group, kin, best))
        ranked = sorted(best, reverse=True)
        most, second = ranked[0], ranked[1] if many > 1 else ranked[0]
        first = [float(one == most > 0) for one in best]
        lead = [one - (second if one == most > 0 else most) for one in best]
        return Columns(word, group, kin, best, first, lead, covered, weighed, strongest)

    def _shares(self, token: Token, groups: Groups) -> list[Share]:
        key = (self._offer.matters().number, token.keys, groups, token.weight)
        known = _known.get(key)
        if known is None:
            if len(_known) >= _REMEMBERED:
                _known.clear()
            known = _known[key] = self._worked_out(token, groups)
        return known

    def _worked_out(self, token: Token, groups: Groups) -> list[Share]:
        offer = self._offer
        matters = offer.matters()
        many = len(offer.tools)
        word, group, kin, plain = [0.0] * many, [0.0] * many, [0.0] * many, [0.0] * many
        for key, strength in token.keys:
            holders = offer.holders.get(key)
            if holders is None:
                continue
            found = group if key[0] == "#" else word
            rare = offer.rarity[key]
            for place, worth in holders:
                match = worth * strength
                if match > plain[place]:
                    plain[place] = match
                if match * rare > found[place]:
                    found[place] = match * rare
        for number in groups:
            telling = matters.rarity.get(number, 0.0)
            for place, worth in matters.held.get(number, ()):
                if worth * telling > kin[place]:
                    kin[place] = worth * telling
                if _KIN * worth > plain[place]:
                    plain[place] = _KIN * worth
        weight = token.weight
        return [
            Share(
                place,
                weight * word[place],
                weight * group[place],
                weight * kin[place],
                weight * max(word[place], SAME_GROUP * group[place], _KIN * kin[place]),
                (any_of > 0.2) * weight,
                any_of * weight,
            )
            for place, any_of in enumerate(plain)
            if any_of
        ]


def _kindred(content: Sequence[Token], tokens: Sequence[Token]) -> list[Groups]:
    """The groups of each word, by itself and with the word before or after it."""
    known = kindred()
    following = {id(token): after.stem for token, after in pairwise(tokens)}
    before = {id(token): former.stem for former, token in pairwise(tokens)}
    found: list[Groups] = []
    for token in content:
        groups = known.words.get(token.stem, ())
        groups += known.pairs.get((token.stem, following.get(id(token), "")), ())
        groups += known.pairs.get((before.get(id(token), ""), token.stem), ())
        found.append(groups)
    return found
