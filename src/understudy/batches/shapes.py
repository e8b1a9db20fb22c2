"""A batch as the API shows it. Source: recorded answers (2026-08), whose keys stand in this order, and SDK 2.12."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from understudy.batches.batch import Batch


def message_batch(batch: Batch, results_url: str, archived_at: float | None) -> dict[str, Any]:
    """The object of a batch. `results_url` is where its results are once there are any.

    Counts say how its requests ended only once all of them have (documented; observed while canceling).
    """
    ended = batch.status == "ended"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": batch.status,
        "request_counts": {
            "processing": 0 if ended else batch.total,
            "succeeded": batch.succeeded if ended else 0,
            "errored": batch.errored if ended else 0,
            "canceled": batch.canceled if ended else 0,
            "expired": batch.expired if ended else 0,
        },
        "ended_at": _time(batch.ended_at),
        "created_at": _time(batch.created_at),
        "expires_at": _time(batch.expires_at),
        "archived_at": _time(archived_at),
        "cancel_initiated_at": _time(batch.cancel_initiated_at),
        # [guess] There is none any more once it is archived.
        "results_url": results_url if ended and archived_at is None else None,
    }


def page_of_batches(shown: Sequence[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    return {
        "data": list(shown),
        "has_more": more,
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
    }


def deleted_batch(batch_id: str) -> dict[str, Any]:
    return {"id": batch_id, "type": "message_batch_deleted"}


def _time(seconds: float | None) -> str | None:
    """With microseconds and an offset in numbers: so recorded."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
