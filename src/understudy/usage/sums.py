"""What was spent: sums over the days' roll-up, which is kept for ever."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, Subquery, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.usage.tables import COSTS, usage_days, usage_dimensions

_COST: Final = sum((usage_days.c[name] for name in COSTS[1:]), usage_days.c[COSTS[0]])


class Month(NamedTuple):
    """A calendar month in UTC: `start` and `end` in seconds since the epoch, the end exclusive."""

    start: int
    end: int

    @property
    def name(self) -> str:
        """As in 2026-11."""
        return datetime.fromtimestamp(self.start, UTC).strftime("%Y-%m")

    @property
    def next_date(self) -> str:
        """The day that the next month begins with, as in 2026-12-01."""
        return datetime.fromtimestamp(self.end, UTC).strftime("%Y-%m-%d")


def month_of(at: float) -> Month:
    """The month that the moment `at` falls into."""
    day = datetime.fromtimestamp(at, UTC)
    start = datetime(day.year, day.month, 1, tzinfo=UTC)
    following = datetime(day.year + day.month // 12, day.month % 12 + 1, 1, tzinfo=UTC)
    return Month(int(start.timestamp()), int(following.timestamp()))


def _costs(*within: ColumnElement[bool]) -> Subquery:
    """What each combination of dimensions cost. Added up before it is joined: SQLite would else go through all the days
    once for each combination of an organization."""
    of = usage_days.c
    return (
        select(of.dimension_id, func.sum(_COST).label("cost"))
        .where(*within)
        .group_by(of.dimension_id)
        .subquery("costs")
    )


Scope = tuple[str, str, str]
"""An organization's id; `organization`, `workspace`, `user` (also service accounts) or `api_key`; and the id of that,
empty for the organization."""


async def spent_in(connection: AsyncConnection, month: Month, organization: str | None = None) -> dict[Scope, int]:
    """What was spent in a month, in nano-dollars, by that organization or by all."""
    of = usage_dimensions.c
    by = (of.organization_id, of.workspace_id, of.actor_id, of.api_key_id)
    days = _costs(usage_days.c.bucket >= month.start, usage_days.c.bucket < month.end)
    query = (
        select(*by, func.sum(days.c.cost)).join_from(days, usage_dimensions, of.id == days.c.dimension_id).group_by(*by)
    )
    if organization is not None:
        query = query.where(of.organization_id == organization)
    found: dict[Scope, int] = {}
    for organization_id, workspace_id, actor_id, api_key_id, cost in (await connection.execute(query)).all():
        scopes = [(organization_id, "organization", "")]
        for scope, id_ in (("workspace", workspace_id), ("user", actor_id), ("api_key", api_key_id)):
            if id_:
                scopes.append((organization_id, scope, id_))
        for key in scopes:
            found[key] = found.get(key, 0) + int(cost)
    return found


async def spent_ever(connection: AsyncConnection, organization: str | None = None) -> dict[str, int]:
    """What that organization, or each, has spent in all, in nano-dollars."""
    of = usage_dimensions.c
    days = _costs()
    query = (
        select(of.organization_id, func.sum(days.c.cost))
        .join_from(days, usage_dimensions, of.id == days.c.dimension_id)
        .group_by(of.organization_id)
    )
    if organization is not None:
        query = query.where(of.organization_id == organization)
    return {id_: int(cost) for id_, cost in (await connection.execute(query)).all() if id_}
