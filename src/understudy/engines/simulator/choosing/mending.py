"""Misspelt words, and words of other languages that are nearly those of the tools."""

from __future__ import annotations

from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.offers import Offer

_MOST_FOR_MENDING = 14


def _one_edit(one: str, other: str) -> bool:
    """Whether two words differ by one letter, or by two neighbours that changed places."""
    if abs(len(one) - len(other)) > 1 or one[0] != other[0]:
        return False
    place = 0
    while place < min(len(one), len(other)) and one[place] == other[place]:
        place += 1
    rest, against = one[place:], other[place:]
    return (
        rest[1:] == against[1:]
        or rest[1:] == against
        or rest == against[1:]
        or (rest[:2] == against[1::-1] and rest[2:] == against[2:])
    )


def mend(heard: Heard, offer: Offer) -> bool:
    """Reads words that no tool knows as misspelt or foreign forms of words that one knows; whether it found any."""
    if len(heard.content) > _MOST_FOR_MENDING:
        return False
    index = offer.rarity
    foreign = not heard.clause.text.isascii()
    found = False
    for token in heard.content:
        if token.kind == "code" or len(token.stem) < 4 or token.stop or any(key in index for key, _ in token.keys):
            continue
        for word in offer.words_with(token.stem[0]):
            bare = token.stem.removesuffix("er")
            alike = len(word) + len(bare) >= 9 and (_one_edit(word, bare) or _one_edit(word, token.stem))
            if alike or (foreign and word[:6] == token.stem[:6] and len(word) >= 6):
                groups = lexicon().things.get((word,), ())
                token.keys = (*token.keys, (word, 0.9), *((group, 0.8) for group in groups))
                for key, strength in token.keys:
                    heard.keys[key] = max(heard.keys.get(key, 0.0), strength)
                if token.kind == "name":
                    token.kind = ""
                found = True
                heard.found = None
                break
    return found
