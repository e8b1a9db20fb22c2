"""The best one-to-one choice of values for the properties of one object."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from . import words
from .chunks import opens_sentence
from .hints import Hint
from .making import MISSING
from .merging import Schema
from .scores import CLEAR, NUMERIC, scored
from .tokens import Value
from .values import Text, read_text

Span = tuple[int, int]
_NAMES: Final = frozenset(("name", "nam"))
_FIRST_NAMES: Final = frozenset(("first", "given", "forenam"))
_LAST_NAMES: Final = frozenset(("last", "family"))


class Assignment:
    """Gives the values of a text to the properties that want one; what is chosen goes into `filled`.

    `named` are the spans that members of enums are named in, `taken` those of the values that are given away. What is
    said to others stands in `sayings`: only what must be given may be looked for in it.
    """

    def __init__(
        self,
        hints: list[Hint],
        wanted: list[Hint],
        text: Text,
        convert: Callable[[Hint, Value], Any],
        filled: Schema,
        named: list[Span],
        tool_stems: frozenset[str],
        head: int = 1 << 30,
        described: frozenset[str] = frozenset(),
        others: frozenset[str] = frozenset(),
    ) -> None:
        self.wanted = wanted
        self.text = text
        self.convert = convert
        self.filled = filled
        self.named = named
        self.taken: list[Span] = []
        self.sayings: list[Span] = []
        self.head = head
        self.others = others
        rows = _without_others(hints, wanted, [scored(one, text, tool_stems, described) for one in wanted], others)
        rows = [[pair for pair in row if not within(pair[1], named)] for row in rows]
        if sum(not {"date", "datetime", "time"}.isdisjoint(_best(one)) for one in hints) > 1:
            # A day and a time that go to two properties are no moment of one.
            rows = [
                [pair for pair in row if not _is_moment(pair[1]) or one.schema.get("format") == "date-time"]
                for one, row in zip(wanted, rows, strict=True)
            ]
        self.rows = rows

    def missing(self) -> list[Hint]:
        """What must be given and is not yet."""
        return [one for one in self.wanted if one.name not in self.filled and one.required]

    def unsure(self) -> list[Hint]:
        """What must be given and for which nothing but plain words stands in the text."""
        return [
            one
            for one, row in zip(self.wanted, self.rows, strict=True)
            if one.required
            and one.name not in self.filled
            and not one.free
            and all(value.kind in ("word", "object", "phrase", "name") for _, value in row)
        ]

    def assign(self, least: float, *, counting: bool = False) -> None:
        """Best pairs first; a value serves once while other values fit."""
        table: list[tuple[float, int, Value]] = []
        # Where nothing must be given, the best of what may be given is meant.
        clear = CLEAR - 1 if any(one.required for one in self.wanted) else CLEAR - 7
        for index, one in enumerate(self.wanted):
            if counting and (one.identifies or "string" in one.types):
                continue
            if one.name not in self.filled:
                table += [
                    (score + (4 if one.required else 0), index, value)
                    for score, value in self.rows[index]
                    if (score >= least if one.required else score >= clear)
                ]
        # What is asked now goes before what was asked before.
        table.sort(key=lambda row: (-row[0] - (8 if row[2].start < self.head < 1 << 30 else 0), row[1], row[2].start))
        for _, index, value in table:
            one = self.wanted[index]
            if one.name in self.filled:
                continue
            # "250 EUR" is an amount and, for another property, a currency.
            shared = value.kind == "headline" or (value.kind == "money" and "currency" in one.kinds)
            if not shared and overlaps(value, self.taken):
                continue
            if not one.required and within(value, self.sayings):
                continue
            made = self.convert(one, value)
            if made is MISSING or (one.side is not None and value.kind == "currency" and self._other_end(one, made)):
                continue
            self.filled[one.name] = made
            if value.kind == "saying":
                self.sayings.append((value.start, value.end))
            elif not shared:
                self.taken.append((value.start, value.end))

    def _other_end(self, one: Hint, made: object) -> bool:
        """Whether the other end of a pair has this value already: "Swiss francs (CHF)" names one currency twice."""
        return any(other.side not in (None, one.side) and self.filled.get(other.name) == made for other in self.wanted)

    def only_number(self) -> None:
        """Numbers that nothing took go to what must have one; a single one to the only property that takes numbers."""
        for one in self.missing():
            if one.types.isdisjoint({"number", "integer"}) or "string" in one.types:
                continue
            for value in self.text.values:
                if value.kind in NUMERIC and not overlaps(value, self.taken):
                    found = self.convert(one, value)
                    if found is not MISSING:
                        self.filled[one.name] = found
                        self.taken.append((value.start, value.end))
                        break
        open_ones = [
            one
            for one in self.wanted
            if one.name not in self.filled
            and not one.types.isdisjoint({"number", "integer"})
            and "default" not in one.schema
        ]
        left = [value for value in self.text.values if value.kind in NUMERIC and not overlaps(value, self.taken)]
        left = [
            value for value in left if value.start not in self.text.denied and self.others.isdisjoint(value.after[:1])
        ]
        if len(open_ones) == 1 and len(left) == 1:
            number = self.convert(open_ones[0], left[0])
            if number is not MISSING:
                self.filled[open_ones[0].name] = number

    def only_name(self) -> None:
        """One name that nothing took and one property that takes names belong together."""
        open_ones = [
            one
            for one in self.wanted
            if one.name not in self.filled and one.kinds.get("name", 0) >= 16 and not one.free
        ]
        left = [
            value
            for value in self.text.by_kind.get("name", ())
            if not overlaps(value, [*self.taken, *self.named]) and not opens_sentence(self.text, value)
        ]
        if len(open_ones) == 1 and len(left) == 1:
            name = self.convert(open_ones[0], left[0])
            if name is not MISSING:
                self.filled[open_ones[0].name] = name

    def one_day(self) -> None:
        """One day is the first and the last of a span."""
        days = [value for value in self.text.values if value.kind == "date"]
        if len(days) != 1:
            return
        ends = [one for one in self.wanted if one.side is not None and one.required and one.kinds.get("date", 0) >= 20]
        told = next((self.filled[one.name] for one in ends if one.name in self.filled), None)
        for one in ends:
            if told is not None:
                self.filled.setdefault(one.name, told)

    def first_and_last(self) -> None:
        """A person's name is parted where its parts have properties of their own."""
        firsts = [one for one in self.wanted if one.stems & _FIRST_NAMES and one.stems & _NAMES]
        lasts = [
            one for one in self.wanted if (one.stems & _LAST_NAMES and one.stems & _NAMES) or "surnam" in one.stems
        ]
        if len(firsts) != 1 or len(lasts) != 1:
            return
        for value in self.text.by_kind.get("name", ()):
            parts = value.text.split()
            if len(parts) > 1 and not any(char.isdigit() for char in value.text):
                self.filled[firsts[0].name], self.filled[lasts[0].name] = " ".join(parts[:-1]), parts[-1]
                self.taken.append((value.start, value.end))
                return

    def owner_and_name(self, texts: Sequence[str]) -> None:
        """Two properties for what is written as one path of two steps: `owner/name`."""
        owners = [one for one in self.wanted if one.stems & {"owner", "org", "organization", "namespac"}]
        names = [one for one in self.wanted if one.stems & {"repo", "repository", "project"}]
        if len(owners) != 1 or len(names) != 1:
            return
        for other in (self.text, *map(read_text, texts)):
            for value in other.by_kind.get("path", ()):
                steps = value.text.split("/")
                if len(steps) == 2 and all(steps) and "." not in steps[1]:
                    self.filled[owners[0].name], self.filled[names[0].name] = steps
                    return


