"""Organizations, workspaces and API keys. Of a key's secret only a keyed hash and a hint are kept.

Times are seconds since the epoch. Whoever writes to these tables raises `organization_changes.revision` in the same
transaction (see service.py), except for `api_keys.last_used_at`, which nobody needs to notice.
"""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Double, ForeignKey, Index, Integer, Table, Text

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
    Index(None, "organization_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),  # apikey_…
    Column("organization_id", Text, ForeignKey(organizations.c.id), nullable=False),
    Column("workspace_id", Text, ForeignKey(workspaces.c.id)),  # none for admin keys
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
