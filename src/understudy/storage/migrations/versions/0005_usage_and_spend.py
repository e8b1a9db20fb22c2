"""What requests cost, sums of usage, and what bounds spending.

Rows from before are added up, at no cost: nobody knew their price.
"""

# ruff: noqa: S608 names in the statements all stand in this file

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_DIMENSIONS = (
    "organization_id",
    "workspace_id",
    "api_key_id",
    "actor_id",
    "model",
    "service_tier",
    "context_window",
    "inference_geo",
    "speed",
)
_OTHERWISE = {"service_tier": "standard", "inference_geo": "not_available", "speed": "standard"}
_COSTS = (
    "input_cost",
    "cache_creation_5m_cost",
    "cache_creation_1h_cost",
    "cache_read_cost",
    "output_cost",
    "web_search_cost",
)
_SUMMED = (
    "input_tokens",
    "cache_creation_5m_input_tokens",
    "cache_creation_1h_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "web_search_requests",
    "web_fetch_requests",
    *_COSTS,
)
_ROLLUPS = (("usage_minutes", 60), ("usage_hours", 3_600), ("usage_days", 86_400))


def upgrade() -> None:
    _columns()
    _sums()
    _add_up()
    _spend()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _number(name: str, *, default: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False, server_default="0" if default else None)


def _seconds(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=nullable)


def _columns() -> None:
    added: list[sa.Column[str] | sa.Column[int]] = [
        *(sa.Column(name, sa.Text()) for name in ("actor_id", "speed", "limit_exceeded")),
        *(_number(name, default=True) for name in ("web_search_requests", "web_fetch_requests", "cost")),
    ]
    for column in added:
        op.add_column("request_log", column)
    added = [
        *(sa.Column(name, sa.Text()) for name in ("actor_id", "speed")),
        *(_number(name, default=True) for name in ("web_search_requests", "web_fetch_requests")),
        sa.Column("context_window", sa.Text(), nullable=False, server_default="0-200k"),
        *(_number(name, default=True) for name in (*_COSTS, "dimension_id")),
    ]
    for column in added:
        op.add_column("usage", column)


def _sums() -> None:
    op.create_table(
        "usage_dimensions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(_text(name) for name in _DIMENSIONS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_usage_dimensions")),
        sa.UniqueConstraint(*_DIMENSIONS, name=op.f("uq_usage_dimensions_all")),
    )
    for name, _ in _ROLLUPS:
        op.create_table(
            name,
            *(_number(column) for column in ("bucket", "dimension_id", "requests", *_SUMMED)),
            sa.PrimaryKeyConstraint("bucket", "dimension_id", name=op.f(f"pk_{name}")),
            sqlite_with_rowid=False,
        )


def _add_up() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    prompt = "input_tokens + cache_creation_5m_input_tokens + cache_creation_1h_input_tokens + cache_read_input_tokens"
    most = 2**31 - 1  # as the program has it since: sums must stay within 64 bits
    for name in _SUMMED[:5]:
        op.execute(f'UPDATE "usage" SET {name} = {most} WHERE {name} > {most}')
    op.execute(f"UPDATE \"usage\" SET context_window = '200k-1M' WHERE {prompt} > 200000")
    names = ", ".join(_DIMENSIONS)
    values = ", ".join(f"coalesce({name}, '{_OTHERWISE.get(name, '')}')" for name in _DIMENSIONS)
    op.execute(f'INSERT INTO usage_dimensions ({names}) SELECT DISTINCT {values} FROM "usage"')
    same = " AND ".join(f"d.{name} = coalesce(\"usage\".{name}, '{_OTHERWISE.get(name, '')}')" for name in _DIMENSIONS)
    op.execute(f'UPDATE "usage" SET dimension_id = (SELECT d.id FROM usage_dimensions AS d WHERE {same})')
    counters = ", ".join(("requests", *_SUMMED))
    sums = ", ".join(("count(*)", *(f"CAST(sum({name}) AS BIGINT)" for name in _SUMMED)))
    for table, width in _ROLLUPS:
        place = f"received_at / {width}" if sqlite else f"floor(received_at / {width})"
        op.execute(
            f"INSERT INTO {table} (bucket, dimension_id, {counters}) "
            f"SELECT CAST({place} AS BIGINT) * {width} AS begins, dimension_id, {sums} "
            'FROM "usage" GROUP BY begins, dimension_id'
        )


def _spend() -> None:
    op.create_table(
        "spend_limits",
        *(_text(name) for name in ("id", "organization_id", "scope_type", "scope_id", "period")),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        *(_seconds(name) for name in ("created_at", "updated_at")),
        sa.CheckConstraint(
            "scope_type IN ('organization', 'workspace', 'user', 'api_key')", name=op.f("ck_spend_limits_scope_type")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_limits")),
        sa.UniqueConstraint("organization_id", "scope_type", "scope_id", "period", name=op.f("uq_spend_limits_scope")),
    )
    requests = "spend_limit_increase_requests"
    op.create_table(
        requests,
        *(_text(name) for name in ("id", "organization_id", "user_id", "period", "status")),
        _seconds("created_at"),
        _seconds("resolved_at", nullable=True),
        sa.Column("resolved_by_id", sa.Text(), nullable=True),
        sa.CheckConstraint("status IN ('pending', 'approved', 'denied')", name=op.f(f"ck_{requests}_status")),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{requests}")),
    )
    op.create_index(op.f(f"ix_{requests}_organization_id_created_at"), requests, ["organization_id", "created_at"])
    op.create_table(
        "credit_entries",
        *(_text(name) for name in ("id", "organization_id")),
        *(_number(name) for name in ("amount", "spent_before")),
        _text("note"),
        _seconds("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credit_entries")),
    )
    op.create_index(
        op.f("ix_credit_entries_organization_id_created_at"), "credit_entries", ["organization_id", "created_at"]
    )
    op.create_table(
        "spend_alerts",
        *(_text(name) for name in ("id", "organization_id", "workspace_id")),
        _number("amount"),
        _seconds("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_spend_alerts")),
    )
    op.create_index(op.f("ix_spend_alerts_organization_id"), "spend_alerts", ["organization_id"])
