"""What the Console keeps: passwords, sessions, one-time links, and saved prompts with what belongs to them.

Of a session's or a link's secret only a keyed hash is kept. Times are seconds since the epoch. Whoever ends or makes
sessions raises `console_changes.revision` in the same transaction, by which servers notice.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, ForeignKey, Index, Integer, Table, Text

from understudy.organization.tables import users
from understudy.storage.metadata import metadata

console_changes = Table(
    "console_changes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)

console_passwords = Table(
    "console_passwords",
    metadata,
    Column("user_id", Text, ForeignKey(users.c.id), primary_key=True),
    Column("hash", Text, nullable=False),  # argon2id, in its usual text form
    Column("set_at", Double, nullable=False),
)

console_sessions = Table(
    "console_sessions",
    metadata,
    Column("id", Text, primary_key=True),  # session_…
    Column("hash", Text, nullable=False, unique=True),  # HMAC-SHA256 in hexadecimal
    Column("hash_key_id", Text, nullable=False),  # of the root secret that the hash's key is derived from
    Column("user_id", Text, ForeignKey(users.c.id), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("seen_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index(None, "user_id"),
    Index(None, "expires_at"),
)

console_links = Table(
    "console_links",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("hash_key_id", Text, nullable=False),
    Column("user_id", Text, ForeignKey(users.c.id)),  # none: whoever opens it becomes the first user
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=False),
    Index(None, "expires_at"),
)

console_prompts = Table(
    "console_prompts",
    metadata,
    Column("id", Text, primary_key=True),  # prompt_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),  # user_…
    Column("latest_version", Integer, nullable=False),  # 0: none yet
    Index(None, "workspace_id", "created_at", "id"),
)

console_prompt_versions = Table(
    "console_prompt_versions",
    metadata,
    Column("prompt_id", Text, ForeignKey(console_prompts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("created_at", Double, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("request", Text, nullable=False),  # a JSON object
    Column("variables", Text, nullable=False),  # a JSON object of texts
)

console_evaluations = Table(
    "console_evaluations",
    metadata,
    Column("prompt_id", Text, ForeignKey(console_prompts.c.id, ondelete="CASCADE"), primary_key=True),
    Column("test_cases", Text, nullable=False),  # a JSON list
    Column("results", Text, nullable=False),  # a JSON list
    Column("updated_at", Double, nullable=False),
)
