"""Setting limits for single organizations, workspaces and keys.

Each function writes in the transaction of the `connection` it is given, so that who asks can audit in the same one.
Servers notice within a second of the commit.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, cast, get_args

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.limits.bucket import MOST
from understudy.limits.config import KeyBudget, Mode
from understudy.limits.groups import Groups, LimiterType
from understudy.limits.tables import (
    api_key_budgets,
    limit_changes,
    organization_tiers,
    workspace_limit_modes,
    workspace_rate_limits,
)
from understudy.limits.tiers import TierTable
from understudy.wire.errors import InvalidRequestError, NotFoundError

# The SDK's WorkspaceRateLimitType (2.12.0) has all but these.
_NOT_OF_WORKSPACES: Final = frozenset({"enqueued_batch_requests", "requests_per_hour"})
WORKSPACE_LIMITER_TYPES: Final = frozenset(
    each for each in cast("tuple[LimiterType, ...]", get_args(LimiterType)) if each not in _NOT_OF_WORKSPACES
)

_MOST_VALUES: Final = 16


async def set_tier(connection: AsyncConnection, table: TierTable, organization_id: str, tier: str | None) -> None:
    """Put an organization on a tier, whatever it spends; with None on the one that its spending has reached. Raises
    InvalidRequestError for one that the table has not."""
    if tier is not None and table.find(tier) is None:
        known = ", ".join(each.name for each in table.tiers)
        raise InvalidRequestError(f"tier: Input should be one of {known}")
    where = {"organization_id": organization_id}
    row = None if tier is None else {**where, "tier": tier, "since": time.time(), "set_by": "administrator"}
    await _replace(connection, organization_tiers, where, row)


async def advance_tier(connection: AsyncConnection, organization_id: str, tier: str) -> bool:
    """Put an organization on a tier that its spending has reached; not where an administrator has set one."""
    await _changed(connection)
    of = organization_tiers.c
    set_by = select(of.set_by).where(of.organization_id == organization_id)
    if (await connection.execute(set_by)).scalar() == "administrator":
        return False
    where = {"organization_id": organization_id}
    await _put(connection, organization_tiers, where, {**where, "tier": tier, "since": time.time(), "set_by": "spend"})
    return True


async def set_workspace_limits(
    connection: AsyncConnection,
    groups: Groups,
    organization_id: str,
    workspace_id: str,
    group_id: str,
    values: Mapping[str, int | None],
    *,
    is_default: bool,
) -> None:
    """Set limiters of a workspace for one group, or with None clear them; the others stay as they are.

    A value above the organization's is kept, but the lower of both is enforced. Raises NotFoundError for an unknown
    group, InvalidRequestError for the default workspace (which has no limits of its own) and for values that cannot
    be.
    """
    if is_default:
        # [guess] The documentation says that it cannot have limits, not in which words it is told.
        raise InvalidRequestError("Rate limits cannot be set on the default workspace.")
    if groups.of_id(group_id) is None:
        raise NotFoundError("Rate limit not found.")
    if not 1 <= len(values) <= _MOST_VALUES:
        raise InvalidRequestError(f"limits: must hold 1 to {_MOST_VALUES} values")
    for limiter, value in values.items():
        if limiter not in WORKSPACE_LIMITER_TYPES:
            raise InvalidRequestError(f"limits: {limiter[:100]!r} is not a limiter type")
        _check(f"limits: {limiter}", value)
    for limiter, value in values.items():
        where = {"workspace_id": workspace_id, "group_id": group_id, "limiter_type": limiter}
        row = None if value is None else {**where, "organization_id": organization_id, "value": value}
        await _replace(connection, workspace_rate_limits, where, row)


async def set_workspace_mode(
    connection: AsyncConnection, organization_id: str, workspace_id: str, mode: Mode | None
) -> None:
    """Let a workspace's limits be enforced, or observed only; with None as the installation does."""
    where = {"workspace_id": workspace_id}
    row = None if mode is None else {**where, "organization_id": organization_id, "mode": mode}
    await _replace(connection, workspace_limit_modes, where, row)


async def set_key_budget(connection: AsyncConnection, organization_id: str, api_key_id: str, budget: KeyBudget) -> None:
    """What a key may use; bounds that are None follow the installation's. Raises InvalidRequestError."""
    values = budget._asdict()
    for name, value in values.items():
        _check(name, value)
    where = {"api_key_id": api_key_id}
    empty = all(value is None for value in values.values())
    row = None if empty else {**where, "organization_id": organization_id, **values}
    await _replace(connection, api_key_budgets, where, row)


def _check(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value <= MOST:
        raise InvalidRequestError(f"{name}: must be 0 to {MOST}")


async def _replace(
    connection: AsyncConnection, table: Table, where: Mapping[str, Any], row: Mapping[str, Any] | None
) -> None:
    await _changed(connection)
    await _put(connection, table, where, row)


async def _changed(connection: AsyncConnection) -> None:
    # Before anything else: the row's lock makes all writers take turns.
    await connection.execute(update(limit_changes).values(revision=limit_changes.c.revision + 1))


async def _put(
    connection: AsyncConnection, table: Table, where: Mapping[str, Any], row: Mapping[str, Any] | None
) -> None:
    await connection.execute(delete(table).where(*(table.c[name] == value for name, value in where.items())))
    if row is not None:
        await connection.execute(insert(table).values(**row))
