"""Limits of single organizations, workspaces and keys."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "organization_tiers",
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("since", _SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("organization_id", name=op.f("pk_organization_tiers")),
    )
    op.create_table(
        "workspace_rate_limits",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("group_id", sa.Text(), nullable=False),
        sa.Column("limiter_type", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "group_id", "limiter_type", name=op.f("pk_workspace_rate_limits")),
    )
    op.create_table(
        "workspace_limit_modes",
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.CheckConstraint("mode IN ('observe', 'enforce')", name=op.f("ck_workspace_limit_modes_mode")),
        sa.PrimaryKeyConstraint("workspace_id", name=op.f("pk_workspace_limit_modes")),
    )
    op.create_table(
        "api_key_budgets",
        sa.Column("api_key_id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("requests_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.Column("requests_per_day", sa.BigInteger(), nullable=True),
        sa.Column("tokens_per_day", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("api_key_id", name=op.f("pk_api_key_budgets")),
    )
    changes = op.create_table(
        "limit_changes",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_limit_changes_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_limit_changes")),
    )
    op.bulk_insert(changes, [{"id": 1, "revision": 0}])
