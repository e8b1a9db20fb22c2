from __future__ import annotations

from typing import Any

import pytest

from limits.spenders import CALLER, ORGANIZATION, Money, usd
from understudy.http.limiting import UNLIMITED, Admission, Limits
from understudy.limits.spend_admission import SpendingLimits
from understudy.limits.spend_counters import Begin, MemoryCounters
from understudy.usage.rows import costs_of
from understudy.wire.errors import InvalidRequestError, RateLimitError
from usage_records import record

OPUS = "claude-opus-5"
TOTAL = f"{{{ORGANIZATION}}}:total"


class Refusing:
    def check(self, *_: Any, **__: Any) -> None:
        raise RateLimitError

    async def begin(self, *_: Any, **__: Any) -> Admission:
        raise RateLimitError


async def level(it: Money) -> int:
    """What was spent and what is held."""
    counters = it.counters
    assert isinstance(counters, MemoryCounters)
    return (await counters.begin(Begin((TOTAL,), (None,), 0))).levels[0]


async def test_a_request_holds_the_cost_of_its_input_and_is_charged_what_it_used() -> None:
    it = Money()
    limits: Limits = SpendingLimits(UNLIMITED, it.spend, clock=lambda: it.now)
    admission = await limits.begin(CALLER, model=OPUS, input_tokens=1_000_000, cache_read_input_tokens=1_000_000)
    assert await level(it) == usd("5.5")
    one = record(model=OPUS, input_tokens=10, output_tokens=20)
    await admission.finish(one)
    await admission.finish(one)
    assert await level(it) == costs_of(one).total
    assert admission.headers == []
    assert admission.service_tier == "standard"
    assert admission.exceeded is None


async def test_the_request_log_is_told_which_bound_would_have_refused_a_request() -> None:
    it = Money(mode="observe")
    it.source.limit("organization", ORGANIZATION, "0")
    limits = SpendingLimits(UNLIMITED, it.spend, clock=lambda: it.now)
    assert (await limits.begin(CALLER, model=OPUS)).exceeded == "spend/organization"


async def test_what_the_rate_limits_refuse_holds_nothing() -> None:
    it = Money()
    limits = SpendingLimits(Refusing(), it.spend, clock=lambda: it.now)
    with pytest.raises(RateLimitError):
        await limits.begin(CALLER, model=OPUS, input_tokens=1_000)
    with pytest.raises(RateLimitError):
        limits.check(CALLER)
    assert await level(it) == 0


async def test_abuse_31_what_asks_no_model_is_not_stopped_by_money() -> None:
    it = Money()
    it.source.limit("organization", ORGANIZATION, "0")
    limits = SpendingLimits(UNLIMITED, it.spend, clock=lambda: it.now)
    for kind in ("token_count", "models", "files", "skills", "admin"):
        await limits.begin(CALLER, kind)
    with pytest.raises(InvalidRequestError):
        await limits.begin(CALLER, model=OPUS)
