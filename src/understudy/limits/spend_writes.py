"""Setting what bounds spending. Each function writes in the transaction of the `connection` it is given, so that who
asks can audit in the same one; servers notice within a second of the commit. Amounts are nano-dollars.
"""

from __future__ import annotations

import time
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.limits.spend_tables import credit_entries, spend_alerts, spend_alerts_told, spend_limits
from understudy.limits.tables import limit_changes
from understudy.usage.money import NANO
from understudy.usage.sums import spent_ever
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id

LimitScope: TypeAlias = Literal["organization", "workspace", "user", "api_key"]

MOST: Final = 1_000_000_000 * NANO
"""The largest amount that may be set: a thousand million dollars."""


async def set_spend_limit(
    connection: AsyncConnection,
    organization_id: str,
    scope: LimitScope,
    scope_id: str,
    amount: int | None,
    *,
    now: float | None = None,
) -> Row[Any]:
    """Set the monthly limit of a scope; None says that there is none. `scope_id` is empty for the organization.

    Returns its row. There is one for each scope: setting it again keeps its id.
    """
    _check("amount", amount)
    now = time.time() if now is None else now
    # First the number, whose row's lock makes all writers take turns.
    await _changed(connection)
    of = spend_limits.c
    same = (of.organization_id == organization_id, of.scope_type == scope, of.scope_id == scope_id)
    changed = await connection.execute(update(spend_limits).where(*same).values(amount=amount, updated_at=now))
    if not changed.rowcount:
        values = {"scope_type": scope, "scope_id": scope_id, "period": "monthly", "amount": amount}
        times = {"created_at": now, "updated_at": now}
        row = {"id": new_id("spl_"), "organization_id": organization_id, **values, **times}
        await connection.execute(insert(spend_limits).values(**row))
    return (await connection.execute(select(spend_limits).where(*same))).one()


async def delete_spend_limit(connection: AsyncConnection, organization_id: str, id_: str) -> Row[Any]:
    """Remove a limit; what was inherited counts again. Returns what was. Raises NotFoundError."""
    await _changed(connection)
    same = (spend_limits.c.id == id_, spend_limits.c.organization_id == organization_id)
    row = (await connection.execute(select(spend_limits).where(*same))).one_or_none()
    if row is None:
        raise NotFoundError("Spend limit not found")
    await connection.execute(delete(spend_limits).where(*same))
    return row


async def add_credit(
    connection: AsyncConnection, organization_id: str, amount: int, note: str = "", *, now: float | None = None
) -> str:
    """Pay credit in, or with a negative amount take it back; the id of the entry.

    From the first entry on an organization pays beforehand: requests are refused once its credit is used up.
    """
    if not -MOST <= amount <= MOST or amount == 0:
        raise InvalidRequestError("amount: must not be zero, and at most a thousand million dollars")
    await _changed(connection)
    of = credit_entries.c
    paid = (await connection.execute(select(of.amount).where(of.organization_id == organization_id))).scalars().all()
    # Added up here: the sum of what an older version took may be more than the database's 64 bits hold. Such a balance
    # can be brought back.
    balance = sum(paid)
    if abs(balance + amount) > MOST and abs(balance + amount) >= abs(balance):
        raise InvalidRequestError("amount: all credit together must be at most a thousand million dollars")
    before = 0 if paid else (await spent_ever(connection)).get(organization_id, 0)
    id_, created_at = new_id("credit_"), time.time() if now is None else now
    entry = {"organization_id": organization_id, "amount": amount, "spent_before": before, "note": note}
    await connection.execute(insert(credit_entries).values(id=id_, created_at=created_at, **entry))
    return id_


async def add_alert(connection: AsyncConnection, organization_id: str, workspace_id: str, amount: int) -> str:
    """Tell, once a month, when so much was spent; the id of the alert. No workspace is the whole organization."""
    _check("amount", amount)
    await _changed(connection)
    id_ = new_id("spa_")
    values = {"id": id_, "organization_id": organization_id, "workspace_id": workspace_id, "amount": amount}
    await connection.execute(insert(spend_alerts).values(**values, created_at=time.time()))
    return id_


async def delete_alert(connection: AsyncConnection, organization_id: str, id_: str) -> None:
    """Raises NotFoundError."""
    await _changed(connection)
    same = (spend_alerts.c.id == id_, spend_alerts.c.organization_id == organization_id)
    if not (await connection.execute(delete(spend_alerts).where(*same))).rowcount:
        raise NotFoundError("Spend alert not found")
    await connection.execute(delete(spend_alerts_told).where(spend_alerts_told.c.alert_id == id_))


def _check(name: str, amount: int | None) -> None:
    if amount is not None and not 0 <= amount <= MOST:
        raise InvalidRequestError(f"{name}: must be at least 0 and at most a thousand million dollars")


async def _changed(connection: AsyncConnection) -> None:
    await connection.execute(update(limit_changes).values(revision=limit_changes.c.revision + 1))
