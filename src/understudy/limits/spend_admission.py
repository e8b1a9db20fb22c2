"""Rate limits and spending as one: what routes ask before they ask a model (http/limiting.py)."""

from __future__ import annotations

import time
from collections.abc import Callable

from understudy.http.limiting import Admission, LimitedPart, Limits, ServiceTier
from understudy.http.principal import Principal
from understudy.http.record import RequestRecord
from understudy.limits.spend import Hold, Spend
from understudy.usage.prices import CATALOG_PRICES, Pricing


class SpendingAdmission:
    """An Admission of the rate limits, and what the request holds of its budgets."""

    __slots__ = ("_admission", "_hold")

    def __init__(self, admission: Admission, hold: Hold) -> None:
        self._admission = admission
        self._hold = hold

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        return self._admission.headers

    @property
    def service_tier(self) -> ServiceTier:
        return self._admission.service_tier

    @property
    def exceeded(self) -> str | None:
        return self._hold.exceeded or self._admission.exceeded

    async def produced(self, output_tokens: int) -> None:
        await self._admission.produced(output_tokens)

    async def finish(self, record: RequestRecord) -> None:
        try:
            await self._admission.finish(record)
        finally:
            await self._hold.finish(record)


class SpendingLimits:
    """Implements http's Limits: money first, then `limits`. Only what asks a model spends any.

    A request holds the cost of its input. What its output may cost is not held: `max_tokens` are seldom used up, and
    requests would be refused for money that nobody spends.
    """

    def __init__(
        self,
        limits: Limits,
        spend: Spend,
        pricing: Pricing = CATALOG_PRICES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._limits = limits
        self._spend = spend
        self._pricing = pricing
        self._clock = clock

    def check(self, caller: Principal, kind: LimitedPart = "messages", *, model: str | None = None) -> None:
        self._limits.check(caller, kind, model=model)

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
        """Raises what spend_refusals.py has, and what the rate limits raise."""
        if kind != "messages":
            return await self._limits.begin(caller, kind, model=model)
        now = self._clock()
        estimate = self._pricing.costs(
            model or "",
            now,
            input_tokens=input_tokens,
            cache_read_input_tokens=cache_read_input_tokens,
            speed="fast" if fast else None,
        ).total
        hold = await self._spend.begin(caller, estimate, at=now)
        try:
            admission = await self._limits.begin(
                caller,
                kind,
                model=model,
                input_tokens=input_tokens,
                cache_read_input_tokens=cache_read_input_tokens,
                max_tokens=max_tokens,
                fast=fast,
                service_tier=service_tier,
            )
        except BaseException:
            await hold.abort()
            raise
        return SpendingAdmission(admission, hold)
