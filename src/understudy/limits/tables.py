"""Limits that were set for single organizations, workspaces and keys. What is not here follows the configuration.

Ids are those of the organization's rooms, without foreign keys: limits know nothing of what they belong to. Whoever
writes raises `limit_changes.revision` in the same transaction (see overrides.py).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Integer, PrimaryKeyConstraint, Table, Text

from understudy.storage.metadata import metadata

organization_tiers = Table(
    "organization_tiers",
    metadata,
    Column("organization_id", Text, primary_key=True),
    Column("tier", Text, nullable=False),
    Column("since", Double, nullable=False),  # seconds since the epoch
    # `administrator`, or `spend`: reached by spending, so that more spending leads on.
    Column("set_by", Text, nullable=False, server_default="spend"),
)

# A value may be above the organization's; the lower of both is enforced.
workspace_rate_limits = Table(
    "workspace_rate_limits",
    metadata,
    Column("workspace_id", Text, nullable=False),
    Column("group_id", Text, nullable=False),  # rlg_…
    Column("limiter_type", Text, nullable=False),
    Column("organization_id", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("workspace_id", "group_id", "limiter_type"),
)

workspace_limit_modes = Table(
    "workspace_limit_modes",
    metadata,
    Column("workspace_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("mode", Text, nullable=False),
    CheckConstraint("mode IN ('observe', 'enforce')", name="mode"),
)

# NULL is no bound of the key's own.
api_key_budgets = Table(
    "api_key_budgets",
    metadata,
    Column("api_key_id", Text, primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("requests_per_minute", BigInteger),
    Column("tokens_per_minute", BigInteger),
    Column("requests_per_day", BigInteger),
    Column("tokens_per_day", BigInteger),
)

# One row, made by the migration. Servers compare its number to know whether anything above has changed.
limit_changes = Table(
    "limit_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
