"""Members of an enum and yes or no: what a text says of a choice that is given."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Any, Final

from . import words
from .currencies import currency
from .foreign import ENGLISH
from .hints import Hint
from .values import Text

_REACH: Final = 4
_NO_WORD: Final = re.compile(r"^\w{1,3}[+-]$")
_CUES: Final = frozenset(
    words.stem(word)
    for word in """is has include enabled use should allow with send do want only enable set accept require get be was
    are show need make""".split()
)
_DENYING: Final = frozenset(
    """leave keep except besides apart skip not no without never won't isn't don't nor neither kein nicht pas
    sin""".split()
)


def member(one: Hint, options: list[Any], text: Text) -> tuple[Any, float, int]:
    """The option that the text names for this property, how plainly (0: none is), and at which word."""
    best: tuple[Any, float, int] = (None, 0.0, -1)
    for option in options:
        if isinstance(option, str) and option[:1].isdigit():
            for value in text.by_kind.get("ordinal", ()):
                if (
                    option in (str(int(value.number or 0)), value.text.lower())
                    and value.after[:1]
                    and value.after[0] in one.own
                ):
                    best = max(best, (option, 14.0, bisect_left(text.starts, value.start)), key=lambda row: row[1])
        for place, score in mentions(option, text):
            score += _standing(one, text, place)
            if score > best[1]:
                best = (option, score, place)
    return best


def _standing(one: Hint, text: Text, place: int) -> float:
    """What the words around a mention add to it."""
    stems = text.stems
    score = 0.0
    before = [stem for stem in stems[max(0, place - 3) : place] if stem not in words.ARTICLES][-1:]
    if one.side is not None and before:
        if before[0] in words.SIDES[one.side]:
            score += 20
        elif before[0] in words.SIDES["to" if one.side == "from" else "from"]:
            score -= 5
    if one.side is not None and place > 0:
        # "how many kilometers are 26.2 miles": what a number counts is changed, what is asked for comes of it.
        counted, asked = stems[place - 1][:1].isdigit(), stems[place - 1] == "many"
        score += (15 if one.side == "from" else -10) * (counted - asked)
    if one.own and not one.own.isdisjoint(stems[max(0, place - 3) : place + 4]):
        score += 5
    near = {token.lower() for token, _, _ in text.tokens[max(0, place - 3) : place]}
    if near & _DENYING:
        score -= 6
    return score


def mentions(option: Any, text: Text) -> list[tuple[int, float]]:
    """Where an option is mentioned and how plainly, at most eight times."""
    if not isinstance(option, str) or not option:
        if isinstance(option, (int, float)) and not isinstance(option, bool):
            numbers = (*text.by_kind.get("number", ()), *text.by_kind.get("ordinal", ()))
            return [(bisect_left(text.starts, value.start), 10.0) for value in numbers if value.number == option][:8]
        return []
    if option in words.CURRENCY_CODES:
        for kind in ("money", "currency"):
            for value in text.by_kind.get(kind, ()):
                if currency(value.text) == option:
                    return [(bisect_left(text.starts, value.start), 12.0)]
    lower = option.lower()
    if _NO_WORD.search(option):
        # "B-", "A+": what is no word stands by itself.
        place = f" {text.text} ".find(f" {option} ")
        return [(bisect_left(text.starts, place), 14.0)] if place >= 0 else []
    if lower.endswith(_PARTICLES) and (apart := _apart(lower, text)) is not None:
        return [(apart, 8.0)]
    parts, unit = _parts_of(option)
    found: list[tuple[int, float]] = []
    stems, stem_set = text.stems, text.stem_set
    several = bool(parts[1:])
    if several and (len(option) > 3 or option[-1].isdigit() or option[0].isdigit()):
        place = text.text.lower().find(lower)
        if (
            place >= 0
            and not text.text[place - 1 : place].isalnum()
            and not text.text[place + len(lower) :][:1].isalnum()
        ):
            return [(bisect_left(text.starts, place), 14.0)]
    if several and len(stem_set.intersection(parts)) < len(parts):
        return _near(lower, parts, text)
    for index, (token, _, _) in enumerate(text.tokens):
        written = token.lower()
        if not several:
            if written == lower and (len(option) > 1 or token == option):
                found.append((index, 13 + len(option) / 100))
            elif stems[index] == parts[0] and len(option) > 2:
                found.append((index, 11 + len(option) / 100))
            elif ENGLISH.get(written) in (lower, parts[0]):
                found.append((index, 8))
            elif len(token) > 2 and (
                words.LANGUAGES.get(written) == lower
                or (unit is not None and words.singular_unit(token) in (lower, unit))
                or words.singular_unit(token) == lower
            ):
                found.append((index, 9))
        elif stems[index] in parts and set(parts) <= {*stems[max(0, index - 1) : index + len(parts) + 2]}:
            found.append((index, 11 + len(parts)))
        if len(found) == 8:
            break
    return found or _near(lower, parts, text)


_PARTICLES: Final = ("up", "out", "off", "in", "away")


def _apart(option: str, text: Text) -> int | None:
    """Where the two words of "pickup" stand near each other: "pick it up"."""
    particle = next(one for one in _PARTICLES if option.endswith(one))
    verb = words.stem(option.removesuffix(particle).rstrip("-_ "))
    if len(verb) < 3 or verb not in text.stem_set:
        return None
    place = text.stems.index(verb)
    return place if particle in text.stems[place + 1 : place + 4] else None


@lru_cache(maxsize=4096)
def _parts_of(option: str) -> tuple[tuple[str, ...], str | None]:
    parts = tuple(words.stem(part) for part in words.name_words(option)) or (option.lower(),)
    return parts, words.UNITS.get(option.lower())


def _near(lower: str, parts: tuple[str, ...], text: Text) -> list[tuple[int, float]]:
    """Other spellings: joined words, beginnings ("mon" for Monday), and one letter wrong in a long word."""
    if len(lower) < 3:
        return []
    whole = "".join(parts)
    found: list[tuple[int, float]] = []
    for index, (token, _, _) in enumerate(text.tokens):
        written = token.lower()
        length = len(written)
        if length < 3 or written in words.PREPOSITIONS or written in words.ARTICLES:
            continue
        stem = text.stems[index]
        if len(parts) == 1 and (
            (len(lower) == 3 and length > 4 and written.startswith(lower) and written in words.CALENDAR)
            or (
                length > 3 and len(whole) > 4 and (stem.startswith(whole) or (whole.startswith(stem) and len(stem) > 3))
            )
        ):
            found.append((index, 8))
        elif length > 4 and abs(length - len(lower)) < 2 and written != lower and one_off(written, lower):
            found.append((index, 6))
        elif len(parts) > 1 and len(stem) > 3 and stem in parts and stem not in _VAGUE:
            found.append((index, 4 if stem == parts[-1] else 5))
    if not found and len(parts) > 1 and whole in "".join(token.lower() for token, _, _ in text.tokens):
        found.append((0, 6))
    return found


_VAGUE: Final = frozenset(words.stem(word) for word in "other type general order item service time date".split())


def one_off(one: str, other: str) -> bool:
    """Whether one letter more, less, other or swapped makes one word of the other."""
    start = 0
    least = min(len(one), len(other))
    while start < least and one[start] == other[start]:
        start += 1
    end = 0
    while end < least - start and one[-1 - end] == other[-1 - end]:
        end += 1
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    if max(len(left), len(right)) < 2 or (len(left) == 2 and left == right[::-1]):
        return True
    return len(one) == len(other) > 6 and sum(first != second for first, second in zip(one, other, strict=True)) < 3


_SWITCHED: Final = frozenset({"on", "enabl", "power", "activ", "state"})
_VERBS: Final = frozenset(words.stem(word) for word in words.STARTERS)


@lru_cache(maxsize=2048)
def _content(description: str) -> frozenset[str]:
    stems = {words.stem(word) for word in re.findall(r"[a-z]{4,}", description)}
    return frozenset(stems - _VERBS - _CUES - words.PREPOSITIONS - words.ARTICLES - _EMPTY - words.GENERAL_STEMS)


def _described(description: str, excluded: frozenset[str], text: Text) -> list[int]:
    """Where a text says what the short description of a property says: "a rush" for "rush processing"."""
    content = _content(description)
    if not content or len(content) > 4:
        return []
    told = content - excluded
    return [index for index, stem in enumerate(text.stems) if stem in told]


def _alike(stem: str, mine: str) -> bool:
    """Whether one word begins as the other: "invites" and "invitation", "anonymously" and "anonymous"."""
    least = min(len(stem), len(mine))
    return (least > 3 and stem.startswith(mine)) or (least > 4 and mine.startswith(stem))


_WITHOUT: Final = frozenset(words.stem(word) for word in "exclude skip no without omit hide ignore disable".split())
_LEAVING: Final = frozenset(
    "leave left leaving ignore ignoring hide drop omit omitted excluding excluded minus".split()
)
_EMPTY: Final = frozenset(
    words.stem(word)
    for word in """true false whether default when then them that this instead only also being been have must should
    would could same other optional value given person user people thing""".split()
)
_OUT: Final = frozenset({"off", "out", "disabl", "deactivat"})


def yes_or_no(
    one: Hint, text: Text, tool_stems: frozenset[str] = frozenset(), described: frozenset[str] = frozenset()
) -> bool | None:
    """What a text says of a boolean property; None where it says nothing.

    What the tool is called (`tool_stems`) and what it does say nothing of the property: "run" of `run_in_background`.
    """
    first = words.stem(words.name_words(one.name)[0]) if words.name_words(one.name) else ""
    if first in _WITHOUT:
        # "numbers left out" sets `exclude_numbers`.
        rest = one.stems - {first}
        for index, stem in enumerate(text.stems):
            if stem in rest:
                near = {token.lower() for token, _, _ in text.tokens[max(0, index - _REACH) : index + 4]}
                if near & (words.NEGATIONS | _LEAVING):
                    return True
    own = one.own - _CUES or one.own
    own = own - tool_stems - _VERBS or own - tool_stems or own
    heads = {mine[:4] for mine in own}
    hits: list[int] = []
    for index, stem in enumerate(text.stems):
        if stem in own or ENGLISH.get(stem) in own or (stem[:4] in heads and any(_alike(stem, mine) for mine in own)):
            hits.append(index)
    if not hits:
        hits = _described(one.description, described | tool_stems | one.stems, text)
        own = frozenset[str]()
    told = {text.stems[index] for index in hits}
    if not hits and own <= _SWITCHED and not text.stem_set.isdisjoint(_OUT):
        return False
    if not hits or (len(own) > 2 and len(told) < 2):
        return None
    index = hits[0]
    near = {token.lower().replace("’", "'") for token, _, _ in text.tokens[max(0, index - _REACH) : index + 3]}
    return not near & words.NEGATIONS
