"""Files and the room they take. Their bytes are blobs (see storage/blobs.py).

Ids of organizations and workspaces are those of the organization's room, without foreign keys: files know nothing of
what they belong to.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, Double, Index, Table, Text

from understudy.storage.metadata import metadata

files = Table(
    "files",
    metadata,
    Column("id", Text, primary_key=True),  # file_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("filename", Text, nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),  # in hexadecimal
    Column("created_at", Double, nullable=False),  # seconds since the epoch, whole milliseconds
    Column("expires_at", Double),
    Column("downloadable", Boolean, nullable=False),
    # Whether there is a blob. An expired file has none, and its row stays for a while.
    Column("stored", Boolean, nullable=False),
    Index(None, "workspace_id", "created_at", "id"),
    Index(None, "expires_at"),
)

# Bytes of all stored files: a row for each organization and each workspace.
file_storage = Table(
    "file_storage",
    metadata,
    Column("owner_id", Text, primary_key=True),
    Column("bytes", BigInteger, nullable=False),
    CheckConstraint("bytes >= 0", name="not_negative"),
)
