"""What an earlier text says about a property: a result's fields, or the part of it that the ask points at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias, cast

import orjson

from . import words
from .hints import Hint
from .phrases import following
from .tokens import Value
from .values import MOST_READ, read_text

_MOST_RECORDS: Final = 60
_MOST_SOUGHT: Final = 256
_SPLIT: Final = re.compile(r"\n+|;\s+|,\s+(?![^(]*\))|(?<=[.!?])\s+")
_MARKER: Final = re.compile(r"^(?:\d{1,2}[.)]|[-*•])\s+")
_NUMBERED: Final = re.compile(r"(?i)(?:\b(?:option|number|no\.?|nr\.?|choice)\s|#)(\d)\b")
_PLACES: Final = {
    "primero": 0, "primera": 0, "segundo": 1, "segunda": 1, "última": -1, "último": -1, "erste": 0, "ersten": 0,
    "zweite": 1, "zweiten": 1, "letzte": -1, "letzten": -1, "première": 0, "premier": 0, "deuxième": 1, "dernier": -1,
    "first": 0, "1st": 0, "top": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "last": -1,
}  # fmt: skip
_LEAST: Final = frozenset(
    "cheapest lowest least smallest earliest soonest nearest closest shortest fastest oldest".split()
)
_MOST: Final = frozenset("highest largest biggest latest newest longest best priciest dearest most".split())


@dataclass(frozen=True, slots=True)
class Record:
    """One thing that a text tells of: its fields by the stems of their names, where it has some, and its words."""

    fields: tuple[tuple[frozenset[str], Any], ...]
    text: str
    stems: frozenset[str]


def recalled(
    one: Hint,
    text: str,
    ask: str,
    converted: Callable[[Hint, Value], Any],
    missing: object,
    *,
    points: bool = False,
    weakly: bool = False,
) -> Any:
    """The value that `text` gives for a property; of several things it tells of, that which the ask points at.

    `points`: the ask points at what this property takes. `weakly`: a value of the right kind is enough, else a field
    or a word must say that it is the property's.
    """
    read = text[:MOST_READ]
    records = records_of(read)
    if not records:
        return missing
    wanted = _wanted(one, weakly)
    sought = _sought(one)
    tells = _tells(read, records, sought, wanted)
    if not tells and not points and not _tells(read, records, sought, _wanted(one, True)):
        return missing
    pointed, surely = _pointed(read, ask)
    for record in pointed if tells else pointed[:surely]:
        kinds = _wanted(one, True) if surely and record is pointed[0] else wanted
        for value in _candidates(sought, record, kinds):
            found = converted(one, value)
            if found is not missing:
                return found
    best = max(one.kinds, key=lambda kind: one.kinds[kind]) if one.kinds else ""
    if points and one.types <= {"string"} and not one.identifies and best not in _TYPED:
        first = pointed[0]
        named = next((value for stems, value in first.fields if stems & {"nam", "name", "titl"}), None)
        said = named if named is not None else first.text if not first.fields else None
        if not first.fields and len(records) > 1 and isinstance(said, str):
            head = said.split(maxsplit=1)[0] if said.strip() else said
            said = head if any(char in head for char in "-_0123456789") else said
        if (
            isinstance(said, str)
            and said.count(" ") < 6
            and len(said) > 2
            and (first.fields or len(records) > 1 or text.lstrip()[:1] == "[")
        ):
            return converted(one, _as_value(said.strip(" .-*•")))
    return missing


@lru_cache(maxsize=64)
def records_of(text: str) -> tuple[Record, ...]:
    stripped = text.strip()
    if stripped[:1] in "[{":
        try:
            return tuple(_of_json(orjson.loads(stripped)))[:_MOST_RECORDS]
        except orjson.JSONDecodeError:
            pass
    parts = [_MARKER.sub("", part) for part in _parts(stripped)][:_MOST_RECORDS]
    return tuple(Record((), part, read_text(part).stem_set) for part in parts if part)


def _parts(text: str) -> list[str]:
    """Lines of a list, else what semicolons part, else what commas and sentences part."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    if len(lines) > 1 and sum(_MARKER.match(line) is not None for line in lines) > 1:
        return lines
    parts = [part.strip() for part in text.split("; ")]
    if len(lines) == 1 and len(parts) > 1:
        return parts
    return [part.strip() for part in _SPLIT.split(text)]


