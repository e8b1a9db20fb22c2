"""What the installation as a whole remembers."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Double, Integer, Table, Text

from understudy.storage.metadata import metadata

# One row. root_key_ids: public key ids of the root secrets in use, the current one first, separated by commas.
installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("root_key_ids", Text, nullable=False),
    Column("created_at", Double, nullable=False),  # seconds since the epoch, as all times in the database
    Column("updated_at", Double, nullable=False),
    CheckConstraint("id = 1", name="one_row"),
)
