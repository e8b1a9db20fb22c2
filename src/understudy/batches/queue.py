"""How many requests an organization has in the queue: those of its batches that have not been answered yet."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from understudy.batches.config import BatchesConfig, QueueLimit
from understudy.batches.errors import queue_full
from understudy.batches.tables import NOT_DONE, NOT_ENDED, batch_chunks, message_batches
from understudy.limits.refusals import limit_exceeded
from understudy.storage.database import Database

# The first of PostgreSQL's two numbers of an advisory lock; the second is of the organization.
_LOCK: Final = text("SELECT pg_advisory_xact_lock(7, hashtext(:organization_id))")


class Queue:
    """Chunks are counted, as a whole until all their requests have been answered."""

    def __init__(self, db: Database, config: BatchesConfig) -> None:
        self._db = db
        self._config = config

    async def check(self, organization_id: str, limit: QueueLimit) -> None:
        """Refuse at once what a full queue will refuse, before a body is read. Raises LimitExceededError."""
        if limit.queued is None or not limit.enforced:
            return
        async with self._db.connect() as connection:
            queued = await _queued(connection, organization_id)
        if queued >= limit.queued:
            raise queue_full(organization_id, limit.queued, queued)

    async def book(
        self, connection: AsyncConnection, organization_id: str, limit: QueueLimit, added: int
    ) -> str | None:
        """Have `added` requests in the queue, which the transaction adds. Batches of an organization take turns here.

        Returns the limit that is exceeded where it is not enforced. Raises LimitExceededError.
        """
        if limit.queued is None:
            return None
        if self._db.dialect == "postgresql":
            await connection.execute(_LOCK, {"organization_id": organization_id})
        queued = await _queued(connection, organization_id)
        if queued + added <= limit.queued:
            return None
        if limit.enforced:
            raise queue_full(organization_id, limit.queued, queued)
        return limit_exceeded("organization", "enqueued_batch_requests", limit.queued - queued, limit.queued)


async def _queued(connection: AsyncConnection, organization_id: str) -> int:
    query = (
        select(func.coalesce(func.sum(batch_chunks.c["count"]), 0))
        .join(message_batches, message_batches.c.id == batch_chunks.c.batch_id)
        .where(
            message_batches.c.organization_id == organization_id,
            message_batches.c.status.in_(NOT_ENDED),
            batch_chunks.c.state.in_(NOT_DONE),
        )
    )
    return int((await connection.execute(query)).scalar_one())
