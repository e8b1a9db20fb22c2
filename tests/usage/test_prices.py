from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.engines.catalog import public_models
from understudy.usage.money import cents, dollars, nano
from understudy.usage.prices import MOST_TOKENS, Costs, Pricing, context_window, rates
from understudy.usage.rows import costs_of
from usage.reporting import HAIKU, OPUS, SONNET, at
from usage_records import record

TODAY = at("2026-11-22T12:00:00")
PRICING = Pricing()
MILLION = 1_000_000


def in_dollars(costs: Costs) -> Decimal:
    return dollars(costs.total)


def test_each_kind_of_token_has_its_own_price() -> None:
    costs = PRICING.costs(
        SONNET,
        TODAY,
        input_tokens=1_000,
        cache_creation_5m_input_tokens=1_000,
        cache_creation_1h_input_tokens=1_000,
        cache_read_input_tokens=1_000,
        output_tokens=1_000,
    )
    assert [dollars(amount) for amount in costs] == list(
        map(Decimal, ("0.003", "0.00375", "0.006", "0.0003", "0.015", "0"))
    )


def test_a_longer_prompt_moves_all_of_its_tokens_into_the_dearer_band() -> None:
    within = PRICING.costs(HAIKU, TODAY, input_tokens=60_000, cache_read_input_tokens=40_000, output_tokens=1_000)
    assert in_dollars(within) == Decimal("0.006") + Decimal("0.0004") + Decimal("0.0005")
    beyond = PRICING.costs(HAIKU, TODAY, input_tokens=60_001, cache_read_input_tokens=40_000, output_tokens=1_000)
    assert in_dollars(beyond) == Decimal("0.0300005") + Decimal("0.002") + Decimal("0.0025")


def test_the_price_is_that_of_the_day_in_utc_on_which_the_request_came() -> None:
    before = PRICING.costs("claude-sonnet-5-5", at("2026-10-06T23:59:59"), cache_read_input_tokens=MILLION)
    after = PRICING.costs("claude-sonnet-5-5", at("2026-10-07T00:00:00"), cache_read_input_tokens=MILLION)
    assert (in_dollars(before), in_dollars(after)) == (Decimal("0.2"), Decimal("0.1"))


def test_a_band_that_has_ended_counts_no_more() -> None:
    then = PRICING.costs(SONNET, at("2026-10-07T12:00:00"), input_tokens=MILLION)
    now = PRICING.costs(SONNET, at("2026-10-08T00:00:00"), input_tokens=MILLION)
    assert (in_dollars(then), in_dollars(now)) == (Decimal(6), Decimal(3))


@pytest.mark.parametrize(
    ("how", "factor"),
    [
        ({"service_tier": "batch"}, "0.5"),
        ({"inference_geo": "us"}, "1.1"),
        ({"service_tier": "batch", "inference_geo": "us"}, "0.55"),
        ({"inference_geo": "global", "service_tier": "standard", "speed": "standard"}, "1"),
        ({"speed": "fast"}, "2"),
    ],
)
def test_batches_places_and_speed_multiply_every_token(how: dict[str, Any], factor: str) -> None:
    tokens: dict[str, Any] = {"input_tokens": 1_000, "output_tokens": 1_000, "cache_read_input_tokens": 1_000}
    usual, other = PRICING.costs(OPUS, TODAY, **tokens), PRICING.costs(OPUS, TODAY, **tokens, **how)
    assert [Decimal(amount) for amount in other] == [amount * Decimal(factor) for amount in usual]


def test_web_searches_are_charged_one_by_one_and_without_multipliers() -> None:
    costs = PRICING.costs(SONNET, TODAY, web_search_requests=3, service_tier="batch", inference_geo="us")
    assert in_dollars(costs) == Decimal("0.03")
    assert costs.web_search == costs.total


