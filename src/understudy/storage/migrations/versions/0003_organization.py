"""People, workloads, groups and the audit log; what workspaces and keys have in the Admin API."""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_SECONDS: sa.Double[float] = sa.Double()


def upgrade() -> None:
    _workspaces()
    op.add_column("api_keys", sa.Column("principal_id", sa.Text()))
    op.add_column("api_keys", sa.Column("created_by_id", sa.Text()))
    _people()
    _service_accounts()
    _federation()
    _groups()
    _audit_log()


def _text(name: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _seconds(name: str, *, nullable: bool = False) -> sa.Column[float]:
    return sa.Column(name, _SECONDS, nullable=nullable)


def _refers(table: str, column: str, to: str, ondelete: str | None = None) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_{to}")
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=name, ondelete=ondelete)


def _primary(table: str, *columns: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint(*columns, name=op.f(f"pk_{table}"))


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _workspaces() -> None:
    added: list[sa.Column[str]] = [
        sa.Column("display_color", sa.Text(), nullable=False, server_default="#6C5BB9"),
        sa.Column("compartment_id", sa.Text()),
        sa.Column("workspace_geo", sa.Text(), nullable=False, server_default="us"),
        sa.Column("allowed_inference_geos", sa.Text()),
        sa.Column("default_inference_geo", sa.Text(), nullable=False, server_default="global"),
        sa.Column("tags", sa.Text(), nullable=False, server_default="{}"),
    ]
    for column in added:
        op.add_column("workspaces", column)
    there = sa.table("workspaces", sa.column("id"), sa.column("compartment_id"))
    connection = op.get_bind()
    for (workspace_id,) in connection.execute(sa.select(there.c.id)).all():
        values = {"compartment_id": str(uuid.uuid4())}
        connection.execute(sa.update(there).where(there.c.id == workspace_id).values(values))


def _people() -> None:
    op.create_table(
        "users",
        *(_text(name) for name in ("id", "organization_id", "email", "email_key", "name", "role")),
        _seconds("added_at"),
        _seconds("removed_at", nullable=True),
        _refers("users", "organization_id", "organizations"),
        _primary("users", "id"),
    )
    _index("users", "organization_id", "email_key")
    op.create_table(
        "invites",
        *(_text(name) for name in ("id", "organization_id", "email", "email_key", "role", "rbac_group_ids")),
        *(_seconds(name) for name in ("invited_at", "expires_at")),
        *(_seconds(name, nullable=True) for name in ("accepted_at", "deleted_at")),
        _refers("invites", "organization_id", "organizations"),
        _primary("invites", "id"),
    )
    _index("invites", "organization_id", "email_key")
    op.create_table(
        "workspace_members",
        *(_text(name) for name in ("workspace_id", "user_id", "workspace_role")),
        _seconds("created_at"),
        _refers("workspace_members", "workspace_id", "workspaces"),
        _refers("workspace_members", "user_id", "users"),
        _primary("workspace_members", "workspace_id", "user_id"),
    )
    _index("workspace_members", "user_id")


def _history() -> list[sa.Column[str] | sa.Column[float]]:
    """When something was made, changed and archived, and by whom."""
    return [
        _seconds("created_at"),
        _text("created_by_id", nullable=True),
        _seconds("updated_at"),
        _text("updated_by_id", nullable=True),
        _seconds("archived_at", nullable=True),
        _text("archived_by_id", nullable=True),
    ]


def _service_accounts() -> None:
    op.create_table(
        "service_accounts",
        *(_text(name) for name in ("id", "organization_id", "name")),
        _text("description", nullable=True),
        _text("organization_role"),
        *_history(),
        _refers("service_accounts", "organization_id", "organizations"),
        _primary("service_accounts", "id"),
    )
    _index("service_accounts", "organization_id", "name")
    op.create_table(
        "workspace_service_accounts",
        *(_text(name) for name in ("workspace_id", "service_account_id", "workspace_role")),
        _seconds("created_at"),
        _text("created_by_id", nullable=True),
        _refers("workspace_service_accounts", "workspace_id", "workspaces"),
        _refers("workspace_service_accounts", "service_account_id", "service_accounts"),
        _primary("workspace_service_accounts", "workspace_id", "service_account_id"),
    )
    _index("workspace_service_accounts", "service_account_id")


def _federation() -> None:
    op.create_table(
        "federation_issuers",
        *(_text(name) for name in ("id", "organization_id", "name", "issuer_url", "jwks")),
        sa.Column("check_jti", sa.Boolean(), nullable=False),
        sa.Column("max_jwt_lifetime_seconds", sa.Integer(), nullable=False),
        *_history(),
        _refers("federation_issuers", "organization_id", "organizations"),
        _primary("federation_issuers", "id"),
    )
    _index("federation_issuers", "organization_id", "name")
    op.create_table(
        "federation_rules",
        *(_text(name) for name in ("id", "organization_id", "issuer_id", "service_account_id", "name")),
        _text("description", nullable=True),
        *(_text(name) for name in ("match", "oauth_scope")),
        sa.Column("token_lifetime_seconds", sa.Integer(), nullable=False),
        sa.Column("applies_to_all_workspaces", sa.Boolean(), nullable=False),
        *_history(),
        _refers("federation_rules", "organization_id", "organizations"),
        _refers("federation_rules", "issuer_id", "federation_issuers"),
        _refers("federation_rules", "service_account_id", "service_accounts"),
        _primary("federation_rules", "id"),
    )
    _index("federation_rules", "organization_id", "name")
    _index("federation_rules", "issuer_id")
    op.create_table(
        "federation_rule_workspaces",
        *(_text(name) for name in ("federation_rule_id", "workspace_id")),
        _seconds("created_at"),
        _text("created_by_id", nullable=True),
        _refers("federation_rule_workspaces", "federation_rule_id", "federation_rules"),
        _refers("federation_rule_workspaces", "workspace_id", "workspaces"),
        _primary("federation_rule_workspaces", "federation_rule_id", "workspace_id"),
    )
    op.create_table(
        "federation_used_assertions",
        *(_text(name) for name in ("issuer_id", "jti_hash")),
        _seconds("expires_at"),
        _primary("federation_used_assertions", "issuer_id", "jti_hash"),
    )
    _index("federation_used_assertions", "expires_at")


def _groups() -> None:
    op.create_table(
        "rbac_groups",
        *(_text(name) for name in ("id", "organization_id", "name", "source_type")),
        *(_seconds(name) for name in ("created_at", "updated_at")),
        _refers("rbac_groups", "organization_id", "organizations"),
        _primary("rbac_groups", "id"),
    )
    _index("rbac_groups", "organization_id")
    op.create_table(
        "rbac_group_members",
        *(_text(name) for name in ("rbac_group_id", "user_id")),
        _seconds("created_at"),
        _refers("rbac_group_members", "rbac_group_id", "rbac_groups", "CASCADE"),
        _refers("rbac_group_members", "user_id", "users"),
        _primary("rbac_group_members", "rbac_group_id", "user_id"),
    )


def _audit_log() -> None:
    op.create_table(
        "audit_log",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        *(_text(name) for name in ("id", "organization_id")),
        _seconds("at"),
        _text("actor_type"),
        *(_text(name, nullable=True) for name in ("actor_id", "api_key_id", "address", "user_agent", "request_id")),
        *(_text(name) for name in ("action", "object_type", "object_id")),
        *(_text(name, nullable=True) for name in ("before", "after")),
        _primary("audit_log", "number"),
        sa.UniqueConstraint("id", name=op.f("uq_audit_log_id")),
    )
    _index("audit_log", "organization_id")
    for statement in _REFUSALS.get(op.get_bind().dialect.name, ()):
        op.execute(statement)


# What is written stays as it is, whoever holds the connection.
_REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
        "CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION audit_log_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
        "CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_refuse()",
    ),
}
