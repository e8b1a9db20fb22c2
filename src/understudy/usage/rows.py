"""From a RequestRecord to the rows that are kept: tuples of plain values, harmless in a database and a terminal."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter, itemgetter
from typing import Any

from sqlalchemy import Integer, Text

from understudy.http.record import RequestRecord
from understudy.usage.prices import CATALOG_PRICES, MOST_TOKENS, NOTHING, Costs, Pricing, context_window, saturated
from understudy.usage.tables import COSTS, request_log, usage

Row = tuple[Any, ...]

# str(): SQLAlchemy's names are of a class that orjson does not take for keys.
REQUEST_COLUMNS: tuple[str, ...] = tuple(str(column.name) for column in request_log.c if column.name != "id")
USAGE_COLUMNS: tuple[str, ...] = tuple(
    str(column.name) for column in usage.c if column.name not in {"id", "dimension_id"}
)
ROW_COLUMNS: tuple[str, ...] = (*REQUEST_COLUMNS, "context_window", *COSTS)
"""What a Row holds: a request's columns first, then those that only its usage row has."""

_MOST_CHARACTERS = 512
_KEY = re.compile(r"sk-[A-Za-z0-9_-]{12,}")

_RECORD_COLUMNS = tuple(name for name in REQUEST_COLUMNS if name != "cost")
_INPUT, _OUTPUT, _MODEL = (REQUEST_COLUMNS.index(name) for name in ("input_tokens", "output_tokens", "model"))
_OF_REQUEST = len(REQUEST_COLUMNS)
_PRICED_COLUMNS = ROW_COLUMNS[len(_RECORD_COLUMNS) :]


def _positions(type_: type[Any]) -> tuple[int, ...]:
    return tuple(place for place, name in enumerate(_RECORD_COLUMNS) if isinstance(request_log.c[name].type, type_))


_TEXTS, _INTEGERS = _positions(Text), _positions(Integer)

_usage_values = itemgetter(*(ROW_COLUMNS.index(name) for name in USAGE_COLUMNS))
_CHARGED = (
    "model",
    "received_at",
    "input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
    "service_tier",
    "inference_geo",
    "speed",
    "stop_reason",
)
_PROMPT = slice(2, 6)
_charged_of_row: Callable[[Row], Row] = itemgetter(*map(_RECORD_COLUMNS.index, _CHARGED))
_charged_of_record: Callable[[RequestRecord], Row] = attrgetter(*_CHARGED)
_FREE = (0, "0-200k", *NOTHING)


_values: Callable[[RequestRecord], Row] = attrgetter(*_RECORD_COLUMNS)


def request_rows(records: Iterable[RequestRecord], pricing: Pricing = CATALOG_PRICES) -> list[Row]:
    """The records' values in the order of ROW_COLUMNS: whatever came from outside made harmless, and what each costs
    by `pricing`."""
    rows: list[Row] = list(map(_values, records))
    # Looking at the distinct values of each column takes a fifth of the time of looking at each row.
    if rows and not _are_harmless(list(zip(*rows, strict=True))):
        rows = [tuple([_harmless(value) for value in row]) for row in rows]
    return [row + _priced(row, pricing) for row in rows]


def costs_of(record: RequestRecord, pricing: Pricing = CATALOG_PRICES) -> Costs:
    """What a request costs, as its usage row will have it: nothing when no model was asked, or when the model refused
    before it said anything."""
    return _costs(_charged_of_record(record), pricing)


def _costs(charged: Row, pricing: Pricing) -> Costs:
    (model, received_at, fresh, short, long, read, output, searches, tier, geo, speed, stop_reason) = charged
    if fresh is None or model is None or (stop_reason == "refusal" and not output):
        return NOTHING
    return pricing.costs(
        model,
        received_at,
        input_tokens=fresh,
        cache_creation_5m_input_tokens=short,
        cache_creation_1h_input_tokens=long,
        cache_read_input_tokens=read,
        output_tokens=output or 0,
        web_search_requests=searches,
        service_tier=tier,
        inference_geo=geo,
        speed=speed,
    )


def _priced(row: Row, pricing: Pricing) -> Row:
    if row[_INPUT] is None:
        return _FREE
    charged = _charged_of_row(row)
    costs = _costs(charged, pricing)
    return (sum(costs), context_window(sum(charged[_PROMPT])), *costs)


def usage_row(row: Row) -> Row | None:
    """The usage row that belongs to a request's row, None when no model was asked.

    A record counts as having asked a model once it says how many input tokens that took.
    """
    if row[_INPUT] is None or row[_MODEL] is None:
        return None
    if row[_OUTPUT] is None:
        row = (*row[:_OUTPUT], 0, *row[_OUTPUT + 1 :])
    return _usage_values(row)


def request_row(row: Row) -> Row:
    """What of `row` stands in the request log."""
    return row[:_OF_REQUEST]


def from_mapping(values: Mapping[str, Any]) -> Row:
    """A row from its values by column, as they stand in a spill file; columns it lacks get their default, and what
    was not priced yet is priced by the catalog.

    Raises KeyError without one of those that have none.
    """
    base = tuple([values[name] if name in values else _DEFAULTS[name] for name in _RECORD_COLUMNS])
    if all(name in values for name in _PRICED_COLUMNS):
        return base + tuple([values[name] for name in _PRICED_COLUMNS])
    return base + _priced(base, CATALOG_PRICES)


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
            if numbers and not 0 <= min(numbers) <= max(numbers) <= MOST_TOKENS:
                return False
    except TypeError:  # a value of another type than the record's
        return False
    return True


def _harmless(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if type(value) is int:
        return saturated(value)
    return value


_DEFAULTS: dict[str, Any] = {
    field.name: field.default for field in dataclasses.fields(RequestRecord) if field.default is not dataclasses.MISSING
}