def test_a_model_that_nobody_priced_is_free_and_a_configured_price_stands_before_the_catalogs() -> None:
    assert PRICING.costs("our-llama", TODAY, input_tokens=MILLION).total == 0
    own = Pricing({"our-llama": rates(Decimal("0.2"), Decimal("0.000001")), SONNET: rates(Decimal(1), Decimal(1))})
    costs = own.costs(
        "our-llama", TODAY, input_tokens=MILLION, cache_creation_5m_input_tokens=MILLION, output_tokens=MILLION
    )
    assert [dollars(amount) for amount in costs[:5]] == [
        Decimal("0.2"),
        Decimal("0.25"),
        Decimal(0),
        Decimal(0),
        Decimal("0.000001"),
    ]
    assert in_dollars(own.costs(SONNET, TODAY, input_tokens=MILLION)) == 1


def test_a_refusal_that_said_nothing_is_free() -> None:
    assert costs_of(record(model=SONNET, stop_reason="refusal", output_tokens=0)).total == 0
    assert costs_of(record(model=SONNET, stop_reason="refusal", output_tokens=1)).total > 0
    assert costs_of(record(model=SONNET, input_tokens=None)).total == 0


@given(tokens=st.integers())
def test_abuse_26_forged_usage_costs_neither_less_than_nothing_nor_more_than_a_request_can(tokens: int) -> None:
    costs = PRICING.costs("claude-fable-5", TODAY, input_tokens=tokens, output_tokens=tokens)
    most = PRICING.costs("claude-fable-5", TODAY, input_tokens=MOST_TOKENS, output_tokens=MOST_TOKENS)
    assert 0 <= costs.total <= most.total < 2**63


@given(
    model=st.sampled_from([model.id for model in public_models()]),
    tokens=st.tuples(*[st.integers(0, 2_000_000)] * 5),
    batch=st.booleans(),
    us=st.booleans(),
    day=st.integers(at("2024-01-01T00:00:00").__int__(), at("2027-12-31T00:00:00").__int__()),
)
def test_the_cost_is_the_catalogs_price_in_decimals_to_a_nano_dollar_a_component(
    model: str, tokens: tuple[int, ...], batch: bool, us: bool, day: int
) -> None:
    from datetime import UTC, datetime

    from understudy.engines.catalog import Catalog

    fresh, short, long, read, output = tokens
    costs = PRICING.costs(
        model,
        day,
        input_tokens=fresh,
        cache_creation_5m_input_tokens=short,
        cache_creation_1h_input_tokens=long,
        cache_read_input_tokens=read,
        output_tokens=output,
        service_tier="batch" if batch else "standard",
        inference_geo="us" if us else "global",
    )
    found = Catalog().find(model)
    assert found is not None
    price = found.price(datetime.fromtimestamp(day, UTC).date(), fresh + short + long + read)
    factor = (Decimal("0.5") if batch else 1) * (Decimal("1.1") if us else 1)
    expected = [0] * 5
    if price is not None:
        of = price.rates
        each = (of.input, of.cache_write_5m, of.cache_write_1h, of.cache_read, of.output)
        expected = [nano(rate * factor * count / MILLION) for rate, count in zip(each, tokens, strict=True)]
    elif found.prices:
        return  # a short prompt of a model whose price of that day is for longer ones only: there is none
    assert list(costs[:5]) == expected


def test_the_context_window_of_usage_is_that_of_its_prompt() -> None:
    assert (context_window(200_000), context_window(200_001)) == ("0-200k", "200k-1M")


@given(st.integers(-(2**63), 2**63 - 1))
def test_cents_are_exact_decimal_text(amount: int) -> None:
    text = cents(amount)
    assert Decimal(text) * 10**7 == amount
    assert "e" not in text.lower()
    assert not text.endswith(".")


def test_cents_look_as_the_documentation_writes_them() -> None:
    assert cents(nano(Decimal("1.2378912"))) == "123.78912"
    assert (cents(0), cents(10**7), cents(5)) == ("0", "1", "0.0000005")