def _is_moment(value: Value) -> bool:
    return value.kind == "moment" or (value.kind == "datetime" and " " in value.text)


def overlaps(value: Value, spans: list[Span]) -> bool:
    return any(value.start < end and start < value.end for start, end in spans)


def within(value: Value, spans: list[Span]) -> bool:
    return any(start <= value.start and value.end <= end for start, end in spans)


def _best(one: Hint) -> list[str]:
    """The kinds that a property takes before others."""
    return [kind for kind, score in one.kinds.items() if score >= 28]


def _without_others(
    hints: list[Hint], wanted: list[Hint], rows: list[list[tuple[float, Value]]], others: frozenset[str]
) -> list[list[tuple[float, Value]]]:
    """The rows with less for values that stand beside the word of another property: "board 2" is no round."""
    known = dict.fromkeys(others, "") | {stem: one.name for one in hints for stem in one.own}
    for one in wanted:
        known |= dict.fromkeys(one.own, one.name)
    lessened: list[list[tuple[float, Value]]] = []
    for one, row in zip(wanted, rows, strict=True):
        kept: list[tuple[float, Value]] = []
        for score, value in row:
            label = value.before[0] if value.before else ""
            if value.kind in ("word", "object", "phrase"):
                stems = {words.stem(word) for word in words.name_words(value.text)}
                if stems and stems <= known.keys() and one.own.isdisjoint(stems):
                    continue
            if value.kind not in ("phrase", "saying", "called") and label not in one.own and label in known:
                score -= 12
            elif value.kind in NUMERIC and value.after[:1] and value.after[0] in others - one.own:
                # "at least two bedrooms" says nothing of the price.
                score -= 40
            if score > 0:
                kept.append((score, value))
        lessened.append(kept)
    return lessened
