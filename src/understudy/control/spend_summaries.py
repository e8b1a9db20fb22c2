"""What bounds the spending of each member of an organization, and what each has spent this month."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.control.spend_shapes import (
    limit_object,
    scope_of,
    tier_limit_id,
    tier_limit_object,
    user_actor,
)
from understudy.limits.spend_tables import spend_limits
from understudy.limits.tables import organization_tiers
from understudy.limits.tiers import TierTable
from understudy.organization.tables import organizations
from understudy.usage.money import CENT, CURRENCY, NANO, nano
from understudy.usage.sums import Scope, month_of, spent_in

_PLACES: Final = NANO // 100_000  # of a cent, which these amounts have three


def spend_text(amount: int) -> str:
    """Spending in cents with at most three places behind the point."""
    whole, rest = divmod(amount // _PLACES, CENT // _PLACES)
    return f"{whole}.{rest:03d}".rstrip("0").rstrip(".")


class Effective:
    """What bounds each member of an organization, and what each has spent this month."""

    def __init__(
        self,
        organization_id: str,
        limits: Mapping[tuple[str, str], Row[Any]],
        tier: dict[str, Any] | None,
        spent: Mapping[Scope, int],
    ) -> None:
        self._organization_id = organization_id
        self._limits = limits
        self._tier = tier
        self._spent = spent

    def summary(self, user: Row[Any]) -> dict[str, Any]:
        """A SpendSummary."""
        row = self._limits.get(("user", user.id)) or self._limits.get(("organization", ""))
        source: Any = scope_of("organization", "")
        amount: str | None = None
        id_ = tier_limit_id(self._organization_id)
        if row is not None:
            shown = limit_object(row)
            source, amount, id_ = shown["scope"], shown["amount"], row.id
        elif self._tier is not None:
            source, amount = self._tier["scope"], self._tier["amount"]
        return {
            "scope": scope_of("user", user.id),
            "actor": user_actor(user),
            "amount": amount,
            "currency": CURRENCY,
            "period": "monthly",
            "source": source,
            "spend_limit_id": id_,
            "period_to_date_spend": spend_text(self._spent.get((self._organization_id, "user", user.id), 0)),
        }


class Summaries:
    """Reads what `Effective` tells. `tier`: of organizations that have none of their own. `clock`: seconds since the
    epoch."""

    def __init__(self, table: TierTable, tier: str | None, clock: Callable[[], float]) -> None:
        self._table = table
        self._tier = tier
        self._clock = clock

    async def tier_limit(self, connection: AsyncConnection, organization_id: str) -> dict[str, Any] | None:
        """The SpendLimit of the organization's tier; None for a tier without a cap."""
        query = select(organization_tiers).where(organization_tiers.c.organization_id == organization_id)
        own = (await connection.execute(query)).one_or_none()
        cap = self._table.tier(self._tier if own is None else own.tier).monthly_spend_cap
        if cap is None:
            return None
        since = None if own is None else own.since
        if since is None:
            made = select(organizations.c.created_at).where(organizations.c.id == organization_id)
            since = (await connection.execute(made)).scalar() or 0.0
        return tier_limit_object(organization_id, nano(cap), since)

    async def load(self, connection: AsyncConnection, organization_id: str) -> Effective:
        """What is in force now."""
        of = spend_limits.c
        rows = (await connection.execute(select(spend_limits).where(of.organization_id == organization_id))).all()
        limits = {(row.scope_type, row.scope_id): row for row in rows}
        spent = await spent_in(connection, month_of(self._clock()))
        return Effective(organization_id, limits, await self.tier_limit(connection, organization_id), spent)
