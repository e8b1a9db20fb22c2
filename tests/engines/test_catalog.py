"""The catalog's data is complete, agrees with itself, and says where it comes from."""

from __future__ import annotations

import time
from dataclasses import fields
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest
from anthropic.types import ModelParam

from understudy.engines import catalog
from understudy.engines.catalog import (
    CONTEXT_EDITS,
    EFFORTS,
    SERVER_TOOLS,
    THINKING_TYPES,
    Capabilities,
    Catalog,
    Model,
    charges,
    public_models,
)

MODELS = public_models()
DATA = Path(catalog.__file__).with_name("catalog.json")
TODAY = date(2026, 11, 22)

each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)


def data() -> dict[str, Any]:
    return orjson.loads(DATA.read_bytes())


def found(name: str) -> Model:
    model = Catalog().find(name)
    assert model is not None, name
    return model


def test_every_model_of_the_official_sdk_is_known() -> None:
    names = {name for part in get_args(ModelParam) for name in get_args(part)}
    assert len(names) > 15
    assert names <= Catalog().names()


def test_ids_and_aliases_are_unique_and_the_newest_comes_first() -> None:
    names = [name for model in MODELS for name in (model.id, *model.aliases)]
    assert len(names) == len(set(names))
    assert [model.created_at for model in MODELS] == sorted((model.created_at for model in MODELS), reverse=True)


def test_a_dated_id_is_found_by_its_alias() -> None:
    assert found("claude-haiku-4-5") is found("claude-haiku-4-5-20251001")
    assert Catalog().find("claude-haiku") is None


@each_model
def test_a_model_is_described_as_the_api_would(model: Model) -> None:
    assert model.display_name.startswith("Claude ")
    assert model.line in {"haiku", "sonnet", "opus", "fable", "mythos"}
    assert model.line in model.id
    for moment in (model.created_at, model.deprecated_at, model.retires_at):
        assert moment is None or (moment.endswith("Z") and datetime.fromisoformat(moment))
    assert (model.lifecycle == "active") == (model.deprecated_at is None)
    if model.lifecycle == "retired":
        assert model.retires_at is not None
        assert model.retires_at[:10] <= TODAY.isoformat()
    assert set(model.allowed_fallback_models) <= Catalog().names() - {model.id}


@each_model
def test_limits_agree_with_each_other(model: Model) -> None:
    assert 0 < model.max_tokens < model.max_input_tokens
    for larger, usual in (
        (model.max_input_tokens_with_context_1m, model.max_input_tokens),
        (model.max_tokens_with_output_128k, model.max_tokens),
        (model.batch_max_tokens_with_output_300k, model.max_tokens),
    ):
        assert larger is None or larger > usual
    # 100 pictures and pages on models of 200K tokens, 600 on those of a million.
    wide = model.max_input_tokens == 1_000_000
    assert (model.max_images, model.max_pdf_pages) == ((600, 600) if wide else (100, 100))
    # Prefill went with 4.6, when pictures of 10 MB came.
    assert model.max_image_bytes == (5 if model.prefill else 10) * 1024 * 1024
    assert model.min_cacheable_tokens in {512, 1024, 2048, 4096}
    assert min(model.tool_prompt_tokens, model.forced_tool_prompt_tokens) > 0


@each_model
def test_rules_agree_with_capabilities(model: Model) -> None:
    can = model.capabilities
    for members, known in (
        (can.effort, EFFORTS),
        (can.thinking, THINKING_TYPES),
        (can.context_management, CONTEXT_EDITS),
        (can.server_tools, SERVER_TOOLS),
    ):
        assert list(members) == [name for name in known if name in members]
    assert (model.default_effort is None) == (not can.effort)
    assert model.default_effort is None or model.default_effort in can.effort
    assert can.thinks or "disabled" in can.thinking
    assert not model.thinks_by_default or "adaptive" in can.thinking
    # Who cannot turn thinking off thinks without being asked.
    assert model.thinks_by_default or "disabled" in can.thinking
    assert not model.prefill or "adaptive" not in can.thinking
    assert model.disabled_thinking_max_effort is None or model.disabled_thinking_max_effort in can.effort
    assert model.inference_geo == (not model.prefill)
    assert model.fast_mode == bool(model.fast_prices)


@each_model
def test_prices_follow_the_multipliers(model: Model) -> None:
    """Writing to the cache costs 1.25 and 2 times the input; reading has a factor of each model's own."""
    for price in (*model.prices, *model.fast_prices):
        rates = price.rates
        assert rates.output > rates.input > rates.cache_read > 0
        if model.id != "claude-3-haiku-20240307":  # its prices were rounded
            assert rates.cache_write_5m == rates.input * Decimal("1.25")
        assert rates.cache_write_1h == rates.input * 2
        assert rates.cache_read / rates.input in {Decimal(ratio) for ratio in ("0.025", "0.05", "0.1", "0.12")}


@each_model
def test_there_is_one_price_for_every_day_and_length(model: Model) -> None:
    if model.id == "claude-mythos-preview":  # sold by invitation; no price was published
        assert model.prices == ()
        return
    for day in (date(2025, 1, 1), date(2026, 10, 6), date(2026, 10, 7), TODAY):
        for prompt_tokens in (1, 100_000, 100_001, 1_000_000):
            assert model.price(day, prompt_tokens) is not None


