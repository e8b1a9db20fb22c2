"""How well a value of the words fits a property: its kind, the words beside it, its unit, and its place in a pair."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from . import words
from .chunks import opens_sentence
from .hints import Hint
from .meanings import akin
from .phrases import following
from .tokens import Value
from .values import Text

CLEAR: Final = 28
"""An optional property is filled from this score on: its kind is right, or its own words stand beside the value."""
NUMERIC: Final = frozenset({"number", "percent", "money"})
_AT_MOST: Final = re.compile(
    r"(?:\b(?:no|not) (?:mor|more|abov|over|longer|later|higher|bigger)(?: than)?|"
    r"\bat (?:the )?most|\bup to|\bunder|\bbelow|"
    r"\b(?:less|fewer|cheaper|lower|shorter|smaller|younger|earlier) than|\bmax|"
    r"\bmaximum(?: of)?|\bwithin|\buntil|\btop)$"
)
_AT_LEAST: Final = re.compile(
    r"(?:\bat (?:the )?(?:least|last)|\b(?:no|not) (?:less|fewer|under|below)(?: than)?|"
    r"\bover|\babov|\babove|\bstart(?:ing)? (?:at|from)|"
    r"\b(?:mor|more|bigger|higher|longer|older|larger) than|\bmin|\bminimum(?: of)?|\bfrom)$"
)
_PERSONS: Final = frozenset(("handle", "owner", "called"))
_YEARS: Final = re.compile(r"(?:19|20)\d\d")
_OR_LESS: Final = re.compile(r"(?:\S+ )?(?:or (?:less|fewer|under|below|cheaper)|max|maximum|top|at most)\b")
_OR_MORE: Final = re.compile(r"(?:\S+ )?(?:or (?:mor|more|over|up|above|abov|better)|min|minimum|at least|plu)\b")
_NO_CODES: Final = frozenset(
    "email date datetime time language currency money percent topic saying place channel phone".split()
)
_MATTERS: Final = frozenset(
    words.stem(word)
    for word in """title substance species material food medicine medication drug ingredient hazard pest fault reason
    cause problem colour color size unit breed crop variety dish language""".split()
)
_NAMED: Final = frozenset(words.stem(word) for word in "title breed crop variety dish language".split())
_HYPHENED: Final = re.compile(r"[a-z]{2,}(?:-[a-z]{2,})+")
_PREFIX: Final = re.compile(r"([A-Za-z]{2,4})[-_]?\d")
_CELLS: Final = re.compile(r"[A-Z]{1,2}\d{1,4}:[A-Z]{1,2}\d{1,4}")
_DOCTORS: Final = frozenset(words.stem(word) for word in "doctor physician dentist vet surgeon therapist".split())
_NUMBERS_ONLY: Final = {"number": 0, "percent": 0, "money": 0}
_LABELS: Final = frozenset(words.stem(word) for word in "number no id nr ref reference code # member card".split())


_QUANTITIES: Final = frozenset(words.stem(word) for word in "copies count quantity qty amount times units".split())
_PEOPLE: Final = frozenset(
    words.stem(word) for word in "people guests party persons passengers adults travellers travelers seats size".split()
)
_TOLD: Final = frozenset(words.stem(word) for word in "tell text message ask ping remind inform notify warn".split())
_NUMBERED: Final = frozenset(
    words.stem(word)
    for word in """order invoice ticket booking reservation account customer policy tracking claim parcel shipment
    member patient employee contract case quote serial product flight batch lot room table hive project
    animal pet vehicle document asset device station machine site bin aisle shelf""".split()
)
_ASKING: Final = frozenset(words.stem(word) for word in "what what's how when where which who is are does do".split())
_TELLING: Final = frozenset("of is are to as from named called".split())


def scored(
    one: Hint, text: Text, tool_stems: frozenset[str] = frozenset(), described: frozenset[str] = frozenset()
) -> list[tuple[float, Value]]:
    """The values of `text` that a property may take.

    `tool_stems`: what the tool is called, which is no value. `described`: the words that describe it, seldom values.
    """
    numeric = not one.types.isdisjoint({"number", "integer"})
    only_numbers = numeric and "string" not in one.types
    found: list[tuple[float, Value]] = []
    label = one.own or one.stems - words.PREPOSITIONS
    word = following(text, label) if label and not only_numbers and "tail" not in one.kinds else None
    quoted = word is not None and text.text[word.start : word.start + 1] in ('"', "'", "“", "`")
    if word is not None and (quoted or not one.identifies or any(char.isdigit() for char in word.text)):
        score = _marked(one, word, text)
        plainly = word.kind == "word" and "id" in text.by_kind and not one.free
        found.append((min(score, 14.0) if plainly else score, word))
    # A language is no currency: "japanese yen".
    by_name = one.kinds.get("language", 0) >= 30 and "language" in text.by_kind
    recipient = one.kinds.get("email", 0) >= 22 and not numeric
    counts, titled = not one.own.isdisjoint(_QUANTITIES), "titl" in one.own
    denied = text.denied
    foreign = one.kinds.get("currency", 0) >= 22
    looked = (_NUMBERS_ONLY | one.kinds) if only_numbers else one.looked
    codes = not numeric and not one.free and one.own.isdisjoint(_MATTERS)
    codes = codes and not any(one.kinds.get(kind, 0) >= 22 for kind in _NO_CODES)
    weak = not one.free and not numeric
    matter = not (one.own & _MATTERS).issubset(_NAMED) and not one.free
    if numeric and one.own:
        # "the second floor"
        ordinals = text.by_kind.get("ordinal", ())
        found += [(32.0, value) for value in ordinals if value.after[:1] and value.after[0] in one.own]
    for kind, values in text.by_kind.items():
        if kind not in looked or (foreign and kind in ("language", "upper", "name")):
            continue
        for value in values:
            score = _numeric(one, value) if numeric and kind in NUMERIC else float(looked[kind])
            if kind == "number" and counts and not tool_stems.isdisjoint(value.after[:2]):
                # "4 A6 labels" of a tool that prints labels
                score = max(score, 30)
            if kind == "number" and not numeric and value.unit is None and len(value.text) > 4:
                score = max(score, 17.5)
            score += _beside(one, value) + _cued(one, value, text)
            if recipient and kind in NUMERIC:
                continue
            if recipient and kind == "name" and value.before[:1] and value.before[0] in _TOLD:
                score += 16
            if titled and kind in ("phrase", "object"):
                # A title says what is made, which stands before where and with whom.
                pointed = text.text[max(0, value.start - 5) : value.start].lower().endswith(("this ", "that "))
                score += -8 if pointed else 4 if kind == "object" else -4
            if value.start in denied:
                score -= 30
            if kind in ("phrase", "object", "name", "upper"):
                score += _worded(one, value, text, tool_stems, described)
            if kind in ("phrase", "object") and kind not in one.kinds and score < 40:
                score = min(score, 12 if "tail" not in one.kinds else 5)
            if kind in ("phrase", "object") and "tail" in one.kinds:
                score = min(score, 5)
            if kind == "quoted" and one.free:
                score += 6
            if kind == "number" and not numeric and one.kinds.get("time", 0) >= 16 and value.before[:1] == ("at",):
                score = 24 if value.unit not in words.MEASURES else 0
            if by_name and kind in ("phrase", "object", "name"):
                score = min(score, 12)
            if kind == "id" and codes:
                score = max(score, 25.0 if one.required else 17.0)
            elif (
                kind == "number" and codes and one.required and value.unit not in words.MEASURES and len(value.text) > 2
            ):
                score = max(score, 18.0)
            if kind == "id":
                score += _spelled(one, value)
            if kind == "name" and value.text.startswith(("Dr ", "Dr. ")) and one.own & _DOCTORS:
                score += 12
            if kind == "object" and weak and _is_weak(value):
                score = min(score, 8.0)
            if matter and kind in ("name", "object", "phrase"):
                score += 3 if value.text.islower() else -8
            if one.identifies:
                score = _identifying(one, value, score)
            if one.free and kind in ("name", "object", "phrase", "id", "upper", "path", "number", "owner"):
                score = min(score, 5)
            if score > 0:
                found.append((score - value.start * 0.002, value))
    return found


def _spelled(one: Hint, value: Value) -> float:
    """What the letters of a code say: "SK-20" is a `sku`, and "B2:D9" a range."""
    if _CELLS.fullmatch(value.text):
        return 12.0 if "rang" in one.own else 0.0
    prefix = _PREFIX.match(value.text)
    if prefix is None:
        return 0.0
    letters = prefix[1].lower()
    return 5.0 if any(_begins(letters, word) for word in words.name_words(one.name)) else 0.0


def _begins(letters: str, word: str) -> bool:
    """Whether a word begins with the first of the letters and has the others after it, in their order."""
    rest = iter(word.lower())
    return word[:1].lower() == letters[0] and all(letter in rest for letter in letters)


def _is_weak(value: Value) -> bool:
    """Whether a word by itself says how something is or what was done with it: "needed", "lovely"."""
    return value.text.islower() and value.text.endswith(("ed", "ly", "ing")) and value.text.isalpha()


def _marked(one: Hint, word: Value, text: Text) -> float:
    if one.free:
        return 0.0
    if word.kind == "marked":
        return 44.0
    # "the payments namespace needs": the label ends a phrase, so that what follows is no value of it.
    for chunk in (*text.by_kind.get("object", ()), *text.by_kind.get("phrase", ())):
        if chunk.start < word.start <= chunk.end and not text.text[chunk.start : word.start].strip().isspace():
            label = text.text[chunk.start : word.start].split()
            if len(label) > 1:
                return 12.0
    return 27.5 + (4 if one.required else 0)


def _numeric(one: Hint, value: Value) -> float:
    score = max(float(one.kinds.get(value.kind, 0)), 10.0)
    if value.unit is not None and words.stem(value.unit) in one.own:
        score += 24
    mine, theirs = words.MEASURES.get(one.unit or ""), words.MEASURES.get(value.unit or "")
    if mine is not None and theirs is not None:
        score += 22 if mine[0] == theirs[0] else -8
    elif one.unit is not None and value.kind == "number":
        score -= 1
    elif theirs is not None and theirs[0] == "time" and "number" not in one.kinds:
        score -= 6
    if "money" in one.kinds and not value.after:
        score += 6
    if value.after[:2] == ("of", "us") and one.own & _PEOPLE:
        score += 20
    if value.text.lower() == "one":
        score -= 4
    if value.before[:1] == ("to",) and not one.identifies:
        # "Set 7100 to 250"
        score += 3
    if _YEARS.fullmatch(value.text):
        score += 16 if "year" in one.stems else -6
    elif "year" in one.own and "s" not in one.name[-1:]:
        score -= 8
    if value.after and value.after[0] in one.own:
        score += 20
    elif len(value.after) > 1 and value.after[1] in one.own:
        score += 14
    if one.bound is not None or value.unit is not None:
        told = bound_of(value)
        if told is not None and one.bound is not None:
            score += 16 if told == one.bound else -30
    return score


def bound_of(value: Value) -> str | None:
    """ "min" or "max" where the words around a number make it a limit."""
    before = " ".join(reversed(value.before[:3]))
    if _AT_MOST.search(before) or (value.after and _OR_LESS.match(" ".join(value.after))):
        return "max"
    if _AT_LEAST.search(before) or (value.after and _OR_MORE.match(" ".join(value.after))):
        return "min"
    return None


def _beside(one: Hint, value: Value) -> float:
    if value.kind == "phrase":
        # "the title of X", but not "the clause against X".
        beside = value.before[: 2 if value.before and value.before[0] in _TELLING else 1]
    elif value.before[:1] == (",",):
        beside = value.after[:1]
    elif value.kind in ("object", "name"):
        brought = value.before[:1] != () and value.before[0] in words.PREPOSITIONS and value.before[0] not in _TELLING
        beside = value.before[: 1 if brought else 2]
    else:
        beside = (*value.before[:2], *value.after[:1])
    if one.own and not one.own.isdisjoint(beside):
        return 26
    if value.kind in ("quoted", "called", "id", "marked") and value.before and akin(one.name, value.before[:2]):
        # "The headline" is the title.
        return 14
    if not one.stems.isdisjoint(value.before[:1]):
        return 20
    return 0


def _counted(value: Value, text: Text) -> bool:
    """Whether a phrase is what a number counts, or what something is changed into: "120 swiss francs in euros"."""
    before = text.text[: value.start].rstrip()
    return before[-1:].isdigit() or (value.before[:1] != () and value.before[0] in ("in", "into", "to", "as"))


def _cued(one: Hint, value: Value, text: Text) -> float:
    before = words.stem(value.before[0]) if value.before else ""
    if before == "the" and value.kind == "name" and len(value.before) > 1:
        before = value.before[1]
    score = 8.0 if before in one.prepositions else 0.0
    if one.side is not None:
        if len(value.before) > 1 and before in one.stems:
            before = value.before[1]
        amount = value.kind in ("currency", "money") or (
            one.kinds.get("currency", 0) >= 22 and value.kind in ("phrase", "object") and _counted(value, text)
        )
        if amount and before == "many":
            # "how many francs do I get for one pound"
            score += 24 if one.side == "to" else -24
        elif amount and before in ("in", "into", "to", "as"):
            score += 24 if one.side == "to" else -20
        elif amount:
            score += 12 if one.side == "from" else -12
        elif before in words.SIDES[one.side]:
            score += 24
        elif before in ("from", "to", "into", "out"):
            score -= 20
        elif one.side == "from" and value.after[:1] == ("to",) and value.kind in ("time", "date", "number", "datetime"):
            # "08:30 to 09:15"
            score += 12
    if value.kind == "phrase" and before not in one.prepositions and before not in one.stems and one.prepositions:
        score -= 8
    return score


@lru_cache(maxsize=4096)
def _stems_in(text: str) -> tuple[str, ...]:
    return tuple(words.stem(word) for word in words.name_words(text))


def _worded(one: Hint, value: Value, text: Text, tool_stems: frozenset[str], described: frozenset[str]) -> float:
    """What the words of a phrase or a name say: the property's own word in it, or only what the tool is called."""
    stems = _stems_in(value.text)
    score = 0.0
    inner = one.own.intersection(stems)
    if stems and words.GENERAL_STEMS.issuperset(stems):
        score -= 12
    elif inner and words.GENERAL_STEMS.union(inner).issuperset(stems):
        score -= 14
    elif inner and len(inner) < len(stems):
        score += 22
    elif inner:
        score -= 14
    elif stems and tool_stems.issuperset(stems):
        score -= 12
    elif stems and value.text.islower() and described.issuperset(stems):
        score -= 9
    if value.kind == "phrase" and words.singular_unit(value.text) in words.MEASURES:
        score -= 8
    if value.text.istitle() and " " in value.text and "place" not in one.kinds:
        score += 4
    if value.kind == "name" and value.text[-1].isdigit() and not _PERSONS & one.kinds.keys():
        score += 2
    if value.kind in ("name", "upper") and opens_sentence(text, value):
        score -= 14
    if "owner" in one.kinds and value.text.istitle() and " " in value.text:
        score += 12
    inside = value.text[1:] if value.kind == "object" else value.text
    if value.kind in ("phrase", "object"):
        if any(char.isdigit() or char.isupper() for char in inside):
            score += 2
        if "-" in inside:
            # "june-news" is what something is called.
            score += 8 if _HYPHENED.fullmatch(value.text) else 2
        if value.kind == "object" and one.kinds.get("object") == 16 and text.stems[:1] and text.stems[0] in _ASKING:
            # "What is the boiling point of acetone?": what is asked for is not the thing that it is asked of.
            score -= 3
        if any(len(mine) > 3 and stem != mine and stem.endswith(mine) for stem in stems for mine in one.own):
            score += 10
    return score


def _identifying(one: Hint, value: Value, score: float) -> float:
    """An id has digits; a bare number is one where it is called so, or where it is long and counts nothing."""
    if not any(char.isdigit() for char in value.text):
        return min(score, 10)
    before = [word for word in value.before[:5] if word not in _LABELS and word not in _TELLING and word != "'s"]
    if one.own and before and before[0] in _NUMBERED and not one.own & {before[0]} and one.own & _NUMBERED:
        # An order's number is no tracking number.
        return min(score, 4)
    if value.kind == "id":
        return score
    if value.kind in ("number", "phone"):
        labelled = bool(value.before) and (value.before[0] in one.own or value.before[0] in _LABELS)
        if labelled:
            return max(score, 30)
        digits = sum(char.isdigit() for char in value.text)
        if one.kinds.get("phone", 0) >= 30 and digits < 5:
            return 0
        counts = bool(value.after) and value.unit is not None and value.unit not in words.PREPOSITIONS
        if digits >= 3 and not (counts and value.unit in words.MEASURES):
            return max(score, 24)
        return min(score, 9)
    if value.kind in ("date", "time", "datetime", "money", "percent"):
        return 0
    return min(score, 16)
