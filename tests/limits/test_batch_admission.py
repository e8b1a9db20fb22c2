"""Requests of batches against money: at half the price, and exactly once."""

from __future__ import annotations

import pytest

from limits.spenders import CALLER, ORGANIZATION, Money, usd
from understudy.http.limiting import Limits
from understudy.limits.batch_admission import BatchLimits
from understudy.limits.spend_counters import Begin, MemoryCounters
from understudy.limits.spend_refusals import SpendLimitReachedError
from understudy.usage.rows import costs_of
from usage_records import record

OPUS = "claude-opus-5"


async def level(it: Money) -> int:
    """What was spent and what is held."""
    counters = it.counters
    assert isinstance(counters, MemoryCounters)
    return (await counters.begin(Begin((f"{{{ORGANIZATION}}}:total",), (None,), 0))).levels[0]


async def test_a_batchs_request_holds_half_of_its_input_and_is_charged_half_of_what_it_used() -> None:
    it = Money()
    limits: Limits = BatchLimits(it.spend, clock=lambda: it.now)
    limits.check(CALLER, model=OPUS)
    admission = await limits.begin(CALLER, model=OPUS, input_tokens=1_000_000, cache_read_input_tokens=1_000_000)
    assert await level(it) == usd("2.75")
    assert (admission.service_tier, admission.headers, admission.exceeded) == ("batch", [], None)
    await admission.produced(20)
    one = record(model=OPUS, input_tokens=10, output_tokens=20, service_tier="batch")
    await admission.finish(one)
    await admission.finish(one)
    plain = record(model=OPUS, input_tokens=10, output_tokens=20)
    assert await level(it) == costs_of(one).total == costs_of(plain).total // 2 > 0


async def test_money_that_is_used_up_lets_no_batchs_request_in() -> None:
    it = Money()
    it.source.limit("organization", ORGANIZATION, "0")
    with pytest.raises(SpendLimitReachedError):
        await BatchLimits(it.spend, clock=lambda: it.now).begin(CALLER, model=OPUS, input_tokens=5)
