"""How the Message Batches API is set up. `app` fills it from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

_MEGABYTE: Final = 1024 * 1024
_DAY: Final = 86_400.0


class QueueLimit(NamedTuple):
    """What an organization may have in the queue: requests of all its batches that are not answered yet, and of one
    batch. `queued` is None where nothing bounds it. It is only told, and refuses nothing, unless it is `enforced`."""

    per_batch: int = 100_000
    queued: int | None = None
    enforced: bool = False


def no_limit(organization_id: str, workspace_id: str) -> QueueLimit:
    """For who has none."""
    del organization_id, workspace_id
    return QueueLimit()


@dataclass(frozen=True, slots=True)
class BatchesConfig:
    """`max_body_bytes`: of a new batch; `max_request_bytes`: of one of its requests. `results_kept`: seconds from a
    batch's creation. `public_url`: where clients reach the server; None for where each request was sent to.
    `limit_of`: given the ids of an organization and a workspace."""

    max_body_bytes: int = 256 * _MEGABYTE
    max_request_bytes: int = 32 * _MEGABYTE
    results_kept: float = 29 * _DAY
    public_url: str | None = None
    limit_of: Callable[[str, str], QueueLimit] = no_limit


@dataclass(frozen=True, slots=True)
class RunnerConfig:
    """`concurrency`: requests that are under way at once. All else is seconds: how long a chunk is leased, how often
    that is renewed, how often open batches are looked at, what a chunk with failures waits at first and at the most,
    and how long requests under way may go on when the runner is to stop."""

    concurrency: int = 50
    lease: float = 30.0
    heartbeat: float = 10.0
    poll_interval: float = 1.0
    retry_delay: float = 1.0
    longest_retry_delay: float = 60.0
    drain: float = 10.0

    def delay(self, attempt: int, after: float) -> float:
        """How long a chunk waits after that attempt. `after`: what it was told to wait."""
        return max(after, min(self.retry_delay * 2 ** min(attempt - 1, 30), self.longest_retry_delay))
