"""A message batch, whose it is, and where its bytes are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Status: TypeAlias = Literal["in_progress", "canceling", "ended"]

PREFIX: Final = "batches"

PROCESSED_WITHIN: Final = 86_400.0
"""Seconds from the creation of a batch after which what has not been answered expires (observed: exactly)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A row of message_batches. Times are seconds since the epoch.

    The four counts are 0 until it has ended. `requests_blob` has a line for each request,
    `{"custom_id":"…","params":…}`, where `params` are the client's own bytes but for line breaks between tokens, which
    are spaces.
    """

    id: str
    organization_id: str
    workspace_id: str
    api_key_id: str | None
    caller: str
    anthropic_version: str
    betas: str
    status: Status
    total: int
    created_at: float
    expires_at: float
    ended_at: float | None
    cancel_initiated_at: float | None
    archived_at: float | None
    succeeded: int
    errored: int
    canceled: int
    expired: int
    requests_blob: str
    results_blob: str | None


def requests_name(workspace_id: str, batch_id: str) -> str:
    """The name of the blob of a batch's requests."""
    return f"{PREFIX}/{workspace_id}/{batch_id}/requests"


def results_name(workspace_id: str, batch_id: str) -> str:
    """How the name of the blob of a batch's results begins: each who writes one has a name of its own."""
    return f"{PREFIX}/{workspace_id}/{batch_id}/results"
