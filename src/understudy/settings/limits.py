"""Rate limits, spend, and what is kept of usage."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from understudy.settings.room import Room


class UsageSettings(Room):
    """The request log and usage rows. They are written behind the request's back, in batches."""

    flush_interval: float = Field(
        default=0.1, gt=0, le=60, description="Seconds between two writes of what has queued up."
    )
    flush_rows: int = Field(default=500, ge=1, description="Rows that start a write before the interval is over.")
    queue_rows: int = Field(
        default=20_000,
        ge=100,
        description="Rows kept in memory while the database does not answer; more go to a spill file.",
    )
    request_log: bool = Field(default=True, description="Write a row for every request, besides the usage rows.")


class RetentionSettings(Room):
    """What is kept of requests, and how long. Days; 0 is for ever. Sums by the day are kept for ever."""

    request_log_days: int = Field(default=30, ge=0, description="Rows of the request log.")
    usage_days: int = Field(default=90, ge=0, description="Usage rows: one for each request that asked a model.")
    hours_days: int = Field(default=400, ge=0, description="Sums of usage by the hour.")
    days_days: int = Field(
        default=400,
        ge=0,
        description="Sums of usage by the day for each key and member; older ones are by workspace and model alone.",
    )
    bodies: Literal["none", "errors", "all"] = Field(
        default="none",
        description="What is kept of prompts and answers: nothing; those of requests that ended in an error; or all.",
    )
    bodies_days: int = Field(default=30, ge=0, description="Prompts and answers that are kept.")
    bodies_max_bytes: int = Field(
        default=1024 * 1024, ge=1, le=64 * 1024 * 1024, description="Bytes that are kept of each body."
    )
    bodies_workspaces: list[str] = Field(
        default_factory=list[str],
        description="Ids of the workspaces whose prompts and answers are kept. Default: all workspaces.",
    )


class CommitmentSettings(Room):
    """Priority Tier capacity of a model. `[[limits.priority]]` in the configuration file."""

    model: str = Field(min_length=1, description="The model's id.")
    input_tokens_per_minute: int = Field(ge=1, description="Input tokens a minute.")
    output_tokens_per_minute: int = Field(ge=1, description="Output tokens a minute.")


class LimitsSettings(Room):
    """Rate limits: how large they are, whether they are enforced, and where they are kept."""

    mode: Literal["observe", "enforce"] = Field(
        default="observe",
        description="`observe` counts and tells limits in the headers and refuses nothing; `enforce` answers 429. A "
        "workspace may have its own.",
    )
    table: Literal["2026-01", "2026-10"] = Field(
        default="2026-10", description="Tiers 1 to 4 of 2026-01, or Start, Build, Scale and Custom of 2026-10."
    )
    tier: str | None = Field(
        default=None,
        description="Tier of organizations that have none of their own: `tier_1` to `tier_4`; `evaluation`, `start`, "
        "`build`, `scale`; or `custom`, which has no limits. Default: `tier_1`, or `start`.",
    )
    burst: float = Field(default=1.0, gt=0, le=1, description="Share of a minute's requests that may come at once.")
    token_burst: float = Field(default=1.0, gt=0, le=1, description="Share of a minute's tokens that may come at once.")
    otpm_accounting: Literal["actual", "reserve"] = Field(
        default="actual",
        description="Output counts as it is produced, or `max_tokens` is reserved first, as before 2026-02-19.",
    )
    when_redis_is_away: Literal["open", "closed"] = Field(
        default="open",
        description="`open`: each server goes on with its share of the limits; `closed`: requests are answered 529.",
    )
    replicas: int = Field(
        default=1, ge=1, description="Server processes that share the limits, on all machines; for `open`."
    )
    key_requests_per_minute: int | None = Field(
        default=None, ge=0, description="Of each API key, unless it has a budget of its own. Default: no bound."
    )
    key_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise; uncached input and output.")
    key_requests_per_day: int | None = Field(default=None, ge=0, description="Likewise.")
    key_tokens_per_day: int | None = Field(default=None, ge=0, description="Likewise.")
    other_requests_per_minute: int | None = Field(
        default=None, ge=0, description="Of each model that is not in the catalog. Default: no limit."
    )
    other_input_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    other_output_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    fast_input_tokens_per_minute: int | None = Field(
        default=None, ge=0, description="Of fast mode, for each group of models. Default: the standard limits count."
    )
    fast_output_tokens_per_minute: int | None = Field(default=None, ge=0, description="Likewise.")
    priority: list[CommitmentSettings] = Field(
        default_factory=list[CommitmentSettings], description="Priority Tier commitments, in the file only."
    )
    ramp: bool = Field(default=False, description="Refuse traffic that grows too fast; the rule is our own guess.")
    ramp_growth: float = Field(default=2.0, gt=1, description="Times the requests of the minute before.")
    ramp_free_share: float = Field(default=0.1, gt=0, le=1, description="Share of a limit that is always there.")
