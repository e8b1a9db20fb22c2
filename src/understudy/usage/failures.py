"""How many requests were refused or failed, by time: what the sums of usage do not tell, since no model was asked.

Requests of ours, below /_understudy, do not count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.usage.rollups import bucket_of
from understudy.usage.tables import FAILED

By: TypeAlias = Literal["workspace_id", "api_key_id", "actor_id", "model"]

BY: Final[tuple[By, ...]] = ("workspace_id", "api_key_id", "actor_id", "model")


class Failures(NamedTuple):
    """Of a bucket and a group: all, those among them that a limit refused, and those that asked a model all the same,
    which are in the sums of usage too."""

    begins: int
    group: tuple[str, ...]
    failed: int
    rate_limited: int
    asked: int


@dataclass(frozen=True, slots=True)
class FailureQuery:
    """`start` and `end`, seconds, are bounds of buckets of `width` seconds; `equal` are filters."""

    organization_id: str
    start: int
    end: int
    width: int
    group_by: Sequence[By] = ()
    equal: Sequence[tuple[By, str]] = ()


async def failures(connection: AsyncConnection, dialect: str, query: FailureQuery) -> Iterator[Failures]:
    """Those there are, from the index of failures alone."""
    groups = "".join(f", coalesce({name}, '') AS g{place}" for place, name in enumerate(query.group_by))
    filters = "".join(f" AND {name} = :f{place}" for place, (name, _) in enumerate(query.equal))
    numbers = ", ".join(str(place + 1) for place in range(len(query.group_by) + 1))
    statement = (
        f"SELECT {bucket_of(dialect, query.width)} AS begins{groups}, count(*), "  # noqa: S608 names of ours
        "sum(CASE WHEN status = 429 THEN 1 ELSE 0 END), sum(CASE WHEN input_tokens IS NULL THEN 0 ELSE 1 END) "
        f"FROM request_log WHERE {FAILED} AND received_at >= :start AND received_at < :end "
        f"AND organization_id = :organization_id{filters} GROUP BY {numbers} ORDER BY {numbers}"
    )
    values = {"start": float(query.start), "end": float(query.end), "organization_id": query.organization_id}
    values |= {f"f{place}": value for place, (_, value) in enumerate(query.equal)}
    rows = (await connection.execute(text(statement), values)).all()
    return (Failures(int(row[0]), tuple(row[1:-3]), int(row[-3]), int(row[-2]), int(row[-1])) for row in rows)
