from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.beta.organization import BetaAnalyticsCostReportTimeBucket, BetaAnalyticsUsageReportTimeBucket
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from understudy.http.record import RequestRecord
from understudy.usage.money import dollars
from understudy.usage.prices import Pricing, rates
from understudy.usage.rows import costs_of
from usage.reporting import DEFAULT, HAIKU, MARKETING, OPUS, SONNET, at, reporting, used

USAGE, COST = "/v1/organizations/analytics/usage_report", "/v1/organizations/analytics/cost_report"
DAY = "2026-11-22T00:00:00Z"


def results(page: Any) -> list[dict[str, Any]]:
    return [one for bucket in page["data"] for one in bucket["results"]]


def total(found: list[dict[str, Any]]) -> Decimal:
    """Dollars."""
    return sum((Decimal(one["amount"]) for one in found), Decimal(0)) / 100


async def test_a_days_costs_are_one_amount_in_cents(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00"), used("2026-11-22T11:00:00")])
        page = await it.costs(starting_at="2026-11-21T00:00:00Z")
        assert [len(one["results"]) for one in page["data"]] == [0, 1]
        # 10 + 20 + 30 + 40 + 101 tokens of Sonnet 4.5, twice
        assert page["data"][1]["results"] == [
            {
                "amount": "0.3624",
                "context_window": None,
                "cost_type": None,
                "currency": "USD",
                "description": None,
                "inference_geo": None,
                "model": None,
                "service_tier": None,
                "token_type": None,
                "workspace_id": None,
            }
        ]


@pytest.mark.each_database
async def test_described_costs_name_what_was_charged(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used("2026-11-22T10:00:00", cache_creation_1h_input_tokens=0),
                used("2026-11-22T10:00:00", service_tier="batch", workspace_id=MARKETING),
                used("2026-11-22T10:00:00", model=OPUS, service_tier="priority"),
                used("2026-11-22T10:00:00", model="our-llama"),
            ]
        )
        found = results(await it.costs(starting_at=DAY, group_by_=["description", "workspace_id"]))
        standard = [one for one in found if one["workspace_id"] is None]
        assert {one["token_type"]: one["amount"] for one in standard} == {
            "uncached_input_tokens": "0.003",
            "cache_creation.ephemeral_5m_input_tokens": "0.0075",
            "cache_read_input_tokens": "0.0012",
            "output_tokens": "0.1515",
        }
        assert standard[0]["description"] == "Claude Sonnet 4.5 Usage - Input Tokens"
        assert {one["model"] for one in found} == {SONNET}
        batch = [one for one in found if one["workspace_id"] == MARKETING]
        assert {one["service_tier"] for one in batch} == {"batch"}
        assert len(batch) == 5
        assert all("speed" not in one for one in found)
        betas = results(await it.costs(starting_at=DAY, group_by_=["description"], beta="fast-mode-2026-02-01"))
        assert {one["speed"] for one in betas} == {"standard"}