def test_prices_change_by_day_and_by_length_of_the_prompt() -> None:
    def reading(name: str, day: date, tokens: int) -> str:
        price = found(name).price(day, tokens)
        assert price is not None
        return str(price.rates.cache_read)

    assert reading("claude-sonnet-5-5", date(2026, 10, 6), 1) == "0.2"
    assert reading("claude-sonnet-5-5", date(2026, 10, 7), 1) == "0.1"
    assert reading("claude-haiku-5-5", TODAY, 100_000) == "0.01"
    assert reading("claude-haiku-5-5", TODAY, 100_001) == "0.05"
    assert reading("claude-sonnet-4-5", date(2025, 11, 1), 200_001) == "0.6"
    assert reading("claude-sonnet-4-5", TODAY, 200_001) == "0.3"
    fast = found("claude-opus-5").price(TODAY, 1, fast=True)
    assert fast is not None
    assert (fast.rates.input, fast.rates.output) == (10, 50)
    assert found("claude-opus-4-6").price(TODAY, 1, fast=True) is None


def test_charges_hold_for_all_models() -> None:
    assert (charges().batch_multiplier, charges().inference_geo_us_multiplier) == (Decimal("0.5"), Decimal("1.1"))


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("claude-opus-5-5", {"forced_tool_choice": False, "default_effort": "medium", "sampling": "deprecated"}),
        ("claude-sonnet-5-5", {"forced_tool_choice": False, "min_cacheable_tokens": 512}),
        ("claude-fable-5-1", {"forced_tool_choice": False, "thinks_by_default": True}),
        ("claude-fable-5", {"forced_tool_choice": True, "allowed_fallback_models": ("claude-opus-5",)}),
        ("claude-opus-5", {"tool_prompt_tokens": 286, "forced_tool_prompt_tokens": 406, "fast_mode": True}),
        ("claude-sonnet-5", {"mid_conversation_system": True, "allowed_fallback_models": ()}),
        ("claude-opus-4-7", {"sampling": "deprecated", "min_cacheable_tokens": 2048, "prefill": False}),
        ("claude-sonnet-4-6", {"sampling": "exclusive", "prefill": False, "max_images": 600}),
        ("claude-opus-4-5", {"sampling": "exclusive", "prefill": True, "min_cacheable_tokens": 4096}),
        ("claude-sonnet-4-5", {"max_tokens": 64_000, "inference_geo": False, "stops_at_context_window": True}),
        ("claude-opus-4-1", {"sampling": "exclusive", "max_tokens": 32_000, "stops_at_context_window": False}),
        ("claude-sonnet-4-0", {"sampling": "free", "lifecycle": "retired"}),
        ("claude-3-haiku-20240307", {"max_tokens": 4096, "default_effort": None}),
    ],
)
def test_facts_that_the_documentation_names(name: str, facts: dict[str, object]) -> None:
    model = found(name)
    assert {fact: getattr(model, fact) for fact in facts} == facts


def test_a_model_is_retired_from_its_day_on_and_never_comes_back() -> None:
    model = found("claude-sonnet-4-5")
    assert model.lifecycle_on(date(2026, 11, 29)) == "deprecated"
    assert model.lifecycle_on(date(2026, 11, 30)) == "retired"
    assert found("claude-opus-4-1").lifecycle_on(date(2020, 1, 1)) == "retired"
    assert found("claude-mythos-preview").lifecycle_on(date(2030, 1, 1)) == "deprecated"


def test_every_group_of_facts_names_its_source_and_date() -> None:
    contents = data()
    sources = contents["sources"]
    groups = {group for row in contents["models"] for group in row} - {"id", "guessed", "fast_prices"}
    assert groups <= set(sources)
    for name, source in sources.items():
        if name != "guessed":
            assert source["source"]
            assert "2025-01-01" <= source["date"] <= contents["compiled"]


@each_model
def test_guesses_name_fields_that_there_are(model: Model) -> None:
    known = {field.name for field in fields(Model)}
    parts = {"capabilities": {field.name for field in fields(Capabilities)}, "prices": {"since", "until"}}
    for name in model.guessed:
        field, _, part = name.partition(".")
        assert field in known
        assert not part or part in parts[field]


def test_configured_names_are_models_that_refuse_nothing() -> None:
    names = Catalog(["my-model", "claude-haiku-4-5", "my-model"])
    model = names.find("my-model")
    assert model is not None
    assert (model.sampling, model.prefill, model.forced_tool_choice) == ("free", True, True)
    assert model.capabilities.thinking == THINKING_TYPES
    assert [one.id for one in names.models()] == [*(one.id for one in MODELS), "my-model"]


def test_the_catalog_is_read_once_and_soon() -> None:
    assert public_models() is MODELS
    began = time.process_time()
    catalog._contents.__wrapped__()
    # About 1.5 ms; the bound leaves room for a busy machine.
    assert time.process_time() - began < 0.02
