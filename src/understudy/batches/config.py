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
