"""From a RequestRecord to the rows that are kept: tuples of plain values, harmless in a database and a terminal."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Integer, Text

from understudy.http.record import RequestRecord
from understudy.usage.tables import request_log, usage

Row = tuple[Any, ...]

# str(): SQLAlchemy's names are of a class that orjson does not take for keys.
REQUEST_COLUMNS: tuple[str, ...] = tuple(str(column.name) for column in request_log.c if column.name != "id")
USAGE_COLUMNS: tuple[str, ...] = tuple(str(column.name) for column in usage.c if column.name != "id")

_MOST_CHARACTERS = 512
_MOST_INTEGER = 2**63 - 1
_KEY = re.compile(r"sk-[A-Za-z0-9_-]{12,}")

_INPUT, _OUTPUT, _MODEL = (REQUEST_COLUMNS.index(name) for name in ("input_tokens", "output_tokens", "model"))


def _positions(type_: type[Any]) -> tuple[int, ...]:
    names = (column.name for column in request_log.c if isinstance(column.type, type_) and column.name != "id")
    return tuple(REQUEST_COLUMNS.index(name) for name in names)


_TEXTS, _INTEGERS = _positions(Text), _positions(Integer)

_values = attrgetter(*REQUEST_COLUMNS)
_usage_values = itemgetter(*(REQUEST_COLUMNS.index(name) for name in USAGE_COLUMNS))


def request_rows(records: Iterable[RequestRecord]) -> list[Row]:
    """The records' values in the order of REQUEST_COLUMNS, with whatever came from outside made harmless."""
    rows: list[Row] = list(map(_values, records))
    # Looking at the distinct values of each column takes a fifth of the time of looking at each row.
    if not rows or _are_harmless(list(zip(*rows, strict=True))):
        return rows
    return [tuple([_harmless(value) for value in row]) for row in rows]


def usage_row(row: Row) -> Row | None:
    """The usage row that belongs to a request's row, None when no model was asked.

    A record counts as having asked a model once it says how many input tokens that took.
    """
    if row[_INPUT] is None or row[_MODEL] is None:
        return None
    if row[_OUTPUT] is None:
        row = (*row[:_OUTPUT], 0, *row[_OUTPUT + 1 :])
    return _usage_values(row)


def from_mapping(values: Mapping[str, Any]) -> Row:
    """A request's row from its values by column, as they stand in a spill file; columns it lacks get their default.

    Raises KeyError without one of those that have none.
    """
    return tuple([values[name] if name in values else _DEFAULTS[name] for name in REQUEST_COLUMNS])


def clean(text: str) -> str:
    """`text` without keys, with everything that does not print escaped (as in Python), and not too long.

    PostgreSQL refuses NUL, SQLite's driver lone surrogates, and a terminal obeys control characters and bidirectional
    marks: one such value must not spoil the batch it is written in, nor the log.
    """
    text = text[: _MOST_CHARACTERS * 2]
    if "sk-" in text:
        text = _KEY.sub("sk-[redacted]", text)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text[:_MOST_CHARACTERS]


def _are_harmless(columns: list[tuple[Any, ...]]) -> bool:
    try:
        for position in _TEXTS:
            texts = set(columns[position])
            texts.discard(None)
            joined = " ".join(texts)
            if not joined.isprintable() or "sk-" in joined or max(map(len, texts), default=0) > _MOST_CHARACTERS:
                return False
        for position in _INTEGERS:
            numbers = set(columns[position])
            numbers.discard(None)
            if numbers and not 0 <= min(numbers) <= max(numbers) <= _MOST_INTEGER:
                return False
    except TypeError:  # a value of another type than the record's
        return False
    return True


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if type(value) is int:
        return min(max(value, 0), _MOST_INTEGER)
    return value


_DEFAULTS: dict[str, Any] = {
    field.name: field.default for field in dataclasses.fields(RequestRecord) if field.default is not dataclasses.MISSING
}
