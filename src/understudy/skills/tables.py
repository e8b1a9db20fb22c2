"""Skills and their versions. The files of a version are one blob, a zip archive (see storage/blobs.py).

Ids of organizations and workspaces are those of the organization's room, without foreign keys.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Double, ForeignKey, Index, Table, Text, UniqueConstraint

from understudy.storage.metadata import metadata

skills = Table(
    "skills",
    metadata,
    Column("id", Text, primary_key=True),  # skill_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("name", Text, nullable=False),  # that of all its versions
    Column("display_name", Text, nullable=False),
    Column("created_at", Double, nullable=False),  # seconds since the epoch, whole microseconds
    Column("updated_at", Double, nullable=False),
    # Of its newest version; null when the API of old has taken the last one away.
    Column("latest_version_id", Text),
    Column("latest_version", BigInteger),
    Index(None, "workspace_id", "created_at", "id"),
)

skill_versions = Table(
    "skill_versions",
    metadata,
    Column("id", Text, primary_key=True),  # skver_…
    Column("skill_id", Text, ForeignKey("skills.id", ondelete="CASCADE"), nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("version", BigInteger, nullable=False),  # microseconds since the epoch
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("directory", Text, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),  # of its archive
    Column("sha256", Text, nullable=False),  # of its archive, in hexadecimal
    Column("files", Text, nullable=False),  # where each file lies in it, as JSON
    UniqueConstraint("skill_id", "version"),
    Index(None, "skill_id", "created_at", "id"),
)
