"""Which values of a clause a tool's parameters take: what it lacks, and what it has no place for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from understudy.engines.simulator.choosing.profiles import Parameter, Profile
from understudy.engines.simulator.choosing.words import Token

# Kinds of values that cannot be made up, with the kinds of tokens that serve.
SERVED_BY = {
    "email": {"email"},
    "url": {"url"},
    "id": {"id", "number", "quoted", "code"},
    "path": {"path", "quoted", "id", "url"},
    "phone": {"id", "number"},
    "expression": {"number"},
    "coordinate": set[str](),
    "number": {"number", "money", "time", "id", "date"},
    "date": {"date", "time"},
    "time": {"time", "date"},
}
# The kinds of parameters, apart from free text, that have a place for a value of a kind.
_PLACES = {
    "number": {"number", "id", "expression", "coordinate", "time", "date", "enum", "place", "phone"},
    "date": {"date", "time"},
    "time": {"time", "date"},
    "id": {"id", "path", "number", "place", "phone"},
    "email": {"email", "id"},
    "url": {"url", "path"},
    "path": {"path", "url", "id"},
}


_DIGITS = re.compile(r"\d")
COORDINATE = re.compile(r"-?\d{1,3}\.\d+\D{1,20}-?\d{1,3}\.\d+")


def fits_type(token: Token, parameter: Parameter) -> bool:
    """Whether a code may stand for an id of the parameter's type: letters are no number."""
    return not parameter.numeric or token.low.lstrip("#").isdigit()


def is_phone(token: Token) -> bool:
    return token.kind in {"id", "number"} and len(_DIGITS.findall(token.text)) >= 6


def says_id(parameter: Parameter, profile: Profile, tokens: list[Token], values: list[Token]) -> bool:
    """Whether a value may be the id: a code, or a number that no other parameter takes or that its noun names."""
    if any(token.kind in {"id", "code"} and fits_type(token, parameter) for token in values):
        return True
    others = sum(other.required and other.kind == "number" for other in profile.parameters)
    numbers = [
        token
        for token in values
        if token.kind == "number" and _DIGITS.search(token.text) and not counts(token, tokens, parameter.stems)
    ]
    if len(numbers) > others:
        return True
    nouns = {key for keys, _ in profile.nouns for key in keys} | parameter.stems
    for number in numbers:
        place = tokens.index(number) if number in tokens else 0
        if any(
            token.stem in nouns or token.low in {"number", "id", "no"} for token in tokens[max(0, place - 2) : place]
        ):
            return True
    texts = sum(other.required and other.kind == "text" for other in profile.parameters)
    return sum(token.kind == "quoted" for token in values) > texts


def counts(number: Token, tokens: list[Token], nouns: Collection[str] = ()) -> bool:
    """Whether a number says how many there are of something else: "20 minutes", "a 30 seat licence"."""
    following = next((token for token in tokens if token.start > number.start), None)
    if following is not None and following.low in {"each", "per", "apiece"}:
        return True
    if following is None or following.start != number.end + 1 or following.stop or following.kind or following.acts:
        return False
    before = next((token for token in reversed(tokens) if token.end < number.start), None)
    named = before is not None and not before.stop and not before.kind and not before.acts
    return following.stem not in nouns and not named


def numbers_lacking(profile: Profile, values: list[Token]) -> list[Parameter]:
    """The required numbers for which there are not enough values."""
    wanted = [parameter for parameter in profile.parameters if parameter.required and parameter.kind == "number"]
    if len(wanted) < 2:
        return []
    ids = sum(parameter.required and parameter.kind == "id" for parameter in profile.parameters)
    there = sum(token.kind in {"number", "money", "time", "date"} for token in values)
    there += max(0, sum(token.kind == "id" for token in values) - ids)
    return wanted[there:] if there < len(wanted) else []


@dataclass(frozen=True, slots=True)
class Values:
    """The values of a clause, counted by kind; `figures` are the numbers written in digits."""

    counts: dict[str, int]
    figures: int


def values_of(tokens: Iterable[Token]) -> Values:
    counts: dict[str, int] = {}
    figures = 0
    for token in tokens:
        counts[token.kind] = counts.get(token.kind, 0) + 1
        figures += token.kind == "number" and _DIGITS.search(token.text) is not None
    return Values(counts, figures)


def homeless(profile: Profile, values: Values) -> int:
    """How many of the values the tool has no place for. Free text and lists have a place for anything."""
    kinds = profile.room
    if "[]" in kinds or "object" in kinds:
        return 0
    free = kinds.get("text", 0)
    found = 0
    for kind, count in values.counts.items():
        places = _PLACES.get(kind)
        if places is None or count <= free or (free and kind in _AS_TEXT):
            continue
        room = free
        for place in places:
            room += kinds.get(place, 0)
        if count > room:
            found += count - room
    return found


def at_home(profile: Profile, values: Values) -> int:
    """How many of the values have a parameter of just their kind."""
    kinds, there = profile.room, values.counts
    found = 0
    for kind in _TYPED:
        count = there.get(kind)
        if count:
            found += min(count, kinds.get(kind, 0))
    if values.figures:
        # An id is often a bare number.
        left = values.figures - kinds.get("number", 0)
        ids = kinds.get("id", 0) - there.get("id", 0)
        if left > 0 and ids > 0:
            found += min(left, ids)
    return found


_TYPED = ("number", "date", "time", "id", "email", "url")
_AS_TEXT = frozenset(("id", "email", "url", "path"))
