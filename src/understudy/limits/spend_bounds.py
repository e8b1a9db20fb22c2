"""What bounds spending, as it stands in memory: loaded from the database, and looked at again when it changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.limits.spend_tables import credit_entries, spend_alerts, spend_limits


@dataclass(frozen=True, slots=True)
class Alert:
    """`workspace_id` is empty for the whole organization."""

    id: str
    organization_id: str
    workspace_id: str
    amount: int


@dataclass(frozen=True, slots=True)
class SpendBounds:
    """Nano-dollars. `limits`: scope type and id (the organization's own id for its own) → the most for a month.
    `credit`: organization → what it may have spent in all, since credit is what was paid in beyond what it had spent
    before."""

    limits: Mapping[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    credit: Mapping[str, int] = field(default_factory=dict[str, int])
    alerts: tuple[Alert, ...] = ()


async def load_bounds(connection: AsyncConnection) -> SpendBounds:
    """What is in force now."""
    limits: dict[tuple[str, str], int] = {}
    # An amount of NULL says that there is no limit here.
    query = select(spend_limits).where(spend_limits.c.amount.is_not(None))
    for row in (await connection.execute(query)).all():
        limits[row.scope_type, row.scope_id or row.organization_id] = row.amount
    of = credit_entries.c
    credit: dict[str, int] = {}
    # Added up here: the sums of what older versions took may be more than the database's 64 bits hold.
    for organization_id, amount, before in await connection.execute(
        select(of.organization_id, of.amount, of.spent_before)
    ):
        credit[organization_id] = credit.get(organization_id, 0) + amount + before
    alerts = tuple(
        Alert(row.id, row.organization_id, row.workspace_id, row.amount)
        for row in (await connection.execute(select(spend_alerts))).all()
    )
    return SpendBounds(limits, credit, alerts)
