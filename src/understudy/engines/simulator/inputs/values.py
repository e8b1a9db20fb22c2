"""Typed values in a text, each with its place and the words around it. The work is linear in the length read."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property, lru_cache
from typing import Final

from . import phrases, words
from .chunks import chunks
from .tokens import TOKEN, Pair, Value, dice, number_of, span_of

MOST_READ: Final = 6_000
"""Characters of a text that are read: two thirds from its beginning, one from its end."""

_FIRST: Final = re.compile(r"(\S+)\s+")
_PIECE: Final = re.compile(r"\S+\s*")
_WORD: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[,;:.!?\n]")
_PAIR: Final = re.compile(
    r"[\"']?(?P<key>[^\W\d][\w .-]{0,40}?)[\"']?\s?(?::|=)\s?"
    r"(?P<value>\"(?:[^\"\\]|\\.){0,2000}\"|'[^'\n]{0,400}'|[^\s\"'{\[,;\n][^,;\n}\]]{0,400})"
)


_NO_NAMES: Final = words.STARTERS | frozenset("i we you he she they it".split())
_WORDED: Final = frozenset("time date number quoted code money percent".split())
_SERVICE: Final = re.compile(r" \d{1,5}\b")
_PLACE_NUMBER: Final = re.compile(r" \d{1,4}[a-z]?\b(?![:.,/-]?\d| ?%)")
_GLUED: Final = re.compile(r"[a-zA-Z°]{1,4}\b")
_MONEY_WORD: Final = re.compile(r"\s(?:dollars?|bucks)\b")
_DENIED: Final = re.compile(
    r"(?i)\b(?:not|instead of|rather than|no longer|and not|nicht|kein|statt)\s(?:the\s|on\s|at\s)?(?=\S)"
)
_SAME: Final = {"uuid": "id", "code_number": "id", "file": "path"}


class Text:
    """A text and what is found in it; everything is found when it is first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def tokens(self) -> list[tuple[str, int, int]]:
        """Words and marks of punctuation with their places."""
        return [(match[0], match.start(), match.end()) for match in _WORD.finditer(self.text)]

    @cached_property
    def starts(self) -> list[int]:
        return [start for _, start, _ in self.tokens]

    @cached_property
    def stems(self) -> list[str]:
        return [words.stem(token) for token, _, _ in self.tokens]

    @cached_property
    def stem_set(self) -> frozenset[str]:
        return frozenset(self.stems)

    def around(self, start: int, end: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Stems before and after a place, nearest first, up to the end of the sentence."""
        first = bisect_left(self.starts, start)
        stems = self.stems
        before: list[str] = []
        for index in range(first - 1, max(-1, first - 6), -1):
            if stems[index] in ".!?\n;":
                break
            before.append(stems[index])
        after: list[str] = []
        last = bisect_left(self.starts, end)
        for index in range(last, min(len(stems), last + 3)):
            if stems[index] in ".!?\n;,":
                break
            after.append(stems[index])
        return tuple(before), tuple(after)

    def value(self, kind: str, start: int, end: int, number: float | None = None, unit: str | None = None) -> Value:
        before, after = self.around(start, end)
        return Value(kind, self.text[start:end], start, end, before, after, number, unit)

    @cached_property
    def values(self) -> list[Value]:
        found: list[Value] = []
        place = 0
        while (match := TOKEN.search(self.text, place)) is not None:
            place = match.end()
            first = _FIRST.match(match[0]) if match.lastgroup == "name" else None
            if (
                first is not None
                and first[1].lower().replace("’", "'") in words.STARTERS
                and first.end() < len(match[0])
                and not (first[1] == "The" and self.text[max(0, match.start() - 2) : match.start()].strip().isalpha())
            ):
                # A capital at the beginning of a sentence: what follows it may be an id or a date.
                place = match.start() + first.end()
                continue
            self._add(found, str(match.lastgroup), match.start(), match.end())
        # "half past seven" is a time, and no numbers.
        inside = {
            place
            for value in found
            if value.kind in _WORDED
            for place in self.starts[bisect_left(self.starts, value.start) : bisect_left(self.starts, value.end)]
        }
        for index, (token, start, end) in enumerate(self.tokens):
            if start in inside:
                continue
            number = words.NUMBER_WORDS.get(token.lower())
            lower = token.lower()
            if number is not None and index and self.tokens[index - 1][0].lower() in words.TENS and number < 10:
                continue
            if lower in words.TENS and index + 1 < len(self.tokens):
                following = self.tokens[index + 1]
                more = words.NUMBER_WORDS.get(following[0].lower(), 0)
                if 1 <= more < 10 and following[1] == end + 1:
                    number = words.NUMBER_WORDS[lower] + more
                    end = following[2]
            if number is not None and (lower != "one" or index == 0 or self.stems[index - 1] not in {"the", "this"}):
                found.append(self._counted("number", start, end, number))
            elif lower in words.LANGUAGES:
                found.append(self.value("language", start, end))
            elif lower in words.ORDINAL_NUMBERS:
                found.append(self._counted("ordinal", start, end, words.ORDINAL_NUMBERS[lower]))
            elif len(lower) > 2 and lower.removesuffix("s") in words.CURRENCIES:
                # "US dollars": the word before tells whose they are.
                first = start
                if index and self.tokens[index - 1][0].lower() in words.NATIONS:
                    first = self.tokens[index - 1][1]
                found.append(self.value("currency", first, end))
        found.sort(key=lambda value: value.start)
        return found

    def _counted(self, kind: str, start: int, end: int, number: float | None) -> Value:
        before, after = self.around(start, end)
        unit = None
        glued = _GLUED.match(self.text, end) if kind == "number" else None
        if glued is not None:
            # "350gsm"
            unit = words.singular_unit(glued[0])
            after = (words.stem(unit), *after)
        elif after:
            index = bisect_left(self.starts, end)
            if number == 0.5 and after[0] in ("a", "an") and len(after) > 1:
                index += 1
            unit = words.singular_unit(self.tokens[index][0])
        if isinstance(number, float) and number.is_integer():
            number = int(number)
        return Value(kind, self.text[start:end], start, end, before, after, number, unit)

    def _add(self, found: list[Value], kind: str, start: int, end: int) -> None:
        text = self.text
        if kind in {"quoted", "code", "block"}:
            self._add_quoted(found, kind, start, end)
        elif kind in {"number", "percent", "money"}:
            found.append(self._counted(kind, start, end, number_of(text[start:end])))
        elif kind == "dice":
            found += dice(text, start, end)
        elif kind == "span":
            span = span_of(text[start:end])
            if span is not None:
                found.append(self.value("number", start, end, *span))
        elif kind == "name":
            self._add_name(found, start, end)
        elif kind in {"url", "domain", "email", "path"}:
            while text[end - 1] in ".,;:!?":
                end -= 1
            found.append(self.value("url" if kind == "domain" else kind, start, end))
        elif kind == "upper":
            if text[start:end] == "US" and _MONEY_WORD.match(text, end):
                return
            code = text[start:end]
            number = _SERVICE.match(text, end)
            if number is not None:
                found.append(self.value("service", start, number.end()))
            found.append(self.value("currency" if code in words.CURRENCY_CODES else "upper", start, end))
            if text[end : end + 2].strip().isdigit():
                # "PR 318": what a number is called.
                return
            if code not in words.CURRENCY_CODES and code not in {"AM", "PM", "OK", "I", "PLEASE", "NOT", "AND"}:
                found.append(self.value("name", start, end))
        elif kind in {"channel", "handle"}:
            found.append(self.value(kind, start, end))
        elif kind == "date" and text[start:end].lower() == "may":
            return
        elif kind == "datetime" and text[start + 10] == " ":
            # A day and a time side by side may go to two properties.
            found.append(self.value(kind, start, end))
            found.append(self.value("date", start, start + 10))
            found.append(self.value("time", start + 11, end))
        else:
            found.append(self.value(_SAME.get(kind, kind), start, end))

    def _add_quoted(self, found: list[Value], kind: str, start: int, end: int) -> None:
        text = self.text
        if kind == "block":
            inner_start = text.find("\n", start, end) + 1 or start + 3
            found.append(self.value("code", inner_start, max(inner_start, end - 3)))
            return
        inner_start, inner_end = start + 1, end - 1
        before, after = self.around(start, end)
        inner = text[inner_start:inner_end]
        if kind == "quoted":
            inner_end -= len(inner) - len(inner.rstrip(",."))
            inner = text[inner_start:inner_end]
        found.append(Value(kind, inner, start, end, before, after))
        whole = TOKEN.fullmatch(inner)
        if whole is not None and whole.lastgroup in {"url", "email", "path", "id", "uuid", "date", "datetime"}:
            inner_kind = {"uuid": "id"}.get(whole.lastgroup, whole.lastgroup)
            found.append(Value(inner_kind, inner, start, end, before, after))

    def _add_name(self, found: list[Value], start: int, end: int) -> None:
        text = self.text
        while True:
            match = _PIECE.match(text, start, end)
            if match is None:
                return
            word = match[0].strip().lower().replace("’", "'")
            # A play or a paper keeps its article: "for The Seagull".
            if word == "the" and start > 0 and text[start - 1] == " " and text[start - 2 : start - 1].isalpha():
                break
            if word in words.STARTERS or word.split("'")[0] in _NO_NAMES or len(word) < 2:
                start = match.end()
                continue
            break
        if start >= end:
            return
        name = text[start:end]
        lower = name.lower()
        if lower in words.LANGUAGES or lower in words.NUMBER_WORDS:
            return
        before, after = self.around(start, end)
        if name.endswith(("'s", "’s")):
            # "Luigi's" may be a place's own name, "Anna's" an owner's: both spellings can be meant.
            found.append(Value("owner", name[:-2], start, end - 2, before, after))
            if " " in name and after:
                # "Fen Bridge's barometer" is that of Fen Bridge.
                found.append(Value("name", name[:-2], start, end - 2, before, after))
                return
        numbered = _PLACE_NUMBER.match(text, end)
        if (
            numbered is not None
            and words.singular_unit(text[numbered.end() :].strip().partition(" ")[0]) not in words.MEASURES
        ):
            # "Chair 4", "Rosenweg 11"
            _, rest = self.around(start, numbered.end())
            found.append(Value("name", text[start : numbered.end()], start, numbered.end(), before, rest))
        found.append(Value("name", name, start, end, before, after))

    @cached_property
    def denied(self) -> frozenset[int]:
        """Where values begin that are told to be wrong: "48.50, not 45.80", "Tuesday instead of Monday"."""
        return frozenset(match.end() for match in _DENIED.finditer(self.text))

    @cached_property
    def by_kind(self) -> dict[str, list[Value]]:
        groups: dict[str, list[Value]] = {}
        for value in self.values:
            groups.setdefault(value.kind, []).append(value)
        for kind, found in (
            ("saying", phrases.sayings(self)),
            ("called", phrases.called(self)),
            ("headline", phrases.headlines(self)),
            ("code", phrases.statements(self)),
        ):
            if found:
                groups.setdefault(kind, []).extend(found)
        for chunk in chunks(self):
            groups.setdefault(chunk.kind, []).append(chunk)
        if "code" not in groups and (found := phrases.tails(self)):
            groups["tail"] = found
        for value in self.values:
            if value.kind == "number" and value.unit in words.MEASURES and value.after:
                glued = _GLUED.match(self.text, value.end)
                index = bisect_left(self.starts, value.end)
                if glued is not None:
                    groups["unit"] = [Value("unit", glued[0], glued.start(), glued.end(), ("from",))]
                elif index < len(self.tokens):
                    groups["unit"] = [Value("unit", *self.tokens[index], ("from",))]
                break
        moments = self._moments()
        if moments:
            groups["moment"] = moments
        return groups

    def _quoted_at(self, place: int) -> Value | None:
        for value in self.values:
            if value.start == place and value.kind in {"quoted", "code"}:
                return value
        return None

    def _moments(self) -> list[Value]:
        """A day and a time that stand together: "tomorrow at 9"."""
        found: list[Value] = []
        values = self.values
        for index, value in enumerate(values):
            if value.kind != "date":
                continue
            for other in (*values[index + 1 : index + 2], *values[max(0, index - 1) : index]):
                first, last = (value, other) if value.start < other.start else (other, value)
                gap = self.text[first.end : last.start].strip(" ,").lower()
                bare = (
                    other.kind == "number" and other.unit not in words.MEASURES and gap == "at" and other.text.isdigit()
                )
                if (other.kind == "time" or bare) and gap in ("", "at", "on", "um", "à", "a las"):
                    found.append(self.value("moment", first.start, last.end))
                    break
        return found

    @cached_property
    def pairs(self) -> list[Pair]:
        """`key: value` and `"key": value` of the text, at most 200."""
        if ":" not in self.text and "=" not in self.text:
            return []
        found: list[Pair] = []
        for match in _PAIR.finditer(self.text):
            key = match["key"].split("\n")[-1].strip()
            value = match["value"].strip()
            if key[-1:].isdigit() and value[:1].isdigit():
                # 17:30
                continue
            if value.startswith("//") or len(key.split()) > 4:
                continue
            if value[:1] in "\"'" and value[-1:] == value[:1]:
                value = value[1:-1]
            stems = frozenset(words.stem(word) for word in words.name_words(key))
            found.append(Pair(stems, value.strip().rstrip(".;"), match.start("value"), match.end("value")))
            if len(found) == 200:
                break
        return found


_remembered = lru_cache(maxsize=128)(Text)


def read_text(text: str) -> Text:
    """`text` with what is found in it; of a long one its beginning and end. The last few texts are remembered."""
    if len(text) > MOST_READ:
        text = text[: MOST_READ * 2 // 3] + "\n" + text[-MOST_READ // 3 :]
    return _remembered(text)
