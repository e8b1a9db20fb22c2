"""Usage and cost of an organization, added up by time and whatever else is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import Select, select, text

from understudy.storage.database import Database
from understudy.usage.retention import KEPT_MINUTES
from understudy.usage.rollups import bucket_of
from understudy.usage.tables import DAY, HOUR, MINUTE, SUMMED, usage_days, usage_dimensions, usage_hours
from understudy.usage.tables import usage_minutes as minutes

Width: TypeAlias = Literal["1m", "1h", "1d"]
SECONDS: Final[Mapping[Width, int]] = {"1m": MINUTE, "1h": HOUR, "1d": DAY}

_ROLLUPS: Final = {"1m": minutes, "1h": usage_hours, "1d": usage_days}


@dataclass(frozen=True, slots=True)
class ReportQuery:
    """`start` and `end`, seconds, are bounds of buckets; `end` is exclusive.

    `group_by` names dimensions (tables.py), or `account_id` and `service_account_id`, which are kinds of actors. Each
    of `filters` names a dimension and the values that count, each of `without` one and those that do not; "" is none.
    `summed` are the columns wanted beside the number of requests.
    """

    organization_id: str
    start: int
    end: int
    width: Width
    group_by: Sequence[str] = ()
    filters: Sequence[tuple[str, frozenset[str]]] = ()
    without: Sequence[tuple[str, frozenset[str]]] = ()
    summed: Sequence[str] = SUMMED


class Report(NamedTuple):
    """`groups`: the values of the dimensions that were grouped by. `buckets`: by its beginning, the rows of each bucket
    that has any: the beginning, the group's place in `groups`, the requests, and the sums as they were asked for."""

    groups: Sequence[tuple[str, ...]]
    buckets: Mapping[int, Sequence[Sequence[int]]]


async def report(db: Database, query: ReportQuery, now: float) -> Report:
    """What `query` asks for. `now`, in seconds, tells how far back the minutes' sums go."""
    async with db.connect() as connection:
        dimensions = (await connection.execute(_dimensions(query))).all()
        if not dimensions:
            return Report((), {})
        numbers: dict[tuple[str, ...], int] = {}
        group_of = {row[0]: numbers.setdefault(_group(query, row[1:]), len(numbers)) for row in dimensions}
        pairs = ", ".join(f"({dimension}, {number})" for dimension, number in group_of.items())
        head = f"WITH m(d, g) AS (VALUES {pairs}) "
        if db.dialect == "sqlite":
            # SQLite reads a list of values through for every row; a table it looks up. It is gone with the rollback.
            head = ""
            await connection.exec_driver_sql("CREATE TEMPORARY TABLE m (d INTEGER PRIMARY KEY, g INTEGER NOT NULL)")
            await connection.exec_driver_sql(f"INSERT INTO m VALUES {pairs}")  # noqa: S608 numbers only
        statement = head + _statement(query, len(numbers) == len(group_of), db.dialect, now)
        rows = (await connection.execute(text(statement), {"start": query.start, "end": query.end})).all()
        await connection.rollback()
    buckets: dict[int, list[Sequence[int]]] = {}
    for row in rows:
        buckets.setdefault(row[0], []).append(row)
    return Report(list(numbers), buckets)


def _dimensions(query: ReportQuery) -> Select[Any]:
    of = usage_dimensions.c
    grouped = [of[_ACTORS[name][0] if name in _ACTORS else name] for name in query.group_by]
    wanted = select(of.id, *grouped).where(of.organization_id == query.organization_id)
    for name, values in query.filters:
        wanted = wanted.where(of[name].in_(sorted(values)))
    for name, values in query.without:
        wanted = wanted.where(of[name].not_in(sorted(values)))
    return wanted.order_by(*grouped, of.id)


def _group(query: ReportQuery, values: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        [
            value if name not in _ACTORS or value.startswith(_ACTORS[name][1]) else ""
            for name, value in zip(query.group_by, values, strict=True)
        ]
    )


# How the ids of each kind of actor begin.
_ACTORS: Final = {"account_id": ("actor_id", "user_"), "service_account_id": ("actor_id", "svac_")}


def _statement(query: ReportQuery, single: bool, dialect: str, now: float) -> str:
    """The sums by bucket and group. All that stands in it are names of our own.

    Groups go along as numbers: texts take several times longer to sort. `single`: each group is one combination, so
    that there is nothing left to add up.
    """
    if query.width == "1m" and query.start < now - KEPT_MINUTES:
        table, place, begins, count = '"usage"', "received_at", bucket_of(dialect, MINUTE), "count(*)"
    else:
        table, place, begins, count = _ROLLUPS[query.width].name, "bucket", "bucket", "sum(requests)"
        if single:
            sums = "".join(f", {name}" for name in query.summed)
            return f"SELECT bucket, g, requests{sums} FROM {table} {_WITHIN.format(place)} ORDER BY 1, 2"  # noqa: S608
    sums = "".join(f", CAST(sum({name}) AS BIGINT)" for name in query.summed)
    return (
        f"SELECT {begins} AS begins, g, CAST({count} AS BIGINT){sums} FROM {table} "  # noqa: S608
        f"{_WITHIN.format(place)} GROUP BY 1, 2 ORDER BY 1, 2"
    )


_WITHIN: Final = "JOIN m ON m.d = dimension_id WHERE {0} >= :start AND {0} < :end"
