"""Organizations and all that belongs to one: workspaces, keys, people, workloads, groups, and the audit log.

Of a key's secret only a keyed hash and a hint are kept. Times are seconds since the epoch; columns that hold JSON say
so. Whoever writes to what decides about credentials raises `organization_changes.revision` in the same transaction
(see store.py), except for `api_keys.last_used_at`, which nobody needs to notice.
"""

from __future__ import annotations

from sqlalchemy import DDL, Boolean, CheckConstraint, Column, Double, ForeignKey, Index, Integer, Table, Text, event
from sqlalchemy.types import BigInteger

from understudy.storage.metadata import metadata

organizations = Table(
    "organizations",
    metadata,
    Column("id", Text, primary_key=True),  # a UUID, as in the Admin API
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("id", Text, primary_key=True),  # wrkspc_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("archived_at", Double),
    Column("display_color", Text, nullable=False, server_default="#6C5BB9"),
    Column("compartment_id", Text),
    Column("workspace_geo", Text, nullable=False, server_default="us"),
    Column("allowed_inference_geos", Text),  # a JSON list; none: unrestricted
    Column("default_inference_geo", Text, nullable=False, server_default="global"),
    Column("tags", Text, nullable=False, server_default="{}"),  # a JSON object of texts
    Index(None, "organization_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),  # apikey_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    # None for admin keys, and for keys of a principal that are not bound to one workspace.
    Column("workspace_id", Text, ForeignKey(workspaces.c.id)),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),  # HMAC-SHA256 in hexadecimal
    Column("hash_key_id", Text, nullable=False),  # of the root secret that the hash's key is derived from
    Column("partial_key_hint", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("last_used_at", Double),
    Column("expires_at", Double),
    Column("revision", Integer, nullable=False),  # of the change that wrote this row last
    Column("principal_id", Text),  # user_… or svac_…: whom the key acts as
    Column("created_by_id", Text),  # user_… or svac_…
    CheckConstraint("kind IN ('api', 'admin')", name="kind"),
    CheckConstraint("status IN ('active', 'inactive', 'archived')", name="status"),
    Index(None, "organization_id"),
)

# One row, made by the migration. Servers compare its number to know whether anything above has changed.
organization_changes = Table(
    "organization_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

# --- people ---

users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),  # user_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),  # by which addresses are compared, see people.py
    Column("name", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("added_at", Double, nullable=False),
    Column("removed_at", Double),
    Column("signed_out_at", Double),  # sessions that began before are over
    Index(None, "organization_id", "email_key"),
)

invites = Table(
    "invites",
    metadata,
    Column("id", Text, primary_key=True),  # invite_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("email", Text, nullable=False),
    Column("email_key", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("rbac_group_ids", Text, nullable=False),  # a JSON list
    Column("invited_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Column("accepted_at", Double),
    Column("deleted_at", Double),
    Index(None, "organization_id", "email_key"),
)

workspace_members = Table(
    "workspace_members",
    metadata,
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), primary_key=True),
    Column("user_id", Text, ForeignKey(users.c.id), primary_key=True),
    Column("workspace_role", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Index(None, "user_id"),
)

# --- workloads ---

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("id", Text, primary_key=True),  # svac_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("organization_role", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by_id", Text),
    Column("updated_at", Double, nullable=False),
    Column("updated_by_id", Text),
    Column("archived_at", Double),
    Column("archived_by_id", Text),
    Index(None, "organization_id", "name"),
)

workspace_service_accounts = Table(
    "workspace_service_accounts",
    metadata,
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), primary_key=True),
    Column("service_account_id", Text, ForeignKey(service_accounts.c.id), primary_key=True),
    Column("workspace_role", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by_id", Text),
    Index(None, "service_account_id"),
)

federation_issuers = Table(
    "federation_issuers",
    metadata,
    Column("id", Text, primary_key=True),  # fdis_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("issuer_url", Text, nullable=False),
    Column("jwks", Text, nullable=False),  # a JSON object as in the API
    Column("check_jti", Boolean, nullable=False),
    Column("max_jwt_lifetime_seconds", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by_id", Text),
    Column("updated_at", Double, nullable=False),
    Column("updated_by_id", Text),
    Column("archived_at", Double),
    Column("archived_by_id", Text),
    Index(None, "organization_id", "name"),
)

federation_rules = Table(
    "federation_rules",
    metadata,
    Column("id", Text, primary_key=True),  # fdrl_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("issuer_id", Text, ForeignKey(federation_issuers.c.id), nullable=False),
    Column("service_account_id", Text, ForeignKey(service_accounts.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("match", Text, nullable=False),  # a JSON object as in the API
    Column("oauth_scope", Text, nullable=False),
    Column("token_lifetime_seconds", Integer, nullable=False),
    Column("applies_to_all_workspaces", Boolean, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("created_by_id", Text),
    Column("updated_at", Double, nullable=False),
    Column("updated_by_id", Text),
    Column("archived_at", Double),
    Column("archived_by_id", Text),
    Index(None, "organization_id", "name"),
    Index(None, "issuer_id"),
)

federation_rule_workspaces = Table(
    "federation_rule_workspaces",
    metadata,
    Column("federation_rule_id", Text, ForeignKey(federation_rules.c.id), primary_key=True),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id), primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("created_by_id", Text),
)

# Assertions that were exchanged, so that none is exchanged twice. `jti` is hashed: it may be long.
federation_used_assertions = Table(
    "federation_used_assertions",
    metadata,
    Column("issuer_id", Text, primary_key=True),
    Column("jti_hash", Text, primary_key=True),
    Column("expires_at", Double, nullable=False, index=True),
)

# --- groups ---

rbac_groups = Table(
    "rbac_groups",
    metadata,
    Column("id", Text, primary_key=True),  # rbac_group_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("name", Text, nullable=False),
    Column("source_type", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Index(None, "organization_id"),
)

rbac_group_members = Table(
    "rbac_group_members",
    metadata,
    Column("rbac_group_id", Text, ForeignKey(rbac_groups.c.id, ondelete="CASCADE"), primary_key=True),
    Column("user_id", Text, ForeignKey(users.c.id), primary_key=True),
    Column("created_at", Double, nullable=False),
)

# --- the audit log ---

audit_log = Table(
    "audit_log",
    metadata,
    Column("number", BigInteger().with_variant(Integer(), "sqlite"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),  # audit_…
    Column("organization_id", Text, nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("actor_type", Text, nullable=False),
    Column("actor_id", Text),
    Column("api_key_id", Text),
    Column("address", Text),
    Column("user_agent", Text),
    Column("request_id", Text),
    Column("action", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    Column("before", Text),  # JSON
    Column("after", Text),  # JSON
)

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
for _dialect, _statements in _REFUSALS.items():
    for _statement in _statements:
        event.listen(audit_log, "after_create", DDL(_statement).execute_if(dialect=_dialect))
