from __future__ import annotations

import re
from decimal import Decimal
from typing import get_args

import pytest

from understudy.engines.catalog import public_models
from understudy.limits.groups import OTHER_MODELS, Groups
from understudy.limits.tiers import TableName, tier_table

TABLES: tuple[TableName, ...] = get_args(TableName)
CACHE_AWARE = "input_tokens_per_minute_cache_aware"


def figures(table: TableName, tier: str, model: str) -> tuple[int, ...]:
    found = tier_table(table).tier(tier).limits(Groups().of_model(model))
    assert found is not None
    return tuple(found.values())


def test_every_model_of_the_catalog_is_in_exactly_one_group_and_has_limits_in_every_table() -> None:
    groups = Groups()
    for model in public_models():
        assert [model.id in group.models for group in groups.all()].count(True) == 1, model.id
        for table in TABLES:
            for tier in tier_table(table).tiers:
                limits = tier.limits(groups.of_model(model.id))
                assert limits is not None
                assert len(limits) == (0 if tier.unlimited else 3)
    known = {model.id for model in public_models()}
    assert {model for group in groups.all() for model in group.models} == known


def test_ids_of_groups_have_the_api_s_form_and_never_change() -> None:
    groups = Groups(["local-model"])
    ids = [group.id for group in groups.all()]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"rlg_01[1-9A-HJ-NP-Za-km-z]{22}", each) for each in ids)
    assert groups.of_model("claude-sonnet-4-6").id == "rlg_01tPWTvQwY8j1jd2KbD3jwce"
    assert groups.of_model("local-model") == Groups(["another", "local-model"]).of_model("local-model")


# Documentation of 2026-10 and 2026-01, and limits in recorded answers of the same tiers.
@pytest.mark.parametrize(
    ("table", "tier", "model", "expected"),
    [
        ("2026-10", "start", "claude-fable-5-1", (1000, 500_000, 100_000)),
        ("2026-10", "build", "claude-fable-5", (2000, 1_500_000, 300_000)),
        ("2026-10", "start", "claude-opus-4-6", (1000, 2_000_000, 400_000)),
        ("2026-10", "build", "claude-haiku-5-5", (5000, 5_000_000, 1_000_000)),
        ("2026-10", "scale", "claude-sonnet-4-6", (10_000, 10_000_000, 2_000_000)),
        ("2026-10", "scale", "claude-haiku-4-5-20251001", (10_000, 10_000_000, 2_000_000)),
        ("2026-10", "start", "claude-3-5-haiku-20241022", (1000, 100_000, 20_000)),
        ("2026-01", "tier_1", "claude-sonnet-4-5-20250929", (50, 30_000, 8_000)),
        ("2026-01", "tier_1", "claude-opus-4-5-20251101", (50, 30_000, 8_000)),
        ("2026-01", "tier_2", "claude-haiku-4-5-20251001", (1000, 450_000, 90_000)),
        ("2026-01", "tier_4", "claude-haiku-4-5-20251001", (4000, 4_000_000, 800_000)),
        ("2026-01", "tier_2", "claude-3-7-sonnet-20250219", (1000, 40_000, 16_000)),
        ("2026-01", "tier_4", "claude-3-7-sonnet-20250219", (4000, 200_000, 80_000)),
        ("2026-01", "tier_4", "claude-3-opus-20240229", (4000, 400_000, 80_000)),
        ("2026-01", "tier_4", "claude-3-5-haiku-20241022", (4000, 400_000, 80_000)),
    ],
)
def test_the_tables_have_the_published_figures(
    table: TableName, tier: str, model: str, expected: tuple[int, ...]
) -> None:
    assert figures(table, tier, model) == expected


def test_only_old_models_count_what_is_read_from_the_cache() -> None:
    groups = Groups()
    counting = {model.id for model in public_models() if groups.of_model(model.id).counts_cache_reads}
    assert counting == {
        "claude-3-5-haiku-20241022",
        "claude-3-5-sonnet-20241022",
        "claude-3-5-sonnet-20240620",
        "claude-3-haiku-20240307",
        "claude-3-opus-20240229",
        "claude-3-sonnet-20240229",
    }
    start = tier_table("2026-10").tier("start")
    assert CACHE_AWARE in (start.limits(groups.of_model("claude-opus-5")) or {})
    assert "input_tokens_per_minute" in (start.limits(groups.of_model("claude-3-haiku-20240307")) or {})


def test_models_that_share_a_limit_are_one_group_and_others_are_not() -> None:
    groups = Groups()
    assert groups.of_model("claude-opus-4-8") is groups.of_model("claude-opus-4-5-20251101")
    assert groups.of_model("claude-opus-5") is not groups.of_model("claude-opus-4-8")
    assert groups.of_model("claude-opus-5-5") is not groups.of_model("claude-opus-5")


def test_groups_are_found_and_listed_by_aliases_too() -> None:
    groups = Groups(["mine"])
    group = groups.of_name("claude-haiku-4-5")
    assert group is groups.of_model("claude-haiku-4-5-20251001")
    assert group is not None
    assert groups.names(group) == ["claude-haiku-4-5", "claude-haiku-4-5-20251001"]
    assert groups.names(groups.of_model("mine")) == ["mine"]
    assert groups.of_name("made-up") is None


def test_made_up_names_share_one_group_so_that_none_brings_a_fresh_limit() -> None:
    groups = Groups(["mine"])
    assert groups.of_model("made-up-1") is groups.of_model("made-up-2") is OTHER_MODELS
    assert groups.of_model("mine") is not OTHER_MODELS


def test_batches_have_a_queue_of_the_tier_and_every_other_part_its_own_limit() -> None:
    groups = Groups()
    build = tier_table("2026-10").tier("build")
    assert build.limits(groups.of_type("batch")) == {"requests_per_minute": 2000, "enqueued_batch_requests": 300_000}
    assert build.limits(groups.of_type("token_count")) == {"requests_per_minute": 4000}
    assert build.limits(groups.of_type("files")) == {"requests_per_minute": 500}
    assert tier_table("2026-01").tier("tier_4").limits(groups.of_type("token_count")) == {"requests_per_minute": 8000}
    assert build.requests_per_batch == 100_000


def test_tiers_advance_with_what_was_spent_in_all_and_never_go_back() -> None:
    old = tier_table("2026-01")
    assert [
        old.advance("tier_1", Decimal(spent)) for spent in ("0", "39.99", "40", "199.99", "200", "400", "9000")
    ] == [
        "tier_1",
        "tier_1",
        "tier_2",
        "tier_2",
        "tier_3",
        "tier_4",
        "tier_4",
    ]
    assert old.advance("tier_4", Decimal(0)) == "tier_4"
    assert old.advance("custom", Decimal(0)) == "custom"
    assert tier_table("2026-10").advance("evaluation", Decimal(500)) == "build"
    assert tier_table("2026-10").advance("tier_3", Decimal(0)) == "start"


def test_a_tier_that_only_the_other_table_has_is_the_default_one() -> None:
    assert tier_table("2026-10").tier("tier_3").name == "start"
    assert tier_table("2026-01").tier(None).name == "tier_1"
    assert tier_table("2026-10").tier("scale").monthly_spend_cap == Decimal(200_000)


def test_the_tier_that_spending_leads_to_is_the_next_with_a_threshold() -> None:
    table = tier_table("2026-10")
    names = [tier.name for tier in table.tiers]
    led = [(name, following.name if (following := table.following(name)) else None) for name in names]
    assert led == [
        ("evaluation", "start"),
        ("start", "build"),
        ("build", "scale"),
        ("scale", None),
        ("custom", None),
    ]