def _of_json(value: Any, depth: int = 0) -> Iterator[Record]:
    if depth > 6:
        return
    if isinstance(value, list):
        for item in cast("list[Any]", value)[:_MOST_RECORDS]:
            if isinstance(item, (dict, list)):
                yield from _of_json(item, depth + 1)
            else:
                yield Record((), str(item), read_text(str(item)).stem_set)
    elif isinstance(value, dict):
        fields: list[tuple[frozenset[str], Any]] = []
        inner: list[Any] = []
        said: list[str] = []
        for name, part in cast("dict[str, Any]", value).items():
            stems = frozenset(words.stem(word) for word in words.name_words(name))
            if isinstance(part, list):
                items = cast("list[Any]", part)
                if any(isinstance(item, dict) for item in items):
                    inner.append(items)
                continue
            if isinstance(part, dict):
                for other, leaf in cast("dict[str, Any]", part).items():
                    if isinstance(leaf, (str, int, float)):
                        more = frozenset(words.stem(word) for word in words.name_words(other))
                        fields.append((stems | more, leaf))
                        said.append(str(leaf))
                continue
            fields.append((stems, part))
            said.append(str(cast("object", part))[:300])
        if fields:
            whole = " ".join(said)
            yield Record(tuple(fields), whole, read_text(whole).stem_set)
        for part in inner:
            yield from _of_json(part, depth + 1)


# Asked for every property of a call, of the same few texts.
@lru_cache(maxsize=64)
def _pointed(told: str, ask: str) -> tuple[tuple[Record, ...], bool]:
    """The records of a text, the one that the ask points at first, and whether it surely is that one."""
    records = records_of(told)
    if len(records) == 1:
        return records, False
    text = read_text(ask)
    said = {token.lower() for token, _, _ in text.tokens}
    order = list(range(len(records)))
    share = [0.0] * len(records)
    telling = {stem for stem in text.stem_set if len(stem) > 2 and stem not in words.PREPOSITIONS}
    for stem in telling:
        has = speaking_of(stem, _places(told))
        if has and len(has) < len(records):
            for place in has:
                share[place] += 1 / len(has)
    for value in text.values:
        if value.kind in _TELLING and len(value.text) > 1:
            has = [place for place in order if value.text in records[place].text]
            if has and len(has) < len(records):
                for place in has:
                    share[place] += 2 / len(has)
    order.sort(key=lambda place: -share[place])
    least, most = not said.isdisjoint(_LEAST), not said.isdisjoint(_MOST)
    if least or most:
        sizes = {place: _size(record, said) for place, record in enumerate(records)}
        known = [place for place in order if sizes[place] is not None]
        if known:
            known.sort(key=lambda place: cast("float", sizes[place]), reverse=most and "expensive" not in said)
            if "expensive" in said and "most" in said:
                known.reverse()
            return tuple([records[place] for place in known]), True
    for word, index in _PLACES.items():
        if (
            word in said
            and (text.text.lower().find(word + " one") >= 0 or not any(share))
            and -1 <= index < len(records)
        ):
            chosen = records[index]
            return (chosen, *(record for record in records if record is not chosen)), True
    numbered = _NUMBERED.search(ask)
    if numbered is not None and not any(share) and 0 < int(numbered[1]) <= len(records):
        chosen = records[int(numbered[1]) - 1]
        return (chosen, *(record for record in records if record is not chosen)), True
    return tuple([records[place] for place in order]), share[order[0]] > 0.9 and share[order[0]] > share[order[1]]


Places: TypeAlias = dict[str, dict[str, list[int]]]
"""The records, by number, that have a stem; the stems by their first three letters."""


@lru_cache(maxsize=64)
def _places(told: str) -> Places:
    return places_of([record.stems for record in records_of(told)])


def places_of(stems_of_records: Iterable[frozenset[str]]) -> Places:
    found: Places = {}
    for place, stems in enumerate(stems_of_records):
        for stem in stems:
            found.setdefault(stem[:3], {}).setdefault(stem, []).append(place)
    return found


def speaking_of(stem: str, places: Places) -> set[int]:
    """The records that have the stem, or one of which either begins with the other: those share their beginning."""
    found: set[int] = set()
    for mine, having in places.get(stem[:3], {}).items():
        alike = len(mine) > 2 and len(stem) > 3 and (stem.startswith(mine) or mine.startswith(stem))
        if alike or mine == stem:
            found.update(having)
    return found


def _size(record: Record, said: set[str]) -> float | None:
    for stems, value in record.fields:
        if isinstance(value, (int, float)) and not isinstance(value, bool) and "id" not in stems:
            return float(value)
    for stems, value in record.fields:
        if isinstance(value, str) and value[:4].isdigit() and "id" not in stems and "-" in value:
            digits = re.sub(r"\D", "", value)[:12]
            return float(digits)
    if record.fields:
        return None
    sizes = [value.number for value in read_text(record.text).values if value.number is not None]
    return sizes[0] if sizes else None


