"""Usage and cost of groups, a page of the largest, smallest, newest or oldest at a time: over a range of hours as a
whole, or by time buckets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import text

from understudy.storage.database import Database
from understudy.usage.grouping import Scope, grouping, joined
from understudy.usage.reports import SECONDS, Width, source
from understudy.usage.tables import DAY, usage_days, usage_hours


class Place(NamedTuple):
    """Where a page ends: the value that a row was ranked by, the beginning of its bucket, and its group's number."""

    rank: int
    begins: int
    group: int


@dataclass(frozen=True, slots=True)
class RankQuery:
    """`start` and `end`, in seconds, are bounds of buckets, or of hours where `width` is None: then each group has one
    row. `summed` are the columns wanted, and `ranked` those of them, or `requests`, whose sum rows are ranked by.

    `by_time`: by bucket first, and within one by the largest rank. `positive`: without rows whose rank is 0. `after`:
    the place that the page before ended at.
    """

    scope: Scope
    start: int
    end: int
    width: Width | None
    summed: Sequence[str]
    ranked: Sequence[str]
    by_time: bool = False
    ascending: bool = False
    positive: bool = False
    limit: int = 20
    after: Place | None = None


class Ranked(NamedTuple):
    """A row: where its bucket begins (0 without buckets), the values that were grouped by, requests, and sums."""

    begins: int
    group: tuple[str, ...]
    requests: int
    sums: tuple[int, ...]


async def ranking(db: Database, query: RankQuery, now: float) -> tuple[list[Ranked], Place | None]:
    """A page, and the place that the next begins behind, if there is one. `now`, in seconds, tells how far back the
    minutes' sums go."""
    async with db.connect() as connection:
        found = await grouping(connection, query.scope)
        if not found.of:
            return [], None
        statement = await joined(connection, db.dialect, found.of) + _statement(query, found.single, db.dialect, now)
        rows = (await connection.execute(text(statement), _parameters(query))).all()
        await connection.rollback()
    page = [Ranked(row[0], found.groups[row[1]], row[2], tuple(row[4:])) for row in rows[: query.limit]]
    if len(rows) <= query.limit:
        return page, None
    begins, group, _, rank = rows[query.limit - 1][:4]
    return page, Place(rank, begins, group)


def _parameters(query: RankQuery) -> dict[str, int]:
    start, end = query.start, query.end
    given = {"limit": query.limit + 1}
    if query.after is not None:
        given |= query.after._asdict()
        if query.by_time and query.ascending:
            given["rank"] = -query.after.rank
        if query.by_time and query.width is not None:
            # What lies on pages before need not be read again.
            if query.ascending:
                start = max(start, query.after.begins)
            else:
                end = min(end, query.after.begins + SECONDS[query.width])
    given |= {"start": start, "end": end}
    if query.width is None:
        # Whole days are in the sums by the day.
        first = min(-(-start // DAY) * DAY, end)
        given |= {"first": first, "last": max(first, end // DAY * DAY)}
    return given


# What a row is sorted by, and which way its parts are compared. Within a bucket the largest rank always comes first.
_ORDERS: Final = {
    (False, False): ("rank, begins, g", "<", "rank DESC, begins DESC, g DESC", ":rank, :begins, :group"),
    (False, True): ("rank, begins, g", ">", "rank, begins, g", ":rank, :begins, :group"),
    (True, False): ("begins, rank, g", "<", "begins DESC, rank DESC, g DESC", ":begins, :rank, :group"),
    (True, True): ("begins, -rank, g", ">", "begins, -rank, g", ":begins, :rank, :group"),
}


def _statement(query: RankQuery, single: bool, dialect: str, now: float) -> str:
    """All that stands in it are names of our own."""
    key, sign, order, place = _ORDERS[query.by_time, query.ascending]
    conditions = [] if query.after is None else [f"({key}) {sign} ({place})"]
    if query.positive:
        conditions.append("rank > 0")
    where = f"WHERE {' AND '.join(conditions)} " if conditions else ""
    names = "".join(f", {name}" for name in query.summed)
    rank = " + ".join(query.ranked)
    return (
        f"SELECT begins, g, requests, rank{names} FROM (SELECT *, {rank} AS rank "  # noqa: S608
        f"FROM ({_sums(query, single, dialect, now)}) AS s) AS r {where}ORDER BY {order} LIMIT :limit"
    )


def _sums(query: RankQuery, single: bool, dialect: str, now: float) -> str:
    """The sums of each group, and each bucket."""
    names = "".join(f", {name}" for name in query.summed)
    sums = "".join(f", CAST(sum({name}) AS BIGINT) AS {name}" for name in query.summed)
    if query.width is None:
        parts = (
            (usage_hours.name, ":start", ":first"),
            (usage_days.name, ":first", ":last"),
            (usage_hours.name, ":last", ":end"),
        )
        rows = " UNION ALL ".join(
            f"SELECT dimension_id, requests{names} FROM {table} WHERE bucket >= {begins} AND bucket < {ends}"  # noqa: S608
            for table, begins, ends in parts
        )
        return (
            f"SELECT 0 AS begins, g, CAST(sum(requests) AS BIGINT) AS requests{sums} "  # noqa: S608
            f"FROM ({rows}) AS u JOIN m ON m.d = dimension_id GROUP BY g"
        )
    table, place, begins, count = source(query.width, query.start, dialect, now)
    within = f"JOIN m ON m.d = dimension_id WHERE {place} >= :start AND {place} < :end"
    if single and table != '"usage"':
        return f"SELECT {begins} AS begins, g, requests{names} FROM {table} {within}"  # noqa: S608
    return (
        f"SELECT {begins} AS begins, g, CAST(sum({count}) AS BIGINT) AS requests{sums} "  # noqa: S608
        f"FROM {table} {within} GROUP BY 1, 2"
    )
