"""Message batches, the chunks that they are worked off in, and results until the last of a batch is there.

The requests, and the results of a batch that has ended, are blobs (see storage/blobs.py). Ids of organizations,
workspaces and keys are those of the organization's room, without foreign keys: batches know nothing of what they
belong to.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from understudy.storage.metadata import metadata

WAITING: Final = 0
LEASED: Final = 1
DONE: Final = 2
"""States of a chunk."""

NOT_ENDED: Final = ("in_progress", "canceling")
NOT_DONE: Final = (WAITING, LEASED)
"""Asked for by their names: so the indexes serve. Partial ones would load PostgreSQL's dialect, of 2 MB, everywhere."""

message_batches = Table(
    "message_batches",
    metadata,
    Column("id", Text, primary_key=True),  # msgbatch_…
    Column("organization_id", Text, nullable=False),
    Column("workspace_id", Text, nullable=False),
    Column("api_key_id", Text),
    # JSON: of whom made it, what running its requests takes (see caller.py).
    Column("caller", Text, nullable=False),
    Column("anthropic_version", Text, nullable=False),
    Column("betas", Text, nullable=False),  # JSON: an array of names
    Column("status", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("created_at", Double, nullable=False),  # seconds since the epoch, as all times here
    Column("expires_at", Double, nullable=False),
    Column("ended_at", Double),
    Column("cancel_initiated_at", Double),
    Column("archived_at", Double),
    # How many requests ended how; written when the batch ends.
    Column("succeeded", Integer, nullable=False, server_default="0"),
    Column("errored", Integer, nullable=False, server_default="0"),
    Column("canceled", Integer, nullable=False, server_default="0"),
    Column("expired", Integer, nullable=False, server_default="0"),
    Column("requests_blob", Text, nullable=False),
    Column("results_blob", Text),
    # Who writes the results together, and until when nobody else does.
    Column("finisher", Text),
    Column("finish_lease", Double),
    CheckConstraint("status IN ('in_progress', 'canceling', 'ended')", name="status"),
    Index(None, "workspace_id", "created_at", "id"),
    # For those that have not ended, and for those to be archived.
    Index(None, "status", "archived_at", "created_at"),
)

batch_chunks = Table(
    "batch_chunks",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # counted from 0
    Column("workspace_id", Text, nullable=False),
    Column("first", Integer, nullable=False),  # place of its first request in the batch, counted from 0
    Column("count", Integer, nullable=False),
    # Its bytes in the blob of the requests, the newline behind the last one included.
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("state", Integer, nullable=False, server_default=str(WAITING)),
    Column("owner", Text),
    Column("lease_until", Double),
    # One more at each claim: what an earlier owner still brings is known by it, and dropped.
    Column("attempt", Integer, nullable=False, server_default="0"),
    Column("not_before", Double, nullable=False, server_default="0"),
    Index(None, "state", "workspace_id", "batch_id", "number"),
)

# `index`: the request's place in the batch, counted from 0. `kind`: succeeded, errored, canceled or expired.
# `line`: its line of the results, without the newline.
batch_results = Table(
    "batch_results",
    metadata,
    Column("batch_id", Text, primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("line", LargeBinary, nullable=False),
)
