"""Prices, budgets, reports and what is kept of usage, from the settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute

from understudy.control.spend_limits import SpendLimits, spend_limit_routes
from understudy.control.usage_admin import usage_admin_routes
from understudy.control.usage_reports import usage_routes
from understudy.http.credentials import Caller
from understudy.http.envelope import ApiRoute
from understudy.limits.batch_admission import BatchLimits
from understudy.limits.limiter import Limiter
from understudy.limits.spend import Spend
from understudy.limits.spend_admission import SpendingLimits
from understudy.limits.spend_counters import Counters, MemoryCounters
from understudy.limits.spend_watch import SpendWatch
from understudy.limits.watch import OverridesWatch
from understudy.organization.store import Store
from understudy.settings import Settings
from understudy.storage.following import Following
from understudy.storage.secrets import RootSecret
from understudy.usage.kept_bodies import KeptBodies
from understudy.usage.prices import Pricing, rates
from understudy.usage.retention import Pruning, Retention

if TYPE_CHECKING:
    from redis.asyncio import Redis


def make_pricing(settings: Settings) -> Pricing:
    """The catalog's prices, and those that mapped models were given."""
    given = ((one.name, one.price) for one in settings.models.map)
    return Pricing(
        {
            name: rates(
                price.input,
                price.output,
                price.cache_write_5m,
                price.cache_write_1h,
                price.cache_read,
            )
            for name, price in given
            if price is not None
        }
    )


class Spending:
    """`limits` is what routes ask before they ask a model: rate limits and money; `batch_limits` is what is asked for
    the requests of batches."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        root: RootSecret,
        limiter: Limiter,
        overrides: OverridesWatch,
        pricing: Pricing,
        redis: Redis | None,
        following: Following,
    ) -> None:
        db = store.db
        limits, kept = settings.limits, settings.retention
        counters: Counters = MemoryCounters()
        if redis is not None:
            from understudy.limits.spend_redis import RedisCounters

            counters = RedisCounters(redis)
        table = limiter.table
        self.watch = SpendWatch(db, counters, overrides, table, tier=limits.tier, following=following)
        spend = Spend(
            self.watch,
            counters,
            table,
            seed=self.watch.seed,
            mode=limits.mode,
            tier=limits.tier,
            pricing=pricing,
            closed=limits.when_redis_is_away == "closed",
        )
        self.limits = SpendingLimits(limiter, spend, pricing)
        self.batch_limits = BatchLimits(spend, pricing)
        self.pruning = Pruning(
            db,
            Retention(
                kept.request_log_days or None,
                kept.usage_days or None,
                kept.hours_days or None,
                kept.days_days or None,
            ),
            time.time,
        )
        self._db = db
        self._root = root
        self._store = store
        self._spend_limits = SpendLimits(self._store, root, table, limits.tier)

    def api_routes(self) -> list[ApiRoute]:
        return [*usage_routes(self._db, self._root), *spend_limit_routes(self._spend_limits)]

    def other_routes(self, caller: Caller, kept: KeptBodies) -> list[BaseRoute]:
        return usage_admin_routes(self._store, self._root, kept, caller)

    async def start(self) -> None:
        """After the rate limits' overrides have been read."""
        await self.watch.start()
        await self.pruning.start()

    async def stop(self) -> None:
        """After the recorder has stopped, before Redis is closed."""
        await self.pruning.stop()
        await self.watch.stop()
