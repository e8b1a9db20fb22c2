"""Message Batches: what may be sent, and what is kept."""

from __future__ import annotations

from pydantic import Field

from understudy.settings.room import Room


class BatchesSettings(Room):
    """What a Message Batch may hold, how long it is kept, and how its requests are answered."""

    max_body_bytes: int = Field(
        default=256 * 1024 * 1024,
        ge=1_024,
        description="Bytes of a new batch, before and after decoding; more are a 413.",
    )
    results_days: int = Field(
        default=29, ge=2, description="Days from a batch's creation until its results are deleted; the batch stays."
    )
    run: bool = Field(
        default=True,
        description="Work batches off in the server. Without it, only `understudy worker` does.",
    )
    concurrency: int = Field(
        default=50, ge=1, le=1_000, description="Requests of batches that are under way at once, in each process."
    )
    poll_interval: float = Field(
        default=1.0, ge=0.5, le=60, description="Seconds between two looks for what other processes have left to do."
    )
    lease: float = Field(
        default=30.0,
        ge=0.5,
        le=3_600,
        description="Seconds after which requests of a process that has died are given to another.",
    )
    heartbeat: float = Field(
        default=10.0, ge=0.1, le=1_200, description="Seconds between two signs of life; less than half of `lease`."
    )
    retry_delay: float = Field(
        default=1.0,
        ge=0.1,
        le=3_600,
        description="Seconds until requests whose engine failed are tried again; twice as many each time.",
    )
    longest_retry_delay: float = Field(default=60.0, ge=0.1, le=3_600, description="The most of these seconds.")
