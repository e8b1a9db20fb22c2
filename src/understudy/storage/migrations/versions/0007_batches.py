"""Message batches, their chunks, and results until the last of a batch is there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _batches()
    _chunks()
    _results()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _number(name: str, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, server_default=default)


def _seconds(name: str, *, nullable: bool = True, default: str | None = None) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=nullable, server_default=default)


def _batches() -> None:
    table = "message_batches"
    op.create_table(
        table,
        *(_text(name) for name in ("id", "organization_id", "workspace_id")),
        _text("api_key_id", nullable=True),
        *(_text(name) for name in ("caller", "anthropic_version", "betas", "status")),
        _number("total"),
        *(_seconds(name, nullable=False) for name in ("created_at", "expires_at")),
        *(_seconds(name) for name in ("ended_at", "cancel_initiated_at", "archived_at")),
        *(_number(name, "0") for name in ("succeeded", "errored", "canceled", "expired")),
        _text("requests_blob"),
        *(_text(name, nullable=True) for name in ("results_blob", "finisher")),
        _seconds("finish_lease"),
        sa.CheckConstraint("status IN ('in_progress', 'canceling', 'ended')", name=op.f(f"ck_{table}_status")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )
    op.create_index(op.f(f"ix_{table}_workspace_id_created_at_id"), table, ["workspace_id", "created_at", "id"])
    op.create_index(op.f(f"ix_{table}_status_archived_at_created_at"), table, ["status", "archived_at", "created_at"])


def _chunks() -> None:
    table = "batch_chunks"
    op.create_table(
        table,
        _text("batch_id"),
        _number("number"),
        _text("workspace_id"),
        *(_number(name) for name in ("first", "count")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("offset", "length")),
        _number("state", "0"),
        _text("owner", nullable=True),
        _seconds("lease_until"),
        _number("attempt", "0"),
        _seconds("not_before", nullable=False, default="0"),
        sa.PrimaryKeyConstraint("batch_id", "number", name=op.f(f"pk_{table}")),
    )
    columns = ["state", "workspace_id", "batch_id", "number"]
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, columns)


def _results() -> None:
    op.create_table(
        "batch_results",
        _text("batch_id"),
        _number("index"),
        _text("kind"),
        sa.Column("line", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "index", name=op.f("pk_batch_results")),
    )
