"""Who put an organization on its tier, and which alerts were told in which month.

A tier that was set by hand stands in the audit log.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.add_column("organization_tiers", sa.Column("set_by", sa.Text(), nullable=False, server_default="spend"))
    op.execute(
        "UPDATE organization_tiers SET set_by = 'administrator' WHERE tier = ("
        "SELECT substr(a.after, 10, length(a.after) - 11) FROM audit_log AS a WHERE a.number = ("
        "SELECT max(b.number) FROM audit_log AS b WHERE b.organization_id = organization_tiers.organization_id "
        "AND b.action = 'organization_tier_set'))"
    )
    op.create_table(
        "spend_alerts_told",
        sa.Column("alert_id", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("told_at", _SECONDS, nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "month", name=op.f("pk_spend_alerts_told")),
    )
