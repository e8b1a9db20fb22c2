"""Which of the values that are said a tool takes, as far as that speaks for it or against it."""

from __future__ import annotations

import re
from itertools import pairwise

from understudy.engines.simulator.choosing.hearing import Heard
from understudy.engines.simulator.choosing.offers import Offer
from understudy.engines.simulator.choosing.profiles import Parameter, Profile
from understudy.engines.simulator.choosing.serving import SERVED_BY
from understudy.engines.simulator.choosing.wanting import QUERY, Wants
from understudy.engines.simulator.choosing.words import Token


def spell_out(heard: Heard, offer: Offer) -> None:
    """Says of "EP-7" that it is an episode, where a tool takes the id of one."""
    for token in heard.values:
        prefix = _PREFIX.match(token.low) if token.kind in {"id", "code"} else None
        if prefix is None:
            continue
        meant = [word for word in offer.labels if word.startswith(prefix.group())]
        for word in meant if len(prefix.group()) > 1 or len(meant) == 1 else ():
            if not any(key == word for key, _ in token.keys):
                token.keys = (*token.keys, (word, 0.6))
                heard.keys[word] = max(heard.keys.get(word, 0.0), 0.6)


_PREFIX = re.compile(r"[a-z]{1,8}(?=[-_]?\d)")


def has_object(heard: Heard) -> bool:
    """Whether more is said than the act: something that it is done to."""
    head = heard.clause.head
    return head is not None and any(token is not head and token.start > head.start for token in heard.content)


_TEXTS = frozenset(("quoted", "name", "code", "path", "id", "url", "email"))

_LISTED = frozenset(("quoted", "name", "code", "id"))


def served(heard: Heard, profile: Profile) -> bool:
    """Whether the clause has a value for a parameter of the tool."""
    searching = heard.clause.head is not None and "search" in heard.clause.head.acts and "search" in profile.acts
    for parameter in profile.parameters:
        served = SERVED_BY.get(parameter.kind)
        if served is not None and not heard.kinds.isdisjoint(served):
            return True
        if parameter.kind == "text" and (
            not heard.kinds.isdisjoint(_LISTED if parameter.array else _TEXTS)
            or (searching and parameter.stems & QUERY)
        ):
            return True
    return False


def takes_any(heard: Heard, profile: Profile) -> bool:
    required = profile.required
    return len(required) == 1 and required[0].kind == "text" and not required[0].array and has_object(heard)


_UNITS = {"h": "hour", "hr": "hour", "hrs": "hour", "min": "minut", "mins": "minut", "sec": "second", "secs": "second"}


def units_in(tokens: list[Token]) -> list[str]:
    """The stems of what numbers are told of: "40 minutes", "3 nights"."""
    found: list[str] = []
    for token, following in pairwise(tokens):
        if token.kind == "number" and (not following.stop or following.low in _UNITS):
            found.append(following.stem)
            if following.low in _UNITS:
                found.append(_UNITS[following.low])
    return found


def lacking(missing: tuple[Parameter, ...]) -> float:
    """Where to look cannot be guessed: a tool that takes a path or an address is not for one who names none."""
    return sum(0.25 if parameter.kind in {"path", "url"} else 0.08 for parameter in missing)


def listing(heard: Heard, wants: Wants) -> float:
    """One value speaks against a tool for many, several for it."""
    if not wants.listed:
        return 0.0
    many = sum(token.kind in {"path", "id", "url", "email", "number"} for token in heard.values)
    return 0.15 if many > 1 else -0.15
