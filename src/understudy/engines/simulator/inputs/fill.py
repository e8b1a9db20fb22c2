"""Which value of the words goes into which property."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, Final, cast

from . import dates, words
from .assigning import Assignment, Span, overlaps, within
from .chunks import opens_sentence
from .commanding import command_in
from .converting import converted, number
from .days import days_of, month_of
from .finishing import created, finish, head_of
from .free_text import about, free_text
from .hints import Hint, alternatives, hint
from .lists import divided, listed, rest_of, tagged
from .making import MISSING
from .meanings import is_meant, option_meant, option_nearest
from .members import member, mentions, yes_or_no
from .merging import Schema
from .properties import hints_of, plain
from .remembering import ONE_OF, POINTING, Memory
from .schemas import SchemaReader
from .scores import NUMERIC
from .tokens import Value
from .topic import topic
from .validation import Checker
from .values import Text, read_text

_MOST_TEXTS: Final = 12
_DEEPEST: Final = 6
_SEVERAL: Final = frozenset("email url path id upper channel handle language date name place".split())


@lru_cache(maxsize=512)
def stems_of_description(description: str) -> frozenset[str]:
    """The plain words that say what a tool does."""
    return frozenset(words.stem(word) for word in re.findall(r"\b[a-z]{3,}\b", description[:400]))


class Filler:
    """The words of one request; `fill` finds the values of one schema's properties in them."""

    def __init__(
        self, judge: Checker, ask: str, context: Sequence[str], tool_name: str = "", description: str = ""
    ) -> None:
        self.judge = judge
        self.tool_stems = frozenset(words.stem(word) for word in words.name_words(tool_name))
        self.described = stems_of_description(description)
        self.ask = read_text(ask)
        self.context = context[:_MOST_TEXTS]
        self.reader = SchemaReader(judge.schema)
        self.memory = Memory(self.ask.text, self.context, self.converted, self.tool_stems)
        self._today: object = MISSING
        self._topic: str | None = None
        self.head = head_of(ask, self.context) if self.context else len(ask)

    @property
    def today(self) -> date | None:
        if self._today is MISSING:
            # What was said last, and the system prompt.
            texts = [*self.context[:4], *self.context[4:][-1:], self.ask.text]
            self._today = dates.today_of(texts) or dates.reference(texts) or dates.year_of(texts)
        return cast("date | None", self._today)

    @property
    def topic(self) -> str:
        if self._topic is None:
            self._topic = topic(self.ask.text)
        return self._topic

    def converted(self, one: Hint, value: Value) -> Any:
        today = self.today
        if value.kind == "date" and value.text.lower().endswith(("day after", "next day", "following day")):
            # Counted from the day that was told last.
            today = dates.reference([self.ask.text, *self.context]) or today
        return converted(one, value, self.ask, today, self.tool_stems)

    def hints(self, schema: Schema, where: str) -> list[Hint]:
        """The hints of an object's properties, worked out once for each schema."""
        try:
            return self.judge.keep("hints" + where, lambda: hints_of(self.reader, schema))
        except (TypeError, AttributeError, ValueError):
            # A schema that is none.
            return []

    def fill(
        self,
        schema: Schema,
        text: Text,
        where: str = "",
        depth: int = 0,
        *,
        all_texts: bool = True,
        others: frozenset[str] = frozenset(),
    ) -> Schema:
        hints = self.hints(schema, where)
        filled: Schema = {}
        wanted: list[Hint] = []
        named: list[Span] = []
        self._members(hints, text, filled, named)
        for one in hints:
            if one.name in filled:
                continue
            value = self._direct(one, text, f"{where}/{one.name}", depth, hints)
            if value is not MISSING:
                filled[one.name] = value
            elif "month" in one.stems and (month := month_of(one, text)) is not None:
                filled[one.name] = month
            elif one.types.isdisjoint({"array", "object", "boolean"}) and not alternatives(one.schema):
                wanted.append(one)
        head = self.head if text is self.ask and self.head < len(text.text) else 1 << 30
        choice = Assignment(
            hints, wanted, text, self.converted, filled, named, self.tool_stems, head, self.described, others
        )
        choice.owner_and_name(self.context)
        choice.first_and_last()
        if all_texts and len(self.context) > 1 and ONE_OF.search(text.text) is not None:
            choice.assign(21)
            self.memory.look_up(choice.missing(), filled)
        if all_texts:
            created(choice.missing(), text, self.context, self.converted, filled)
        if all_texts:
            self.memory.brought(choice.unsure(), filled)
        choice.assign(17)
        choice.assign(9, counting=True)
        choice.one_day()
        if all_texts:
            self.memory.look_up(choice.missing(), filled)
            self._objects(hints, text, where, depth, filled, choice.taken)
            finish(hints, text.text, self.head, self.context, filled)
        self._free(wanted, text, filled, [*choice.taken, *named])
        choice.assign(1)
        choice.only_number()
        choice.only_name()
        self._lists(hints, text, where, depth, filled, choice.taken, all_texts=all_texts)
        return filled

    def _objects(
        self, hints: list[Hint], text: Text, where: str, depth: int, filled: Schema, taken: list[Span]
    ) -> None:
        """An optional object takes a number that nothing else takes: a new amount of what is corrected."""
        left = [value for value in text.values if value.kind in NUMERIC and not overlaps(value, taken)]
        left = [value for value in left if value.start not in text.denied]
        open_ones = [one for one in hints if one.name not in filled and "object" in one.types]
        if len(left) != 1 or len(open_ones) != 1 or depth >= _DEEPEST:
            return
        one = open_ones[0]
        others = frozenset[str]().union(*(other.own for other in hints if other is not one))
        inner = self.fill(one.schema, text, f"{where}/{one.name}", depth + 1, all_texts=False, others=others)
        if any(isinstance(value, (int, float)) and value == left[0].number for value in inner.values()):
            needed = [
                other
                for other in self.hints(one.schema, f"{where}/{one.name}")
                if other.required and other.name not in inner
            ]
            for other in needed:
                for told in self.context:
                    found = self.memory.labelled(other, read_text(told))
                    if found is not MISSING:
                        inner[other.name] = found
                        break
            filled[one.name] = inner

    def _members(self, hints: list[Hint], text: Text, filled: Schema, named: list[Span]) -> None:
        """Enums: the plainest mentions first, so that two properties with the same options share none."""
        table: list[tuple[float, int, Any, int]] = []
        for index, one in enumerate(hints):
            options = [] if "const" in one.schema else alternatives(one.schema)
            for some in [[option] for option in options] if one.side is not None else [options] if options else []:
                option, score, place = member(one, some, text)
                if score:
                    table.append((score, index, option, place))
        table.sort(key=lambda row: -row[0])
        used: list[Any] = []
        for score, index, option, place in table:
            one = hints[index]
            if one.name in filled or (one.side is not None and option in used):
                continue
            filled[one.name] = option
            if one.side is not None:
                used.append(option)
            if score > 10 and 0 <= place < len(text.tokens) and isinstance(option, str):
                named.append(text.tokens[place][1:])

    def _direct(self, one: Hint, text: Text, where: str, depth: int, hints: list[Hint]) -> Any:
        """What needs no choice among values: constants, enums, booleans, objects, and what stands as `key: value`."""
        schema = one.schema
        if "const" in schema:
            return schema["const"] if one.required else MISSING
        options = alternatives(schema)
        if options:
            return self._option(one, options, text)
        if "boolean" in one.types:
            return self._boolean(one, text)
        if "object" in one.types:
            if depth >= _DEEPEST:
                return MISSING
            others = frozenset[str]().union(*(other.own for other in hints if other is not one))
            inner = self.fill(schema, text, where, depth + 1, all_texts=one.required, others=others)
            if not inner or one.required or self._named(one, text):
                return inner or MISSING
            # An optional one is meant where two of its properties are, and not only by names.
            return inner if len(inner) > 1 and not all(isinstance(part, str) for part in inner.values()) else MISSING
        if "tail" in one.kinds and (line := command_in(text.text)):
            return line
        if "array" not in one.types and text.pairs:
            for pair in text.pairs:
                if one.stems == pair.stems or (one.own and one.own <= pair.stems):
                    said = pair.text
                    if one.own < pair.stems and said.split(" ", 1)[0].lower() in words.STARTERS:
                        # "breakfast show: stick the interview in": what is to be done is no show.
                        said = text.text[: pair.start].rstrip(" :=").rsplit("\n", 1)[-1].strip()
                    value = self.converted(one, Value("pair", said, pair.start, pair.end))
                    if value is not MISSING:
                        return value
        return MISSING

    def _named(self, one: Hint, text: Text) -> bool:
        return bool(one.stems & text.stem_set)

    def _option(self, one: Hint, options: list[Any], text: Text) -> Any:
        """An option that the text does not mention itself: as a value of a pair, or in the texts before."""
        for pair in text.pairs:
            if one.stems <= pair.stems:
                for option in options:
                    if str(option).lower() == pair.text.lower():
                        return option
        if "month" in one.stems:
            return MISSING
        meant = option_meant(options, text, self.tool_stems)
        if meant is not None:
            return meant
        if not one.required:
            return MISSING
        told = self.memory.option(one, options)
        if told is not MISSING:
            return told
        nearest = option_nearest(options, text, self.tool_stems)
        return MISSING if nearest is None else nearest

    def _boolean(self, one: Hint, text: Text) -> Any:
        told = yes_or_no(one, text, self.tool_stems, self.described)
        if told is None and not one.required:
            told = is_meant(one, text, self.tool_stems | self.described)
        if told is not None:
            return told
        if one.required and "default" not in one.schema:
            lower = {token.lower() for token, _, _ in text.tokens}
            return words.NEGATIONS.isdisjoint(lower) and "stop" not in text.stem_set
        return MISSING

    def _free(self, wanted: list[Hint], text: Text, filled: Schema, taken: list[Span]) -> None:
        """What is written in free words takes the words that are left."""
        for one in wanted:
            if one.name in filled or "string" not in one.types or not one.free:
                continue
            if one.required:
                whole = self.context[0] if self.context and POINTING.search(text.text) else text.text
                if whole != text.text and "topic" not in one.kinds:
                    filled[one.name] = free_text(one, read_text(whole), [])
                    continue
                said = free_text(one, text, taken)
                if said:
                    filled[one.name] = said
            elif "about" in one.kinds:
                said = about(text.text)
                if said:
                    filled[one.name] = said

    def _lists(
        self,
        hints: list[Hint],
        text: Text,
        where: str,
        depth: int,
        filled: Schema,
        taken: list[Span],
        *,
        all_texts: bool,
    ) -> None:
        """Arrays take what is left; one that must be there and is pointed at is looked for in the other texts."""
        for one in hints:
            if one.name in filled or "array" not in one.types:
                continue
            value = self._array(one, text, f"{where}/{one.name}", depth, taken)
            if not value and one.required and all_texts and POINTING.search(text.text):
                for other in self.context[:4]:
                    value = self._array(one, read_text(other), f"{where}/{one.name}", depth, [])
                    if value:
                        break
            if value:
                filled[one.name] = value

    def _array(self, one: Hint, text: Text, where: str, depth: int, taken: list[Span]) -> list[Any]:
        items = plain(self.reader, cast("Schema", one.schema.get("items") or {}))
        options = alternatives(items)
        if options:
            if days := days_of(options, text):
                return days
            named = [(found[0][0], option) for option in options if (found := mentions(option, text))]
            return [option for _, option in sorted(named, key=lambda row: row[0])]
        kinds = items.get("type")
        if kinds == "object":
            return self._records(items, text, where, depth) if depth < _DEEPEST else []
        if kinds in ("integer", "number"):
            inner = hint(one.name, items, required=True)
            found = [
                number(inner, value) for value in text.values if value.kind in NUMERIC and not within(value, taken)
            ]
            return [value for value in found if value is not MISSING]
        inner = hint(one.name, items, required=True)
        for kind in sorted(inner.kinds, key=lambda name: -inner.kinds[name]):
            if inner.kinds[kind] < 17 or kind not in _SEVERAL:
                continue
            group = text.by_kind.get("name" if kind == "place" else kind, [])
            if kind == "email":
                # Who gets a copy is told by "cc".
                copied = [value for value in group if value.before[:1] in (("cc",), ("bcc",))]
                group = copied if one.own & {"cc", "bcc"} else [value for value in group if value not in copied]
                if not group:
                    return []
            values = [
                value
                for value in group
                if not overlaps(value, taken) and not (kind in ("name", "place") and opens_sentence(text, value))
            ]
            if values and (len(values) > 1 or kind not in ("name", "place")):
                return list(dict.fromkeys(value.text for value in values))
        quoted = text.by_kind.get("quoted", [])
        if len(quoted) > 1:
            return [value.text for value in quoted]
        if named := tagged(text, one):
            return named
        found = listed(text, one, taken, self.tool_stems)
        # Three things in a row are meant as a list, though nothing names it.
        return found if one.required or len(found) > 2 or self._named(one, text) else []

    def _records(self, items: Schema, text: Text, where: str, depth: int) -> list[Any]:
        """An object for each part of the text that fills one."""
        for parts in divided(text.text):
            records: list[Any] = []
            for part in parts:
                record = self.fill(items, read_text(part), where, depth + 1, all_texts=False)
                if record:
                    for one in self.hints(items, where):
                        if one.name not in record and one.required and "string" in one.types and rest_of(part):
                            record[one.name] = rest_of(part)
                            break
                    records.append(record)
            if len(records) > 1 and all(self.reader.required(items) <= record.keys() for record in records):
                return records
        record = self.fill(items, text, where, depth + 1, all_texts=False)
        return [record] if record else []
