"""What bounds money: limits that were set, prepaid credit, alerts.

Amounts are nano-dollars, times seconds since the epoch. As with rate limits, whoever writes raises
`limit_changes.revision` in the same transaction (see spend_writes.py).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Column, Double, Index, Table, Text, UniqueConstraint

from understudy.storage.metadata import metadata

# `scope_id` is the workspace's, user's or key's id; empty for the organization. An amount of NULL is no limit, which
# stands before what would else be inherited. Scope `api_key` is ours: the Admin API does not know it.
spend_limits = Table(
    "spend_limits",
    metadata,
    Column("id", Text, primary_key=True),  # spl_…
    Column("organization_id", Text, nullable=False),
    Column("scope_type", Text, nullable=False),
    Column("scope_id", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("amount", BigInteger),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    UniqueConstraint("organization_id", "scope_type", "scope_id", "period", name="uq_spend_limits_scope"),
    CheckConstraint("scope_type IN ('organization', 'workspace', 'user', 'api_key')", name="scope_type"),
)

spend_limit_increase_requests = Table(
    "spend_limit_increase_requests",
    metadata,
    Column("id", Text, primary_key=True),  # slir_…
    Column("organization_id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("period", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("resolved_at", Double),
    Column("resolved_by_id", Text),
    CheckConstraint("status IN ('pending', 'approved', 'denied')", name="status"),
    Index(None, "organization_id", "created_at"),
)

# What was paid in, and taken back. An organization without an entry pays afterwards.
credit_entries = Table(
    "credit_entries",
    metadata,
    Column("id", Text, primary_key=True),  # credit_…
    Column("organization_id", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    # What the organization had spent in all when this was the first entry: that is not paid by credit.
    Column("spent_before", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "organization_id", "created_at"),
)

spend_alerts = Table(
    "spend_alerts",
    metadata,
    Column("id", Text, primary_key=True),  # spa_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),  # empty: the whole organization
    Column("amount", BigInteger, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "organization_id"),
)

# Alerts that were told, by whichever server was first.
spend_alerts_told = Table(
    "spend_alerts_told",
    metadata,
    Column("alert_id", Text, primary_key=True),
    Column("month", Text, primary_key=True),  # as in 2026-11
    Column("told_at", Double, nullable=False),
)
