from __future__ import annotations

from decimal import Decimal
from typing import Any

from understudy.usage.money import dollars
from understudy.usage.prices import CATALOG_PRICES

from .browser import CONSOLE
from .conftest import Console

MODEL = "claude-sonnet-5-5"


def _cost(console: Console, usage: dict[str, Any], **more: Any) -> Decimal:
    answer = console.owner.ours("POST", CONSOLE + "/cost", {"model": MODEL, "usage": usage, **more})
    assert (answer["type"], answer["currency"]) == ("cost", "USD")
    return Decimal(answer["amount"])


def _priced(model: str = MODEL, **counts: Any) -> Decimal:
    return dollars(CATALOG_PRICES.costs(model, 1_795_000_000, **counts).total)


def test_a_message_costs_what_its_row_of_usage_is_charged(console: Console) -> None:
    usage = {
        "input_tokens": 1_000,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 500},
        "cache_read_input_tokens": 4_000,
        "output_tokens": 333,
        "server_tool_use": {"web_search_requests": 2},
    }
    wanted = _priced(
        input_tokens=1_000,
        cache_creation_5m_input_tokens=200,
        cache_creation_1h_input_tokens=500,
        cache_read_input_tokens=4_000,
        output_tokens=333,
        web_search_requests=2,
    )
    assert _cost(console, usage) == wanted > 0


def test_what_was_written_without_saying_for_how_long_is_of_five_minutes(console: Console) -> None:
    assert _cost(console, {"cache_creation_input_tokens": 700}) == _priced(cache_creation_5m_input_tokens=700)


def test_other_models_that_were_asked_for_it_cost_their_own_price(console: Console) -> None:
    other = {"type": "advisor_message", "model": "claude-opus-5", "input_tokens": 900, "output_tokens": 90}
    usage = {"input_tokens": 10, "output_tokens": 20, "iterations": [{"type": "message", "input_tokens": 10}, other]}
    alone = _priced(input_tokens=10, output_tokens=20)
    assert _cost(console, usage) == alone + _priced("claude-opus-5", input_tokens=900, output_tokens=90)


def test_a_summary_and_advice_of_the_same_model_cost_too(console: Console) -> None:
    own = {"type": "message", "input_tokens": 10, "output_tokens": 20}
    summary = {"type": "compaction", "input_tokens": 5_000, "output_tokens": 300}
    advice = {"type": "advisor_message", "model": MODEL, "input_tokens": 900, "output_tokens": 90}
    usage = {"input_tokens": 10, "output_tokens": 20, "iterations": [summary, own, advice]}
    assert _cost(console, usage) == _priced(input_tokens=5_910, output_tokens=410)


def test_amounts_are_written_without_an_exponent(console: Console) -> None:
    for usage in ({}, {"output_tokens": 1}):
        answer = console.owner.ours("POST", CONSOLE + "/cost", {"model": MODEL, "usage": usage})
        assert "E" not in answer["amount"]


def test_half_price_and_nonsense(console: Console) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": -5, "cache_creation": "none", "iterations": 3}
    assert _cost(console, usage) == _priced(input_tokens=1_000)
    assert _cost(console, usage, service_tier="batch") == _priced(input_tokens=1_000, service_tier="batch")


def test_strangers_are_told_no_prices(console: Console) -> None:
    answer = console.browser().call("POST", CONSOLE + "/cost", {"model": MODEL, "usage": {}})
    assert answer.status_code == 401
