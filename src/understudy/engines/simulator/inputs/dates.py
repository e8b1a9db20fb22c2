"""Dates and times in the spelling that a schema asks for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Final

from . import words

_ISO: Final = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_CLOCK: Final = re.compile(r"(?i)(\d{1,2})(?:[:h](\d\d))?(?::\d\d)?(?:\s?([ap])\.?m\b)?")
_NUMERALS: Final = re.compile(r"^(\d{1,2})[./](\d{1,2})[./](\d{4}|\d\d)$")
_AHEAD: Final = re.compile(r"in\s(\w+)\s(day|week|month)s?")
_SHIFTS: Final = {
    "today": 0, "tonight": 0, "tomorrow": 1, "yesterday": -1, "heute": 0, "morgen": 1, "gestern": -1, "demain": 1,
    "aujourd'hui": 0, "mañana": 1, "hoy": 0, "ayer": -1, "domani": 1, "oggi": 0, "ieri": -1, "day after tomorrow": 2,
    "the day after tomorrow": 2, "day before yesterday": -2, "the day before yesterday": -2,
    "next day": 1, "the next day": 1,
    "following day": 1, "the following day": 1,
    "day after": 1, "the day after": 1,
}  # fmt: skip
_DAYS: Final = tuple(name[:3] for name in words.WEEKDAYS)
# Characters of a text in which a date is looked for: it stands near the beginning, or is not what is meant.
_LOOKED_AT: Final = 1_500
_YEAR: Final = re.compile(r"\b(?:19|20)\d\d\b")


_WORDY: Final = re.compile(
    r"(?i)\b\d{1,2}(?:st|nd|rd|th|\.)?\s(?:of\s)?(?:M)\s\d{4}\b|"
    r"\b(?:M)\s\d{1,2}(?:st|nd|rd|th)?,?\s\d{4}\b".replace("M", "|".join(words.MONTH_NUMBERS))
)
_MONTH_YEAR: Final = re.compile(
    r"(?i)\b(?:M),?\s(?:de\s)?((?:19|20)\d\d)\b".replace("M", "|".join(words.MONTH_NUMBERS))
)
_TODAY: Final = re.compile(r"(?i)\b(?:today|now|current date|date today|heute|hoy|aujourd'hui|oggi)\b.{0,40}")


def today_of(texts: Sequence[str]) -> date | None:
    """The day that a text says is today."""
    return next((found for text in texts if (found := _today_in(text[:_LOOKED_AT])) is not None), None)


# The same system prompt and earlier texts stand in one request of a conversation after the other.
@lru_cache(maxsize=64)
def _today_in(text: str) -> date | None:
    for match in _TODAY.finditer(text):
        found = _first_date(match[0])
        if found is not None:
            return found
    return None


def year_of(texts: Sequence[str]) -> date | None:
    """The first day of the first year that stands in the texts beside a month."""
    return next((found for text in texts if (found := _year_in(text[:_LOOKED_AT])) is not None), None)


@lru_cache(maxsize=64)
def _year_in(text: str) -> date | None:
    match = _MONTH_YEAR.search(text)
    return None if match is None else date(int(match[1]), 1, 1)


@lru_cache(maxsize=64)
def _first_date(text: str) -> date | None:
    match = _ISO.search(text)
    try:
        if match is not None:
            return date(int(match[1]), int(match[2]), int(match[3]))
        wordy = _WORDY.search(text)
        told = None if wordy is None else iso_date(wordy[0], None)
        return None if told is None else date.fromisoformat(told)
    except ValueError:
        return None


def reference(texts: Sequence[str]) -> date | None:
    """The first date with a year in the texts. The machine's own clock is never asked."""
    for text in texts:
        found = _first_date(text[:_LOOKED_AT])
        if found is not None:
            return found
    return None


