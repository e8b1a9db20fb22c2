"""What an installation says about its limits; `app` makes it from the settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from understudy.limits.tiers import TableName

Mode: TypeAlias = Literal["observe", "enforce"]


class KeyBudget(NamedTuple):
    """What one API key may use, on top of its organization's and workspace's limits; None is no bound. Tokens are
    input that was not read from the cache, and output. Not of the real API."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    requests_per_day: int | None = None
    tokens_per_day: int | None = None


class ModelLimits(NamedTuple):
    """Limits of each model that is in no table; None is no limit."""

    requests_per_minute: int | None = None
    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None


class Commitment(NamedTuple):
    """Priority Tier capacity that was bought for a model, in tokens a minute."""

    model: str
    input_tokens_per_minute: int
    output_tokens_per_minute: int


class FastLimits(NamedTuple):
    """Limits of fast mode, for each model group that has it; None: fast requests draw from the standard limits."""

    input_tokens_per_minute: int | None = None
    output_tokens_per_minute: int | None = None


class RampRule(NamedTuple):
    """How fast traffic may grow (ramp.py). `growth`: times the requests of the minute before. `free_share`: of the
    limit that is always there."""

    growth: float = 2.0
    free_share: float = 0.1


NO_MODEL_LIMITS: Final = ModelLimits()
NO_BUDGET: Final = KeyBudget()
NO_FAST_LIMITS: Final = FastLimits()


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """`tier` is that of organizations which have none of their own; None is the table's first choice.

    `burst` and `token_burst`: how much of a minute's requests, and tokens, a bucket holds. `otpm_accounting`: output
    is counted as it is produced, or `max_tokens` are reserved and corrected at the end, as before 2026-02-19.
    """

    mode: Mode = "observe"
    table: TableName = "2026-10"
    tier: str | None = None
    burst: float = 1.0
    token_burst: float = 1.0
    otpm_accounting: Literal["actual", "reserve"] = "actual"
    other_models: ModelLimits = NO_MODEL_LIMITS
    key_budget: KeyBudget = NO_BUDGET
    fast: FastLimits = NO_FAST_LIMITS
    priority: tuple[Commitment, ...] = ()
    ramp: RampRule | None = None