async def test_costs_by_workspace_add_up_to_the_whole(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00", workspace_id=one) for one in (DEFAULT, MARKETING, MARKETING)])
        whole = results(await it.costs(starting_at=DAY))
        by_workspace = results(await it.costs(starting_at=DAY, group_by_=["workspace_id"]))
        assert [one["workspace_id"] for one in by_workspace] == [None, MARKETING]
        assert total(by_workspace) == total(whole)
        assert Decimal(by_workspace[1]["amount"]) == 2 * Decimal(by_workspace[0]["amount"])


async def test_costs_come_by_the_day_only(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        refused = await it.call("/v1/organizations/cost_report", starting_at=DAY, bucket_width="1h")
        assert refused.status == 400


async def test_what_was_written_keeps_its_cost_when_prices_change(tmp_path: Path) -> None:
    async with reporting(tmp_path, pricing=Pricing({"our-llama": rates(Decimal(1), Decimal(2))})) as it:
        await it.write([used("2026-11-22T10:00:00", model="our-llama")])
        before = total(results(await it.costs(starting_at=DAY)))
        it.pricing = Pricing()
        await it.write([used("2026-11-22T10:00:01", model="our-llama")])
        assert total(results(await it.costs(starting_at=DAY))) == before > 0


RECORDS = st.lists(
    st.builds(
        used,
        st.integers(int(at("2026-11-01T00:00:00")), int(at("2026-11-22T11:00:00"))).map(float),
        model=st.sampled_from([SONNET, HAIKU, OPUS, "claude-3-haiku-20240307", "our-llama"]),
        workspace_id=st.sampled_from([DEFAULT, MARKETING]),
        service_tier=st.sampled_from(["standard", "batch"]),
        inference_geo=st.sampled_from(["global", "us", "not_available"]),
        stop_reason=st.sampled_from(["end_turn", "refusal"]),
        input_tokens=st.integers(0, 400_000),
        cache_read_input_tokens=st.integers(0, 90_000),
        output_tokens=st.integers(0, 60_000),
    ),
    min_size=5,
    max_size=25,
)


def _examples() -> list[RequestRecord]:
    collected: list[RequestRecord] = []

    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None)
    @given(RECORDS)
    def collect(records: list[RequestRecord]) -> None:
        collected.extend(records)

    collect()
    return collected


@pytest.mark.each_database
async def test_every_report_says_to_the_last_digit_what_the_requests_sum_to(tmp_path: Path) -> None:
    records = _examples()
    expected = dollars(sum(costs_of(one).total for one in records))
    span: dict[str, Any] = {"starting_at": "2026-11-01T00:00:00Z", "limit": 31}
    async with reporting(tmp_path) as it:
        for start in range(0, len(records), 40):
            await it.write(records[start : start + 40])
        for group_by in ([], ["workspace_id"], ["description"], ["description", "workspace_id"]):
            assert total(results(await it.costs(**span, group_by_=group_by))) == expected, group_by
        for group_by in ([], ["model"], ["cost_type"], ["token_type", "model"], ["context_window", "inference_geo"]):
            assert total(results(await it.get(COST, **span, group_by_=group_by))) == expected, group_by
        tokens = results(await it.usage(**span))
        assert sum(one["output_tokens"] for one in tokens) == sum(one.output_tokens or 0 for one in records)
        admin = (await it.call("/_understudy/admin/spend", key="admin")).json()
        assert Decimal(admin["amount"]) == expected


async def test_the_analytics_reports_are_what_the_sdks_types_hold(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00"), used("2026-11-22T10:30:00", model=HAIKU)])
        usage = await it.get(USAGE, starting_at="2026-11-22T09:00:00Z", bucket_width="1h", group_by_=["model"])
        buckets = [BetaAnalyticsUsageReportTimeBucket.model_validate(one) for one in usage["data"]]
        assert [len(one.results) for one in buckets] == [0, 2, 0, 0]
        assert {one.model: one.requests for one in buckets[1].results} == {SONNET: 1, HAIKU: 1}
        costs = await it.get(COST, starting_at="2026-11-22T09:00:00Z", bucket_width="1h", group_by_=["cost_type"])
        priced = [BetaAnalyticsCostReportTimeBucket.model_validate(one) for one in costs["data"]]
        assert [one.cost_type for one in priced[1].results] == ["tokens"]
        assert priced[1].results[0].amount == priced[1].results[0].list_amount
        whole = await it.get(COST, starting_at="2026-11-22T09:00:00Z", bucket_width="1h")
        assert [one["requests"] for one in results(whole)] == [2]
        assert usage["data_refreshed_at"] == "2026-11-22T12:00:00Z"


async def test_the_analytics_reports_filter_and_refuse_as_documented(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used("2026-11-22T10:00:00", inference_geo="us"),
                used("2026-11-22T10:00:00", inference_geo="not_available"),
            ]
        )
        cases: list[tuple[dict[str, Any], int | None]] = [
            ({"models_": ["claude-sonnet-4-5"]}, 2),
            ({"inference_geos_": ["not_available"]}, 1),
            ({"products_": ["claude_code"]}, None),
            ({"slack_channel_ids_": ["C1"]}, None),
            ({"user_ids_": ["user_01nobody"]}, None),
        ]
        for query, count in cases:
            found = results(await it.get(USAGE, starting_at=DAY, **query))
            assert [one["requests"] for one in found] == ([] if count is None else [count]), query
        by_geo = results(await it.get(USAGE, starting_at=DAY, group_by_=["inference_geo", "product"]))
        assert sorted((one["inference_geo"] or "", one["product"]) for one in by_geo) == [("", None), ("us", None)]
        refused: list[dict[str, Any]] = [
            {"starting_at": "2025-12-31T23:59:59Z"},
            {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-11-22T00:00:00Z"},
            {"starting_at": DAY, "bucket_width": "1m", "limit": 257},
            {"starting_at": DAY, "group_by_": ["rbac_group_id"]},
        ]
        for one in refused:
            assert (await it.call(USAGE, **one)).status == 400, one
