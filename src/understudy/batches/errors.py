"""What the Message Batches API refuses, in its words where they are known.

Source: answers recorded on 2026-09-02 [observed], and the guide (2026-08).
"""

from __future__ import annotations

from typing import Final

from understudy.limits.refusals import LimitExceededError, limit_exceeded
from understudy.wire.errors import InvalidRequestError, NotFoundError

_QUEUE_RETRY: Final = 60_000


def batch_not_found(batch_id: str) -> NotFoundError:
    """Also for a batch of another workspace. Observed."""
    return NotFoundError(f"Message Batch {batch_id} not found.")


def no_results(batch_id: str) -> NotFoundError:
    """Before the batch has ended: observed. After it was archived: [guess]."""
    return NotFoundError(f"Message Batch {batch_id} has no available results.")


def not_deletable() -> InvalidRequestError:
    """Observed."""
    return InvalidRequestError("In progress batches cannot be deleted. Consider canceling the batch instead.")


def not_cancelable(batch_id: str) -> InvalidRequestError:
    """[guess] That it is refused is documented nowhere, and nobody recorded it."""
    return InvalidRequestError(f"Message Batch {batch_id} has already ended and cannot be canceled.")


def queue_full(organization_id: str, limit: int, queued: int) -> LimitExceededError:
    """[guess] the words, and when to come back: it depends on how fast the queue is worked off."""
    return LimitExceededError(
        f"This request would exceed your organization's limit of {limit:,} batch requests in the processing queue "
        f"(org: {organization_id}). Please wait until earlier batches have ended, or cancel some of them. For details, "
        "refer to: https://docs.claude.com/en/api/rate-limits.",
        limit_exceeded("organization", "enqueued_batch_requests", limit - queued, limit),
        details=None,
        wait=_QUEUE_RETRY,
    )
