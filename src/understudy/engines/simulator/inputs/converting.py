"""A value of the words in a property's type and spelling."""

from __future__ import annotations

import re
from datetime import date
from typing import Any, Final

from . import dates, words
from .currencies import currency
from .hints import Hint
from .making import MISSING
from .members import one_off
from .tokens import Value
from .validation import checker
from .values import Text, read_text

_CENTS: Final = re.compile(r"\b(?:in cents|cents|minor units?|pence|smallest (?:currency )?unit)\b")
_CODED: Final = re.compile(r"\b(?:iso|codes?|bcp|en|fr|es)\b")
_CLOCK: Final = re.compile(r"hh:mm|24.?h")
_ZONED: Final = re.compile(r"T.*(?:[Zz]|[+-]\d{2}:\d{2})$")
_MONTHLY: Final = re.compile(r"\byyyy-mm\b(?!-)")
_MONTH: Final = re.compile(r"\d{4}-\d\d\b")
_YEAR: Final = re.compile(r"\d{4}")
_LATE: Final = frozenset(
    words.stem(word) for word in "evening tonight night afternoon dinner pm abends soir tarde noche".split()
)
_ROOMS: Final = frozenset("room door window field garden gate light lamp".split())
_COUNTED: Final = re.compile(r"[^\w-]{0,3}(-?\d[\d,]*(?:\.\d+)?)\s?\D{0,12}")


def converted(one: Hint, value: Value, ask: Text, today: date | None, tool_stems: frozenset[str] = frozenset()) -> Any:
    """The value as the property takes it, or MISSING where it does not."""
    if "string" not in one.types and not one.types.isdisjoint({"number", "integer"}):
        return number(one, value)
    if one.types and "string" not in one.types:
        return MISSING
    text = value.text.strip()
    if value.kind in ("phrase", "object", "name"):
        text = trimmed(text, one, tool_stems if value.kind != "name" else frozenset())
        if value.kind != "name":
            text = text.removesuffix("'s").removesuffix("’s")
    form = one.schema.get("format")
    if value.kind in ("date", "datetime") and _MONTHLY.search(one.description):
        return _month(text, today)
    if form == "date-time" and value.kind == "moment":
        day, hour = dates.iso_date(_day_in(text), today), dates.clock(_hour_in(text), late=_late(ask))
        return MISSING if day is None or hour is None else f"{day}T{hour}:00Z"
    if form == "date-time" and value.kind == "time":
        days = [dates.iso_date(day.text, today) for day in ask.values if day.kind in ("date", "datetime")]
        day = next((found for found in days if found), None)
        hour = dates.clock(text, late=_late(ask))
        return MISSING if day is None or hour is None else f"{day}T{hour}:00Z"
    if form == "date-time":
        moment = text.replace(" ", "T")
        if "T" not in moment or not text[:1].isdigit():
            return MISSING
        # The format asks for a zone; what says none is taken as it is told.
        return moment if _ZONED.search(moment) else f"{moment}:00Z" if moment.count(":") == 1 else moment + "Z"
    if (
        form == "date"
        or "yyyy-mm-dd" in one.description
        or ("iso" in one.description and one.kinds.get("date", 0) >= 16)
    ):
        found = dates.iso_date(text, _nearest_day(text, value.start, ask) or today)
        if found is None:
            return MISSING if form == "date" else text
        return found
    if value.kind in ("time", "number") and (form == "time" or _CLOCK.search(one.description)):
        found = dates.clock(text, late=_late(ask))
        if found is None:
            return MISSING
        return found if form is None else found + ":00Z"
    if form in ("email", "uri", "uuid", "ipv4") and value.kind not in ("email", "url", "id", "ip", "pair"):
        return MISSING
    if value.kind == "language" and ("code" in one.stems or _CODED.search(one.description)):
        return words.LANGUAGES.get(text.lower(), text)
    if value.kind in ("money", "currency") or (
        one.kinds.get("currency", 0) >= 22
        and value.kind in ("phrase", "number", "object", "name", "word", "marked", "unit")
    ):
        takes = one.kinds.get("currency", 0) >= (22 if value.kind == "currency" else 1)
        return (currency(value.text) or MISSING) if takes else text
    if value.kind == "id" and "number" not in one.types and text.startswith("#") and "channel" not in one.kinds:
        text = text[1:]
    limits = {name: one.schema[name] for name in ("pattern", "minLength", "maxLength") if name in one.schema}
    if limits and text and not checker(limits).valid(text):
        for other in (text.upper(), text.replace(" ", "")):
            if checker(limits).valid(other):
                return other
        return MISSING
    return text or MISSING


