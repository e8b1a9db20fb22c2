"""Verbs whose particle stands after the object: "cross it off", "hand that in"."""

from __future__ import annotations

from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.words import Token

_PARTICLES = frozenset("on off up down in out away back over through to live".split())
_PRONOUNS = frozenset("it them that this these those".split())
_ARTICLES = frozenset(
    "a an the my our his her their this that these those it them him me us all every each any some in on one two "
    "three 1 2 3".split()
)


def acts_apart(tokens: list[Token], head: Token) -> tuple[str, ...]:
    """The acts of a verb and its particle with the object between them."""
    place = tokens.index(head)
    for number in range(place + 2, min(place + 6, len(tokens))):
        if tokens[number].low not in _PARTICLES:
            continue
        pronoun = number == place + 2 and tokens[number - 1].low in _PRONOUNS
        last = number + 1 == len(tokens) or (tokens[number + 1].stop and tokens[number + 1].low not in _ARTICLES)
        if pronoun or (last and tokens[number].low != "to"):
            return lexicon().acts.get((head.stem, tokens[number].stem), ())
    return ()
