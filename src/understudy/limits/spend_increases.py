"""Members' requests for a higher spend limit. A member has at most one that is pending; what was decided stays.

Source: the Spend Limits API (2026-08). Members ask in the Console; nothing in the Admin API does.
"""

from __future__ import annotations

import time
from typing import Any, Literal

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.limits.spend_tables import spend_limit_increase_requests as requests
from understudy.wire.errors import InvalidRequestError, NotFoundError
from understudy.wire.ids import new_id


async def ask_for_increase(connection: AsyncConnection, organization_id: str, user_id: str) -> Row[Any]:
    """A member asks; the request that is pending already if there is one."""
    pending = select(requests).where(
        requests.c.organization_id == organization_id, requests.c.user_id == user_id, requests.c.status == "pending"
    )
    row = (await connection.execute(pending)).one_or_none()
    if row is not None:
        return row
    values = {"organization_id": organization_id, "user_id": user_id, "period": "monthly", "status": "pending"}
    await connection.execute(insert(requests).values(id=new_id("slir_"), created_at=time.time(), **values))
    return (await connection.execute(pending)).one()


async def find_increase(connection: AsyncConnection, organization_id: str, id_: str) -> Row[Any]:
    """Raises NotFoundError."""
    same = (requests.c.id == id_, requests.c.organization_id == organization_id)
    row = (await connection.execute(select(requests).where(*same).with_for_update())).one_or_none()
    if row is None:
        raise NotFoundError("Spend limit increase request not found")
    return row


async def resolve_increase(
    connection: AsyncConnection,
    organization_id: str,
    id_: str,
    status: Literal["approved", "denied"],
    resolved_by: str | None,
) -> Row[Any]:
    """Decide a request. Denying one that is denied changes nothing; any other that is decided stays as it is: 400
    [guess: status and text]. Raises NotFoundError."""
    row = await find_increase(connection, organization_id, id_)
    if row.status == "denied" == status:
        return row
    if row.status != "pending":
        raise InvalidRequestError(f"This request has already been {row.status}")
    values = {"status": status, "resolved_at": time.time(), "resolved_by_id": resolved_by}
    await connection.execute(update(requests).where(requests.c.id == id_).values(**values))
    return await find_increase(connection, organization_id, id_)
