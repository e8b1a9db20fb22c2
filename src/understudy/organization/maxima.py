"""How many of its objects an organization may have.

Documented are a hundred workspaces (guide on workspaces, 2026-08), and that members and active keys have a bound too,
whose number Anthropic sets (errors of the official SDK 2.12.0): here whoever runs the server does. Changes take turns,
so that nobody gets past a bound by being quick. The texts are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.organization.errors import Code, coded
from understudy.organization.tables import api_keys, invites, users, workspace_members


@dataclass(frozen=True, slots=True)
class Maxima:
    """None is no bound. Archived workspaces don't count; pending invites count as members, and of keys those that are
    accepted now."""

    workspaces: int = 100
    members: int | None = None
    workspace_members: int | None = None
    api_keys: int | None = None
    workspace_api_keys: int | None = None


DEFAULT = Maxima()


async def refuse_members(connection: AsyncConnection, organization_id: str, most: int | None, now: float) -> None:
    """400 `org_member_limit_exceeded` where there is no room for one more."""
    if most is None:
        return
    present = (users.c.organization_id == organization_id) & users.c.removed_at.is_(None)
    is_pending = invites.c.deleted_at.is_(None) & invites.c.accepted_at.is_(None) & (invites.c.expires_at > now)
    there = await _count(connection, users, present)
    there += await _count(connection, invites, (invites.c.organization_id == organization_id) & is_pending)
    _refuse(there, most, "org_member_limit_exceeded", "organization", "members and pending invites")


async def refuse_workspace_members(connection: AsyncConnection, workspace_id: str, most: int | None) -> None:
    """400 `workspace_member_limit_exceeded` likewise."""
    if most is not None:
        there = await _count(connection, workspace_members, workspace_members.c.workspace_id == workspace_id)
        _refuse(there, most, "workspace_member_limit_exceeded", "workspace", "members")


async def refuse_keys(
    connection: AsyncConnection, organization_id: str, workspace_id: str | None, most: Maxima, now: float
) -> None:
    """400 `org_api_key_limit_exceeded` or `workspace_api_key_limit_exceeded` likewise."""
    of = api_keys.c
    is_live = (of.kind == "api") & (of.status == "active") & (of.expires_at.is_(None) | (of.expires_at > now))
    if most.api_keys is not None:
        there = await _count(connection, api_keys, is_live & (of.organization_id == organization_id))
        _refuse(there, most.api_keys, "org_api_key_limit_exceeded", "organization", "active API keys")
    if most.workspace_api_keys is not None and workspace_id is not None:
        there = await _count(connection, api_keys, is_live & (of.workspace_id == workspace_id))
        _refuse(there, most.workspace_api_keys, "workspace_api_key_limit_exceeded", "workspace", "active API keys")


async def _count(connection: AsyncConnection, table: Table, where: ColumnElement[bool]) -> int:
    return (await connection.execute(select(func.count()).select_from(table).where(where))).scalar_one()


def _refuse(there: int, most: int, code: Code, whose: str, what: str) -> None:
    if there >= most:
        raise coded(code, f"The {whose} has {there} {what} already. It may have {most}.")
