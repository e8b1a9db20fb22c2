"""The rate limiter of a server, from its settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from understudy.limits.config import (
    Commitment,
    FastLimits,
    KeyBudget,
    LimitsConfig,
    ModelLimits,
    RampRule,
)
from understudy.limits.groups import Groups
from understudy.limits.limiter import Limiter, Snapshots
from understudy.limits.store import open_buckets
from understudy.limits.tiers import tier_table
from understudy.settings import LimitsSettings, Settings, SettingsError

if TYPE_CHECKING:
    from redis.asyncio import Redis


def make_limiter(settings: Settings, models: Iterable[str], snapshots: Snapshots, redis: Redis | None) -> Limiter:
    """`models`: the ids of all that are served. Raises SettingsError."""
    given = settings.limits
    table = tier_table(given.table)
    if given.tier is not None and table.find(given.tier) is None:
        raise SettingsError(f"limits.tier: the table {table.name} has {', '.join(tier.name for tier in table.tiers)}.")
    store = open_buckets(redis, given.when_redis_is_away, max(given.replicas, settings.server.workers))
    return Limiter(_config(given), Groups(models), snapshots, store)


def _config(given: LimitsSettings) -> LimitsConfig:
    return LimitsConfig(
        mode=given.mode,
        table=given.table,
        tier=given.tier,
        burst=given.burst,
        token_burst=given.token_burst,
        otpm_accounting=given.otpm_accounting,
        other_models=ModelLimits(
            given.other_requests_per_minute, given.other_input_tokens_per_minute, given.other_output_tokens_per_minute
        ),
        key_budget=KeyBudget(
            given.key_requests_per_minute,
            given.key_tokens_per_minute,
            given.key_requests_per_day,
            given.key_tokens_per_day,
        ),
        fast=FastLimits(given.fast_input_tokens_per_minute, given.fast_output_tokens_per_minute),
        priority=tuple(
            Commitment(each.model, each.input_tokens_per_minute, each.output_tokens_per_minute)
            for each in given.priority
        ),
        ramp=RampRule(given.ramp_growth, given.ramp_free_share) if given.ramp else None,
    )
