"""The Message Batches API, from its settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from understudy.batches.config import BatchesConfig, QueueLimit, no_limit
from understudy.batches.service import BatchService
from understudy.limits.limiter import Limiter, Snapshots
from understudy.settings import Settings
from understudy.storage.blobs import Blobs
from understudy.storage.database import Database

_DAY: Final = 86_400.0


def make_batches(
    settings: Settings,
    db: Database,
    blobs: Blobs,
    clock: Callable[[], float],
    limit_of: Callable[[str, str], QueueLimit] = no_limit,
) -> BatchService:
    """`limit_of`: how long the queue of an organization may be, for a caller in a workspace."""
    url = settings.server.public_url
    config = BatchesConfig(
        max_body_bytes=settings.batches.max_body_bytes,
        # None can be answered that is larger.
        max_request_bytes=min(settings.http.max_body_bytes, settings.batches.max_body_bytes),
        results_kept=settings.batches.results_days * _DAY,
        public_url=None if url is None else url.rstrip("/"),
        limit_of=limit_of,
    )
    return BatchService(db, blobs, config, clock=clock)


def queue_limits(limiter: Limiter, snapshots: Snapshots) -> Callable[[str, str], QueueLimit]:
    """The limits of organizations' tiers, enforced where a workspace's others are."""

    def limit_of(organization_id: str, workspace_id: str) -> QueueLimit:
        limits = limiter.limits(organization_id, "batch")
        mode = snapshots.snapshot.modes.get(workspace_id, limiter.config.mode)
        return QueueLimit(
            limiter.tier(organization_id).requests_per_batch,
            limits.get("enqueued_batch_requests"),
            mode == "enforce",
        )

    return limit_of
