"""More values than one call has room for: one ask for each call that they fill, however they are strung together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from understudy.engines.simulator.choosing.profiles import Profile
from understudy.engines.simulator.choosing.stems import stem
from understudy.engines.simulator.choosing.words import Token

_MOST = 8
_LONGEST = 1_200
# What stands between two values that are told of one after the other.
_LINK = re.compile(r"\s*(?:,|;|\.(?=\s)|&|\?|\b(?:and|or|plus|und|et|y|e|a|oder|ou|o)\b)\s*", re.IGNORECASE)
_BARE = re.compile(
    r"^\W*(?:(?:and|or|plus|also|both|und|et|y|oder|ou|in|on|at|of|for|from|to|into|with|the|a|an|my|our|number|no|not)\b\W*)*$",
    re.IGNORECASE,
)
_SPAN = re.compile(r"\b(?:from|between|until|till|through|up to)\b|\bto\b(?=\W*$)|[-–]\s*$", re.IGNORECASE)
_EACH = re.compile(r"(?: [^\W\d_]+){0,2} (?:each|apiece|both)\b", re.IGNORECASE)
_COPIED = frozenset(("cc", "bcc"))
_TITLES = frozenset("mr mrs ms dr prof st".split())
_CODES = frozenset(("id", "code"))
_AMOUNTS = frozenset(("number", "money"))
_FREE = frozenset(
    stem(word)
    for word in "text message body content note description comment reason subject details query question topic "
    "summary remark remarks instructions prompt title findings".split()
)


@dataclass(frozen=True, slots=True)
class Told:
    """A value of the text: what sort of parameter takes it, and where it stands."""

    sort: str
    start: int
    end: int


def asks_by_slots(text: str, tokens: Sequence[Token], profile: Profile, *, surely: bool = False) -> list[str]:
    """One text for each call; just the text where its values all have room in one.

    `surely`: values of two sorts must be as many.
    """
    if len(text) > _LONGEST or any(parameter.array for parameter in profile.parameters):
        return [text]
    told = _told(text, tokens, profile)
    room = _room(told, profile)
    rows: dict[str, list[list[Told]]] = {}
    for sort, most in room.items():
        values = [value for value in told if value.sort == sort]
        many = len(values) // most
        if 2 <= many <= _MOST and len(values) % most == 0:
            calls = [values[place : place + most] for place in range(0, len(values), most)]
            if _is_row(text, calls):
                rows[sort] = calls
    best: list[list[Told]] = []
    for sort, calls in rows.items():
        agreeing = sum(len(other) == len(calls) for other in rows.values())
        if surely and agreeing < 2:
            continue
        if len(calls) > len(best) and (
            agreeing > 1 or sort == "code" or _is_bare(text, calls) or _labelled(text, calls)
        ):
            best = calls
    return _parted(text, tokens, told, best) if best else [text]


def fits_one_call(text: str, tokens: Sequence[Token], profile: Profile) -> bool:
    """Whether one call has room for all that is told, as far as its values tell."""
    if len(text) > _LONGEST:
        return False
    told = _told(text, tokens, profile)
    room = _room(told, profile)
    return bool(told) and all(
        sum(value.sort == sort for value in told) <= room.get(sort, 0) for sort in {value.sort for value in told}
    )


def _told(text: str, tokens: Sequence[Token], profile: Profile) -> list[Told]:
    found: list[Told] = []
    for token in tokens:
        sort = (
            "code"
            if token.kind in _CODES
            else "amount"
            if token.kind in _AMOUNTS and any(sign.isdigit() for sign in token.text)
            else token.kind
        )
        if (
            sort not in {"code", "amount", "name", "date", "time", "email", "url", "path", "quoted"}
            or token.low == "one"
        ):
            continue
        if sort == "amount" and _EACH.match(text, token.end):
            # What each of them gets is no value more.
            continue
        last = found[-1] if found else None
        if (
            last is not None
            and last.sort == "name"
            and sort in {"name", "amount"}
            and text[last.end : token.start] == " "
        ):
            # "Oak Hill", "Mill Street 3"
            found[-1] = Told("name", last.start, token.end)
            continue
        if sort == "name" and (token.low in _TITLES or any(token.low in one.enum for one in profile.parameters)):
            continue
        found.append(Told(sort, token.start, token.end))
    for number, parameter in enumerate(profile.parameters):
        for value in parameter.enum:
            pattern = (
                rf"(?<![\w-]){re.escape(value)}(?![\w])"
                if value.isalnum()
                else rf"(?<!\S){re.escape(value)}(?=[\s,?.!]|$)"
            )
            found += [
                Told(f"option {number}", match.start(), match.end())
                for match in re.finditer(pattern, text, re.IGNORECASE)
            ]
    return sorted(found, key=lambda value: value.start)


def _room(told: list[Told], profile: Profile) -> dict[str, int]:
    """How many values of each sort one call takes."""
    sorts = {value.sort for value in told}
    codes = sum(value.sort == "code" for value in told)
    required = profile.required
    things = [one for one in required if one.kind in {"id", "text", "place"} and not one.stems & _FREE]
    ids = sum(one.kind == "id" for one in things)
    room: dict[str, int] = {}
    if "code" in sorts:
        room["code"] = max(ids, min(len(things), 1))
    if "amount" in sorts:
        room["amount"] = sum(one.kind == "number" for one in profile.parameters) + (0 if codes else ids)
    if "name" in sorts:
        texts = [one for one in profile.parameters if one.kind in {"text", "place"} and not one.stems & _FREE]
        room["name"] = max(len(texts) - (1 if codes and not ids else 0), min(1, len(texts)))
    for sort, kinds in (
        ("date", ("date",)),
        ("time", ("time", "date")),
        ("email", ("email",)),
        ("url", ("url",)),
        ("path", ("path",)),
    ):
        if sort in sorts:
            room[sort] = sum(one.kind in kinds and not _COPIED & one.stems for one in profile.parameters)
            if not room[sort] and sort in {"email", "url", "path"} and not codes:
                room[sort] = min(1, len(things))
    room |= {sort: 1 for sort in sorts if sort.startswith("option")}
    return {sort: most for sort, most in room.items() if most > 0}


def _is_row(text: str, calls: list[list[Told]]) -> bool:
    """Whether the values are told of one after the other, and no two are the ends of a span."""
    if len({text[value.start : value.end].lower() for call in calls for value in call}) < len(calls):
        return False
    for one, other in pairwise(calls):
        between = text[one[-1].end : other[0].start]
        if not _LINK.search(between) or (_SPAN.search(between) and one[0].sort in {"date", "time"}):
            return False
    return True


def _is_bare(text: str, calls: list[list[Told]]) -> bool:
    """Whether nothing but little words stands between values that are one to a call."""
    return all(len(call) == 1 for call in calls) and all(
        _BARE.match(text[one[-1].end : other[0].start]) for one, other in pairwise(calls)
    )


def _labelled(text: str, calls: list[list[Told]]) -> bool:
    """Whether the same word stands before, or after, the first value of each call: "kiln 1 …, kiln 2 …"."""
    before = {text[: call[0].start].rstrip().rpartition(" ")[2].lower() for call in calls}
    after = {text[call[0].end :].lstrip().partition(" ")[0].lower().strip(".,;?!") for call in calls}
    return any(len(words) == 1 and min(map(len, words)) > 1 for words in (before, after))


def _parted(text: str, tokens: Sequence[Token], told: list[Told], calls: list[list[Told]]) -> list[str]:
    gaps = [text[one[-1].end : other[0].start] for one, other in pairwise(calls)]
    if _is_bare(text, calls):
        begin, end = calls[0][0].start, calls[-1][0].end
        return [text[:begin] + text[call[0].start : call[0].end] + text[end:] for call in calls]
    cuts = [0]
    for one, gap in zip(calls, gaps, strict=False):
        links = list(_LINK.finditer(gap))
        # The words before a value go with it, unless they end a sentence.
        cuts.append(one[-1].end + links[-1].end() if links else one[-1].end)
    cuts.append(len(text))
    pieces = [text[begin:end].strip(" ,;") for begin, end in pairwise(cuts)]
    pieces = [re.sub(r"(?:,|\s(?:and|or|plus|und|et|y|oder))\s*$", "", piece) for piece in pieces]
    first = min((value.start for value in told), default=0)
    lead = text[:first]
    words = [
        {token.low for token in tokens if begin <= token.start < end and not token.kind and not token.stop}
        for begin, end in pairwise(cuts)
    ]
    asks = [pieces[0]]
    for number in range(1, len(pieces)):
        inside = [value for value in told if cuts[number] <= value.start < cuts[number + 1]]
        there = [value for value in told if value.start < cuts[1]]
        filled = _filled(text[: cuts[1]], there, text, inside) if words[number] <= words[0] else ""
        filled = re.sub(r"(?:,|\s(?:and|or|plus|und|et|y|oder))\s*$", "", filled)
        asks.append(filled or f"{_without_tail(lead, pieces[number])}{pieces[number]}")
    return asks


def _filled(template: str, there: list[Told], text: str, inside: list[Told]) -> str:
    """The first piece with the values of a later one in the place of its own, sort by sort."""
    left = list(inside)
    made = ""
    place = 0
    for value in there:
        other = next((one for one in left if one.sort == value.sort), None)
        if other is None or value.start < place:
            continue
        left.remove(other)
        made += template[place : value.start] + text[other.start : other.end]
        place = value.end
    return "" if left or not place else made + template[place:]


def _without_tail(lead: str, piece: str) -> str:
    """What leads to the first value, without the little words that the piece has itself."""
    words = lead.split(" ")
    first = piece.split(" ")[0].lower()
    while words and words[-1] == "":
        words.pop()
    if (words and not first[:1].isdigit() and _BARE.match(words[-1])) or (words and words[-1].lower() == first):
        words.pop()
    return " ".join(words) + " " if words else ""
