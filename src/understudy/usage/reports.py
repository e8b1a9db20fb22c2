"""Usage and cost of an organization, added up by time and whatever else is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Final, Literal, TypeAlias

import orjson
from sqlalchemy import text

from understudy.storage.database import Database
from understudy.usage.grouping import Scope, grouping, joined
from understudy.usage.retention import KEPT_MINUTES
from understudy.usage.rollups import bucket_of
from understudy.usage.tables import COSTS, DAY, HOUR, MINUTE, SUMMED, usage_days, usage_hours
from understudy.usage.tables import usage_minutes as minutes

Width: TypeAlias = Literal["1m", "1h", "1d"]
SECONDS: Final[Mapping[Width, int]] = {"1m": MINUTE, "1h": HOUR, "1d": DAY}

COST: Final = "cost"
"""What a report's `summed` may name beside the columns: all costs in one number."""

_SQL: Final[Mapping[str, str]] = {COST: f"({' + '.join(COSTS)})"}

_ROLLUPS: Final = {"1m": minutes, "1h": usage_hours, "1d": usage_days}


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """`start` and `end`, seconds, are bounds of buckets; `end` is exclusive. `summed` are the columns wanted beside the
    number of requests, or COST."""

    scope: Scope
    start: int
    end: int
    width: Width
    summed: Sequence[str] = SUMMED


Sums: TypeAlias = Sequence[int]
"""A group's place in a report's `groups`, its requests, and the sums as they were asked for."""


@dataclass(frozen=True, slots=True)
class Report:
    """`groups`: the values that were grouped by."""

    groups: Sequence[tuple[str, ...]]
    texts: Mapping[int, str]
    """By a bucket's beginning its rows, as lists of JSON between commas."""

    def rows(self, begins: int) -> list[list[int]]:
        """The sums of the bucket that begins at `begins`, in the order of the groups."""
        found: list[list[int]] = orjson.loads(f"[{self.texts.get(begins, '')}]")
        found.sort(key=itemgetter(0))
        return found


NOTHING: Final = Report((), {})


async def report(db: Database, query: ReportQuery, now: float) -> Report:
    """What `query` asks for. `now`, in seconds, tells how far back the minutes' sums go."""
    async with db.connect() as connection:
        found = await grouping(connection, query.scope)
        if not found.of:
            return NOTHING
        groups = sorted(found.groups.items(), key=itemgetter(1))
        place_of = {number: place for place, (number, _) in enumerate(groups)}
        places = {dimension: place_of[number] for dimension, number in found.of.items()}
        head = await joined(connection, db.dialect, places)
        statement = head + _statement(query, found.single, db.dialect, now)
        rows = (await connection.execute(text(statement), {"start": query.start, "end": query.end})).all()
        await connection.rollback()
    return Report([values for _, values in groups], {row[0]: row[1] for row in rows})


def source(width: Width, start: float, dialect: str, now: float) -> tuple[str, str, str, str]:
    """Where sums of `width` are from: the table, its column of time, and SQL for a bucket's beginning and for how many
    requests a row stands for. Minutes from before those that are kept are added up from the usage rows."""
    if width == "1m" and start < now - KEPT_MINUTES:
        return '"usage"', "received_at", bucket_of(dialect, MINUTE), "1"
    return _ROLLUPS[width].name, "bucket", "bucket", "requests"


def _statement(query: ReportQuery, single: bool, dialect: str, now: float) -> str:
    """A row for each bucket, whose second column has the sums of all its groups: made into one text by the database,
    for a hundred thousand rows of Python take several times as long. All that stands in it are names of our own."""
    table, place, begins, count = source(query.width, query.start, dialect, now)
    within = f"JOIN m ON m.d = dimension_id WHERE {place} >= :start AND {place} < :end"
    columns = ["g", "requests", *query.summed]
    if single and table != '"usage"':
        read = [_SQL.get(name, name) for name in columns]
        return f"SELECT {begins}, {_list(dialect, read)} FROM {table} {within} GROUP BY 1"  # noqa: S608
    sums = "".join(f", CAST(sum({_SQL.get(name, name)}) AS BIGINT) AS {name}" for name in query.summed)
    return (
        f"SELECT begins, {_list(dialect, columns)} FROM (SELECT {begins} AS begins, g, "  # noqa: S608
        f"CAST(sum({count}) AS BIGINT) AS requests{sums} FROM {table} {within} GROUP BY 1, 2) AS s GROUP BY 1"
    )


def _list(dialect: str, columns: Sequence[str]) -> str:
    """SQL for a list of JSON of each row's `columns`, all of them in one text."""
    if dialect == "sqlite":
        # A third of the time that || takes.
        return f"group_concat(printf('[{','.join(['%d'] * len(columns))}]', {', '.join(columns)}))"
    values = " || ',' || ".join(columns)
    return f"string_agg('[' || {values} || ']', ',')"