class _Sought(NamedTuple):
    """What of a property says which values of a record may be its own."""

    stems: frozenset[str]
    own: frozenset[str]
    identifies: bool
    mails: bool
    named: bool


def _sought(one: Hint) -> _Sought:
    named = one.required and not one.identifies and one.kinds.get("name", 0) >= 16
    return _Sought(one.stems, one.own, one.identifies, one.kinds.get("email", 0) >= 22, named)


_Wanted: TypeAlias = tuple[str, ...]


# An agent's history is the same in each of its requests, and most of it tells nothing of a property.
@lru_cache(maxsize=64)
def _telling(told: str) -> dict[tuple[_Sought, _Wanted], bool]:
    """For the text, by what is sought, whether it tells; filled as it is asked for."""
    del told
    return {}


def _tells(told: str, records: tuple[Record, ...], sought: _Sought, wanted: _Wanted) -> bool:
    """Whether any record of the text has a value that may be the property's."""
    known = _telling(told)
    found = known.get((sought, wanted))
    if found is None:
        found = any(True for record in records for _ in _candidates(sought, record, wanted))
        if len(known) < _MOST_SOUGHT:
            known[sought, wanted] = found
    return found


def _candidates(sought: _Sought, record: Record, wanted: _Wanted) -> Iterator[Value]:
    """The values of a record that may be the property's, the likeliest first."""
    if not record.fields:
        yield from _said(sought, record, wanted)
        return
    ranked: list[tuple[int, Any]] = []
    for stems, value in record.fields:
        if value is None or isinstance(value, (list, dict, bool)):
            continue
        rank = _agreement(sought, stems)
        if rank:
            ranked.append((rank, value))
    for _, value in sorted(ranked, key=lambda row: -row[0]):
        yield _as_value(value)


def _agreement(one: _Sought, stems: frozenset[str]) -> int:
    """How well a field's name is that of the property; 0 where it is another one's."""
    if stems == one.stems:
        return 9
    if one.own and one.own == stems - _NAMING:
        return 7
    if one.identifies and not stems.isdisjoint(_NAMING) and one.own and one.own <= stems:
        return 6
    if one.identifies and stems <= _NAMING:
        return 5 if "id" in stems else 4
    if one.own and one.own <= stems and not one.identifies:
        return 4
    if stems and stems <= one.own:
        return 3
    if "email" in stems and one.mails:
        return 3
    if one.named and stems == _NAME:
        return 1
    return 0


_NAME: Final = frozenset({"name"})
_NAMING: Final = frozenset(
    words.stem(word) for word in "id number no code key ref reference sku identifier uuid".split()
)


def _as_value(value: Any) -> Value:
    text = str(value)
    number = value if isinstance(value, (int, float)) else None
    return Value("pair", text, 0, len(text), number=number)


@lru_cache(maxsize=1024)
def _stems_of(name: str) -> frozenset[str]:
    return frozenset([words.stem(part) for part in words.name_words(name)])


def _wanted(one: Hint, weakly: bool) -> tuple[str, ...]:
    """Kinds of values that are the property's though nothing in a text says so, the likeliest first."""
    if not one.types.isdisjoint({"integer", "number"}):
        return ("number",) if one.identifies or (one.required and weakly) else ()
    if one.identifies:
        return ("id",)
    kinds = [kind for kind in one.kinds if kind in _TYPED and (weakly or kind in ("email", "url", "path"))]
    return tuple(sorted(kinds, key=lambda kind: -one.kinds[kind]))


def _said(one: _Sought, record: Record, wanted: _Wanted) -> Iterator[Value]:
    """`wanted`: kinds of values that are the property's though nothing says so."""
    text = read_text(record.text)
    for pair in text.pairs:
        if _agreement(one, pair.stems) > 3:
            yield Value("pair", pair.text, pair.start, pair.end)
    word = following(text, one.own or one.stems - words.PREPOSITIONS)
    if word is not None and (word.kind == "marked" or not one.identifies):
        yield word
    for kind in ("object", "phrase") if one.own and not one.identifies else ():
        for value in text.by_kind.get(kind, ()):
            stems = _stems_of(value.text)
            if one.own & stems and stems - one.own:
                yield value
    for kind in wanted:
        for value in text.by_kind.get(kind, ()):
            if one.identifies and value.before[:1] and value.before[0] in _PLACED - one.own:
                continue
            yield value


_PLACED: Final = frozenset(words.stem(word) for word in "bin aisle shelf room table seat platform gate floor".split())
_TELLING: Final = frozenset("time date datetime id money quoted email path name".split())


_TYPED: Final = frozenset("email url path date datetime time phone ip".split())
