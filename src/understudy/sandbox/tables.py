"""Containers. Ids of organizations and workspaces are those of the organization's room, without foreign keys."""

from __future__ import annotations

from sqlalchemy import Column, Double, Index, Table, Text

from understudy.storage.metadata import metadata

containers = Table(
    "containers",
    metadata,
    Column("id", Text, primary_key=True),  # container_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    # Where its files are: a data directory, by the number it gave itself.
    Column("place", Text, nullable=False),
    # Seconds since the epoch.
    Column("created_at", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    # When its files went. The row stays a while, so that it can be told from one that never was.
    Column("removed_at", Double),
    Index(None, "organization_id", "removed_at", "used_at"),
    Index(None, "place", "removed_at", "used_at"),
)
