"""The Console: passwords, sessions, one-time links, saved prompts; when a user was signed out everywhere; and an index
of the requests that failed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double()


def upgrade() -> None:
    op.add_column("users", sa.Column("signed_out_at", _SECONDS, nullable=True))
    _signing_in()
    _prompts()
    failed = sa.text("status >= 400 AND path NOT LIKE '/_understudy/%'")
    op.create_index(
        "ix_request_log_failures",
        "request_log",
        ["received_at", "organization_id", "status", "workspace_id", "api_key_id", "actor_id", "model", "input_tokens"],
        sqlite_where=failed,
        postgresql_where=failed,
    )


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _seconds(name: str) -> sa.Column[float]:
    return sa.Column(name, _SECONDS, nullable=False)


def _number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _refers(table: str, column: str, to: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)


def _primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _signing_in() -> None:
    op.create_table(
        "console_changes",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        _number("revision"),
        sa.CheckConstraint("id = 1", name=op.f("ck_console_changes_one_row")),
        _primary("console_changes", "id"),
    )
    op.execute("INSERT INTO console_changes (id, revision) VALUES (1, 0)")
    op.create_table(
        "console_passwords",
        _text("user_id"),
        _text("hash"),
        _seconds("set_at"),
        _refers("console_passwords", "user_id", "users"),
        _primary("console_passwords", "user_id"),
    )
    op.create_table(
        "console_sessions",
        _text("id"),
        _text("hash"),
        _text("hash_key_id"),
        _text("user_id"),
        _seconds("created_at"),
        _seconds("seen_at"),
        _seconds("expires_at"),
        _refers("console_sessions", "user_id", "users"),
        _primary("console_sessions", "id"),
        sa.UniqueConstraint("hash", name=op.f("uq_console_sessions_hash")),
    )
    _index("console_sessions", "user_id")
    _index("console_sessions", "expires_at")
    op.create_table(
        "console_links",
        _text("hash"),
        _text("hash_key_id"),
        _text("user_id", nullable=True),
        _seconds("created_at"),
        _seconds("expires_at"),
        _refers("console_links", "user_id", "users"),
        _primary("console_links", "hash"),
    )
    _index("console_links", "expires_at")


def _prompts() -> None:
    op.create_table(
        "console_prompts",
        _text("id"),
        _text("organization_id"),
        _text("workspace_id"),
        _text("name"),
        _seconds("created_at"),
        _seconds("updated_at"),
        _text("created_by"),
        _number("latest_version"),
        _primary("console_prompts", "id"),
    )
    _index("console_prompts", "workspace_id", "created_at", "id")
    op.create_table(
        "console_prompt_versions",
        _text("prompt_id"),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        _seconds("created_at"),
        _text("created_by"),
        _text("request"),
        _text("variables"),
        _refers("console_prompt_versions", "prompt_id", "console_prompts", "CASCADE"),
        _primary("console_prompt_versions", "prompt_id", "version"),
    )
    op.create_table(
        "console_evaluations",
        _text("prompt_id"),
        _text("test_cases"),
        _text("results"),
        _seconds("updated_at"),
        _refers("console_evaluations", "prompt_id", "console_prompts", "CASCADE"),
        _primary("console_evaluations", "prompt_id"),
    )
