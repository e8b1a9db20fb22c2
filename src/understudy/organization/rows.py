"""Finding and changing one row of an organization's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.organization.store import Change
from understudy.wire.errors import NotFoundError


async def find_row(
    connection: AsyncConnection, table: Table, organization_id: str, id_: str, called: str, *more: ColumnElement[bool]
) -> Any:
    """The row with that id, of which `more` holds. 404, in which it is `called` so, for any other id."""
    query = select(table).where(table.c.id == id_, table.c.organization_id == organization_id, *more)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise NotFoundError(f"{called} not found")
    return row


async def write_row(
    change: Change,
    table: Table,
    row: Any,
    values: Mapping[str, Any],
    show: Callable[[Any], dict[str, Any]],
    action: str,
) -> dict[str, Any]:
    """The row as `show` shows it once it has `values`, which the audit log knows as `action` on what it shows."""
    await change.connection.execute(update(table).where(table.c.id == row.id).values(**values))
    before = show(row)
    after = show((await change.connection.execute(select(table).where(table.c.id == row.id))).one())
    await change.log(action, before["type"], row.id, before=before, after=after)
    return after
