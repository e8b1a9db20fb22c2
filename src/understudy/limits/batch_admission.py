"""What lets the requests of batches in: money, at the price of batches.

The rate limits of the Messages API are not theirs: batches have limits of their own, on requests to their routes and on
how many of their requests may wait (rate limits documentation). Those are asked when a batch is made.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from understudy.http.limiting import Admission, LimitedPart, ServiceTier
from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.limits.spend import Hold, Spend
from understudy.usage.prices import CATALOG_PRICES, Pricing


class _BatchAdmission:
    """An Admission that only holds money."""

    __slots__ = ("_hold", "headers")

    service_tier: ServiceTier = "batch"

    def __init__(self, hold: Hold) -> None:
        self._hold = hold
        self.headers: list[tuple[bytes, bytes]] = []

    @property
    def exceeded(self) -> str | None:
        return self._hold.exceeded

    async def produced(self, output_tokens: int) -> None: ...

    async def finish(self, record: RequestRecord) -> None:
        await self._hold.finish(record)


class BatchLimits:
    """Implements http's Limits for requests of batches."""

    def __init__(self, spend: Spend, pricing: Pricing = CATALOG_PRICES, clock: Callable[[], float] = time.time) -> None:
        self._spend = spend
        self._pricing = pricing
        self._clock = clock

    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None: ...

    async def begin(
        self,
        caller: Principal,
        kind: LimitedPart = "messages",
        *,
        model: str | None = None,
        input_tokens: int = 0,
        cache_read_input_tokens: int = 0,
        max_tokens: int = 0,
        fast: bool = False,
        service_tier: str = "auto",
    ) -> Admission:
        """Raises what spend_refusals.py has."""
        now = self._clock()
        estimate = self._pricing.costs(
            model or "",
            now,
            input_tokens=input_tokens,
            cache_read_input_tokens=cache_read_input_tokens,
            service_tier="batch",
        ).total
        return _BatchAdmission(await self._spend.begin(caller, estimate, at=now))