def iso_date(text: str, today: date | None) -> str | None:
    """`text` as YYYY-MM-DD, or None where the words do not say which day that is."""
    match = _ISO.search(text)
    if match is not None:
        return match[0]
    lower = text.lower().replace(",", " ").replace("’", "'")
    numerals = _NUMERALS.match(lower)
    if numerals is not None:
        return _of_numerals(numerals, lower)
    parts = lower.split()
    if today is not None:
        shifted = _shifted(lower, parts, today)
        if shifted is not None:
            return shifted.isoformat()
    month = month_number(lower)
    if month is None:
        if today is None or re.fullmatch(r"the \d{1,2}(?:st|nd|rd|th)", lower) is None:
            return None
        day = int(re.sub(r"\D", "", lower))
        month = today.month if day >= today.day else today.month % 12 + 1
        lower += f" {today.year + (month < today.month)}"
    year = _YEAR.search(lower)
    day = re.search(r"\b(\d{1,2})(?:st|nd|rd|th)?\b", lower)
    if day is None:
        return None
    if year is not None:
        number = int(year[0])
    elif today is not None:
        number = today.year
    else:
        return None
    try:
        return date(number, month, int(day[1])).isoformat()
    except ValueError:
        return None


def _shifted(lower: str, parts: list[str], today: date) -> date | None:
    """A day that is told by its distance from today."""
    shift = _SHIFTS.get(lower)
    if shift is not None:
        return today + timedelta(days=shift)
    ahead = _AHEAD.fullmatch(lower)
    if ahead is not None:
        count = 1 if ahead[1] in ("a", "an") else words.NUMBER_WORDS.get(ahead[1])
        count = int(ahead[1]) if ahead[1].isdigit() else count
        if count is None or count > 400:
            return None
        if ahead[2] == "month":
            months = today.month - 1 + int(count)
            return date(today.year + months // 12, months % 12 + 1, min(today.day, 28))
        return today + timedelta(days=int(count) * (7 if ahead[2] == "week" else 1))
    if parts and parts[-1][:3] in _DAYS and (parts[-1] in words.WEEKDAYS or len(parts[-1]) == 3):
        days = (_DAYS.index(parts[-1][:3]) - today.weekday()) % 7
        if parts[0] == "last":
            days -= 7
        return today + timedelta(days=days or 7)
    return None


def _of_numerals(numerals: re.Match[str], lower: str) -> str | None:
    """17.04.2026 and 17/04/2026; with strokes and both small, the month stands first."""
    first, second = int(numerals[1]), int(numerals[2])
    year = int(numerals[3]) + (2000 if len(numerals[3]) == 2 else 0)
    day, month = (first, second) if "." in lower or first > 12 else (second, first)
    try:
        return date(year, month, day).isoformat()
    except ValueError:
        return None


def clock(text: str, *, late: bool = False) -> str | None:
    """`5 pm` as 17:00, `half past six` as 06:30. `late`: the words around tell of the second half of the day."""
    lower = text.lower().replace("’", "'")
    if lower in ("noon", "midnight"):
        return "12:00" if lower == "noon" else "00:00"
    parts = [str(int(words.NUMBER_WORDS[part])) if part in words.NUMBER_WORDS and part != "half" else part
             for part in lower.split()]  # fmt: skip
    lower = " ".join(parts)
    match = _CLOCK.search(lower)
    if match is None:
        return None
    hour, minute = int(match[1]), int(match[2] or 0)
    if parts[0] in ("half", "quarter"):
        minute = 30 if parts[0] == "half" else 15
        if "to" in parts:
            hour, minute = (hour or 12) - 1, 60 - minute
    if match[3] == "p" and hour < 12:
        hour += 12
    elif match[3] == "a" and hour == 12:
        hour = 0
    elif match[3] is None and hour < 12 and (late or any(part in lower for part in ("afternoon", "evening", "night"))):
        hour += 12 if "morning" not in lower and (match[2] is None or len(match[1]) == 1) else 0
    return f"{hour:02}:{minute:02}" if hour < 24 and minute < 60 else None


def month_number(text: str) -> int | None:
    """The month that a text names."""
    for part in re.findall(r"[^\W\d_]{3,}", text.lower()):
        number = words.MONTH_NUMBERS.get(part)
        if number is not None:
            return number
    return None