def _month(text: str, today: date | None) -> Any:
    """A month with its year, as YYYY-MM."""
    if _MONTH.match(text):
        return text[:7]
    number, year = dates.month_number(text), _YEAR.search(text)
    if number is None:
        return (dates.iso_date(text, today) or "")[:7] or MISSING
    told = year[0] if year else str(today.year) if today else ""
    return f"{told}-{number:02}" if told else MISSING


def _late(ask: Text) -> bool:
    return not ask.stem_set.isdisjoint(_LATE)


def _day_in(moment: str) -> str:
    return next((value.text for value in read_text(moment).values if value.kind == "date"), "")


def _hour_in(moment: str) -> str:
    for value in read_text(moment).values:
        if value.kind in ("time", "number"):
            return value.text
    return ""


def _nearest_day(text: str, start: int, ask: Text) -> date | None:
    """What "the 9th" and "4 May" are counted from where a whole date stands beside them."""
    if not text.lower().startswith(("the ", "next day", "following day", "day after")) and (
        _YEAR.search(text) or dates.month_number(text) is None
    ):
        return None
    for value in ask.values:
        if value.kind in ("date", "datetime"):
            found = dates.iso_date(value.text, None)
            if found is not None:
                told = date.fromisoformat(found)
                # What is said first is not after it.
                counted = text.lower().endswith(("day after", "next day", "following day"))
                return told.replace(day=1) if start < value.start and not counted else told
    return None


def trimmed(text: str, one: Hint, tool_stems: frozenset[str] = frozenset()) -> str:
    """A phrase without the property's own word at its end or beginning: "the analytics schema", "compound toluene"."""
    parts = text.split()
    while len(parts) > 1 and (words.stem(parts[0]) in one.stems or _same_word(parts[0], one)):
        parts = parts[1:]
    for place in range(1, len(parts)):
        if words.stem(parts[place]) in one.own:
            # What a place is called takes its sort with it: "the living room".
            keep = "place" in one.kinds or one.own & _ROOMS
            return " ".join(parts[: place + 1] if keep else parts[:place])
    # What the tool is about is no part of the value either: "bedroom blinds" of a tool for blinds.
    while len(parts) > 1 and parts[0].islower() and _of_tool(parts[0], tool_stems):
        parts = parts[1:]
    while len(parts) > 1 and parts[-1].islower() and words.stem(parts[-1]) in tool_stems and not one.own & _ITEMS:
        parts = parts[:-1]
    return " ".join(parts) if len(parts) < len(text.split()) else text


_ITEMS: Final = frozenset("item product title name task event dish query".split())


def _of_tool(word: str, tool_stems: frozenset[str]) -> bool:
    stem = words.stem(word)
    return stem in tool_stems or any(len(part) > 2 and len(stem) > 6 and stem.startswith(part) for part in tool_stems)


def _same_word(word: str, one: Hint) -> bool:
    """Whether a word is the property's own in another language's spelling: "Projekt" for "project"."""
    lower = word.lower()
    return len(lower) > 5 and any(one_off(lower, part) for part in words.name_words(one.name) if len(part) > 5)


def number(one: Hint, value: Value) -> Any:
    """The number that a value counts, in the property's unit, within its bounds; or MISSING."""
    amount = value.number
    if value.kind == "date":
        amount = dates.month_number(value.text) if "month" in one.stems else None
        if amount is None:
            return MISSING
    if amount is None and value.kind == "id" and not value.text.removeprefix("#").isdigit():
        return MISSING
    if amount is None:
        match = _COUNTED.fullmatch(value.text)
        if match is None:
            return MISSING
        amount = float(match[1].replace(",", ""))
    if abs(amount) >= 2**53:
        return MISSING
    mine, theirs = words.MEASURES.get(one.unit or ""), words.MEASURES.get(value.unit or "")
    if mine is not None and theirs is not None and mine[0] == theirs[0] and mine[1] != theirs[1]:
        amount = round(amount * theirs[1] / mine[1], 9)
    elif value.kind == "money" and _CENTS.search(one.description + " " + one.name.lower().replace("_", " ")):
        amount = round(amount * 100, 6)
    if isinstance(amount, float) and amount.is_integer():
        amount = int(amount)
    if "number" not in one.types and not isinstance(amount, int):
        return MISSING
    low, high = one.schema.get("minimum"), one.schema.get("maximum")
    if (isinstance(low, (int, float)) and amount < low) or (isinstance(high, (int, float)) and amount > high):
        return MISSING
    return amount
