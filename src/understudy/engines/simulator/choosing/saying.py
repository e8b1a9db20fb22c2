"""What is said, made ready to be compared with all tools at once."""

from __future__ import annotations

from typing import NamedTuple

from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.taking import units_in
from understudy.engines.simulator.choosing.words import Token

NOTHING = (0.0, 0.0)


class Word(NamedTuple):
    """A word that some tool knows, or that may be an act. `verb` is its act of its own; `held` says by place how much
    of it each tool is about, and how much that tells."""

    token: Token
    verb: str
    held: dict[int, tuple[float, float]]


class Said(NamedTuple):
    """What is said, as far as it is the same for all tools. `content` is the weight of all words; `units` are the stems
    of what numbers are told of, `background` says by place how much was said before."""

    words: list[Word]
    content: float
    lows: set[str]
    units: list[str]
    globs: bool
    background: dict[int, float]


def said_to(heard: Heard, offer: Offer) -> Said:
    """What is said, as far as it concerns the tools."""
    holders, rarity = offer.holders, offer.rarity
    head = heard.clause.head
    words: list[Word] = []
    content = 0.0
    for token in heard.content:
        held: dict[int, tuple[float, float]] = {}
        for key, strength in token.keys:
            there = holders.get(key)
            if there is not None:
                telling = rarity[key]
                for place, worth in there:
                    match = worth * strength
                    most, most_rare = held.get(place, NOTHING)
                    rare = match * telling
                    if match > most or rare > most_rare:
                        held[place] = (max(match, most), max(rare, most_rare))
        if held or token.acts or token is head:
            words.append(Word(token, "=" + token.stem if token.acts or token is head else "", held))
        if not token.kind and not token.stop:
            content += token.weight
    background: dict[int, float] = {}
    for key, strength in heard.background.items():
        for place, worth in holders.get(key, ()):
            worth = 0.8 * strength * worth * rarity[key]
            if worth > background.get(place, 0.0):
                background[place] = worth
    tokens = heard.clause.tokens
    valued = bool(heard.values)
    return Said(
        words,
        content,
        {token.low for token in tokens},
        units_in(tokens) if valued else [],
        valued and heard.globs,
        background,
    )
