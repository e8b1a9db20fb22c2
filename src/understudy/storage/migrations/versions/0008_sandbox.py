"""Containers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.create_table(
        "containers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("organization_id", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("created_at", _SECONDS, nullable=False),
        sa.Column("used_at", _SECONDS, nullable=False),
        sa.Column("removed_at", _SECONDS, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_containers")),
    )
    op.create_index(
        op.f("ix_containers_organization_id_removed_at_used_at"),
        "containers",
        ["organization_id", "removed_at", "used_at"],
    )
    op.create_index(op.f("ix_containers_place_removed_at_used_at"), "containers", ["place", "removed_at", "used_at"])
