"""Rows and numbers that a request gives in its words."""

from __future__ import annotations

import json
import re
from typing import Any, Final, TypeAlias, cast

Cell: TypeAlias = str | int | float
Rows: TypeAlias = list[list[Cell]]

_MOST_ROWS: Final = 500
_ROW_OF_NUMBERS: Final = re.compile(
    r"(?<![\d.])[-+]?\d[\d.]{0,20}(?:\s{0,3}(?:,|;|and\b)\s{0,3}(?:and\s{1,3})?[-+]?\d[\d.]{0,20}){2,500}"
)
_LISTED: Final = re.compile(r"\[[^\[\]{}]{1,5000}\]")
_PAIR: Final = re.compile(r"([^\W\d_][\w ]{0,30}?)\s{0,3}[:=]\s{0,3}([-+]?\d{1,20}(?:\.\d{1,20})?)\b")
_RULE: Final = re.compile(r"[\s|:-]+")
_LEADING: Final = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")


def cell(text: str) -> Cell:
    """A number where it is one."""
    text = text.strip().strip("\"'`")
    if re.fullmatch(r"[-+]?\d{1,15}", text):
        return int(text)
    if re.fullmatch(r"[-+]?\d{1,15}\.\d{1,10}", text):
        return float(text)
    return text


def rows_in(text: str) -> Rows:
    """The rows of the first table in `text`: JSON lists of lists, lines with bars, tabs, commas or semicolons between
    their cells, or rows between brackets. Empty where there is none."""
    start = text.find("[[")
    if start >= 0:
        try:
            value: Any = json.JSONDecoder(parse_constant=str).raw_decode(text[start:])[0]
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, list):
            rows = [_cells(row) for row in cast("list[Any]", value) if isinstance(row, list)]
            return rows[:_MOST_ROWS]
    for sign in ("|", "\t", ",", ";"):
        rows = _lines(text, sign)
        if rows:
            return rows[:_MOST_ROWS]
    bracketed = re.findall(r"\(([^()]{1,500},[^()]{1,500})\)", text)
    if len(bracketed) > 1:
        return [[cell(part) for part in row.split(",")] for row in bracketed][:_MOST_ROWS]
    return []


def _cells(row: Any) -> list[Cell]:
    return [
        item if isinstance(item, str | int | float) and not isinstance(item, bool) else json.dumps(item) for item in row
    ]


def _lines(text: str, sign: str) -> Rows:
    """Neighbouring lines with as many signs each."""
    found: Rows = []
    for line in text.splitlines():
        stripped = _LEADING.sub("", line).strip()
        if sign == "|":
            stripped = stripped.strip("|")
        count = stripped.count(sign)
        sentence = stripped.endswith((".", ":", "?")) and " " in stripped
        if count and not sentence and (not found or count + 1 == len(found[0])):
            if not (sign == "|" and _RULE.fullmatch(stripped)):
                found.append([cell(part) for part in stripped.split(sign)])
        elif len(found) > 1:
            return found
        elif not stripped or count == 0:
            found = []
    return found if len(found) > 1 else []


def numbers_in(text: str) -> list[int | float]:
    """The numbers of the first list in brackets, else all numbers that stand by themselves between commas."""
    listed = _LISTED.search(text)
    if listed is None:
        listed = _ROW_OF_NUMBERS.search(text)
    if listed is None:
        return []
    found = [cell(number) for number in re.findall(r"[-+]?\d+(?:\.\d+)?", listed.group())]
    return [number for number in found if not isinstance(number, str)][:_MOST_ROWS]


def pairs_in(text: str) -> list[tuple[str, int | float]]:
    """Labels with their numbers: `apples: 3, pears = 5`, or a table with a number in its last column."""
    found: list[tuple[str, int | float]] = []
    for row in rows_in(text):
        number = next((item for item in reversed(row) if not isinstance(item, str)), None)
        if number is not None and isinstance(row[0], str):
            found.append((row[0], number))
    if found:
        return found
    for label, number in _PAIR.findall(text):
        value = cell(number)
        if not isinstance(value, str):
            found.append((label.strip().rpartition(" with ")[2], value))
    return found[:_MOST_ROWS]
