"""/v1/organizations/analytics/usage and …/cost: rows ranked, each on some page, over a whole range or by buckets."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from usage.reporting import (
    DEFAULT,
    HAIKU,
    KEY_ID,
    MARKETING,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    SONNET,
    USER,
    Reporting,
    at,
    reporting,
    used,
)

BETA = "analytics-usage-cost-2026-08-24"
DAY = 86_400
RANGE = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-22T00:00:00Z"}


async def page(it: Reporting, what: str = "usage", **query: Any) -> Any:
    return await it.get(f"/v1/organizations/analytics/{what}", beta=BETA, **{**RANGE, **query})


async def rows(it: Reporting, what: str = "usage", **query: Any) -> list[dict[str, Any]]:
    """All rows, page by page."""
    found: list[dict[str, Any]] = []
    following = None
    while True:
        given = query if following is None else {**query, "page": following}
        answer = await page(it, what, **given)
        assert len(answer["data"]) <= query.get("limit", 20)
        found += answer["data"]
        following = answer["next_page"]
        assert answer["has_more"] is (following is not None)
        if following is None:
            return found


async def refused(it: Reporting, what: str = "usage", *, beta: str | None = BETA, **query: Any) -> str:
    answer = await it.call(f"/v1/organizations/analytics/{what}", beta=beta, **{**RANGE, **query})
    assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error"), answer.body
    return answer.json()["error"]["message"]


@pytest.mark.each_database
async def test_a_range_is_added_up_from_whole_days_and_the_hours_around_them(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used(at("2026-11-01T05:30:00") + hour * 3_600, input_tokens=1) for hour in range(100)])
        for start, end in ((0, 100), (1, 99), (20, 70), (18, 43), (19, 42), (5, 6), (30, 31), (18, 18 + 24), (3, 3)):
            begin, stop = at("2026-11-01T05:00:00") + start * 3_600, at("2026-11-01T05:00:00") + end * 3_600
            if start == end:
                stop += 1800  # rounded down to the hour nothing is left
            texts = {"starting_at": f"{at_text(begin)}", "ending_at": f"{at_text(stop)}"}
            answer = await page(it, **texts)
            counted = [row["usage"]["uncached_input_tokens"] for row in answer["data"]]
            assert counted == ([end - start] if end > start else [])


def at_text(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def test_a_row_has_its_period_its_group_and_its_sums(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-03T10:00:00", web_search_requests=2), used("2026-11-04T10:00:00")])
        answer = await page(it, group_by_=["model"])
        assert answer["data_refreshed_at"] == "2026-11-22T12:00:00Z"
        (row,) = answer["data"]
        assert (row["starting_at"], row["ending_at"]) == (RANGE["starting_at"], RANGE["ending_at"])
        assert {name: value for name, value in row["group"].items() if value is not None} == {"model": SONNET}
        assert len(row["group"]) == 20
        assert row["usage"] == {
            "uncached_input_tokens": 20,
            "cache_creation": {"ephemeral_1h_input_tokens": 60, "ephemeral_5m_input_tokens": 40},
            "cache_read_input_tokens": 80,
            "output_tokens": 202,
            "total_tokens": 402,
            "server_tool_use": {"web_search_requests": 2},
            "requests": 2,
        }


@pytest.mark.each_database
async def test_every_row_is_on_one_page_in_the_order_asked_for(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used(at("2026-11-01T10:00:00") + day * DAY, model=f"model-{model}", output_tokens=(model * 7 + day) % 5)
                for day in range(4)
                for model in range(6)
            ]
        )
        queries: tuple[dict[str, Any], ...] = (
            {"group_by_": ["model"], "order_by": "output_tokens"},
            {"group_by_": ["model"], "order_by": "output_tokens", "order": "asc"},
            {"group_by_": ["model"], "time_bucket_width": "1d", "order_by": "output_tokens"},
            {"group_by_": ["model"], "time_bucket_width": "1d", "order_by": "time"},
            {"group_by_": ["model"], "time_bucket_width": "1d", "order_by": "time", "order": "asc"},
            {"group_by_": ["model"], "time_bucket_width": "1h", "order_by": "requests", "order": "asc"},
        )
        for query in queries:
            whole = await rows(it, **query, limit=1000)
            assert await rows(it, **query, limit=5) == whole
            places = {(row["starting_at"], row["group"]["model"]) for row in whole}
            assert len(places) == len(whole) == (24 if "time_bucket_width" in query else 6)
            descending = query.get("order") != "asc"
            if query["order_by"] == "output_tokens":
                ranks = [row["usage"]["output_tokens"] for row in whole]
                assert ranks == sorted(ranks, reverse=descending)
            if query["order_by"] == "time":
                keys = [(row["starting_at"], -row["usage"]["total_tokens"]) for row in whole]
                times = [start for start, _ in keys]
                assert times == sorted(times, reverse=descending)
                for start in set(times):  # within a bucket the largest come first, whichever way time runs
                    within = [tokens for of, tokens in keys if of == start]
                    assert within == sorted(within)


async def test_buckets_have_their_own_bounds_and_minutes_a_day_at_most(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:07:30"), used("2026-11-10T10:07:30")])
        for day in ("22", "10"):  # of the second one the minutes are no longer kept, the usage rows are
            day_range = {"starting_at": f"2026-11-{day}T00:00:00Z", "ending_at": f"2026-11-{day}T12:00:00Z"}
            (row,) = await rows(it, time_bucket_width="1m", **day_range)
            assert row["starting_at"] == f"2026-11-{day}T10:07:00Z"
            assert row["ending_at"] == f"2026-11-{day}T10:08:00Z"
        assert "24 hours" in await refused(it, time_bucket_width="1m")


async def test_actors_are_whom_a_key_acts_as_else_the_key(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used("2026-11-03T10:00:00", actor_id=USER, output_tokens=4),
                used("2026-11-03T10:00:00", actor_id="svac_01robot", output_tokens=3),
                used("2026-11-03T10:00:00", output_tokens=2),
                used("2026-11-03T10:00:00", actor_id="user_01gone", output_tokens=1),
                used("2026-11-03T10:00:00", api_key_id=None, output_tokens=0),
            ]
        )
        found = await rows(it, group_by_=["actor", "actor_type"])
        assert [(row["group"]["actor"], row["group"]["actor_type"]) for row in found] == [
            (
                {
                    "type": "user_actor",
                    "user_id": USER,
                    "name": USER,
                    "email_address": "ada@example.com",
                    "deleted": False,
                },
                "user_actor",
            ),
            ({"type": "service_account_actor", "service_account_id": "svac_01robot"}, "service_account_actor"),
            ({"type": "api_actor", "api_key_id": KEY_ID}, "api_actor"),
            (None, "user_actor"),
            (None, None),
        ]

        async def outputs(**filters: Any) -> list[int]:
            return [row["usage"]["output_tokens"] for row in await rows(it, group_by_=["actor"], **filters)]

        assert await outputs(actor_types_=["service_account_actor", "api_actor"]) == [3, 2]
        assert await outputs(actor_ids_=[USER, KEY_ID]) == [4, 2]
        assert await outputs(api_key_ids_=[KEY_ID]) == [4, 3, 2, 1]
        assert await outputs(api_key_ids_=[""]) == [0]


async def test_rows_of_people_who_have_left_can_be_left_out(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-03T10:00:00", actor_id=USER), used("2026-11-03T10:00:00")])
        async with it.db.begin() as connection:
            await connection.exec_driver_sql("UPDATE users SET removed_at = 1 WHERE id = 'user_01ada'")
        assert {row["group"]["actor"]["type"] for row in await rows(it, group_by_=["actor"])} == {
            "user_actor",
            "api_actor",
        }
        (left,) = await rows(it, group_by_=["actor"], exclude_deleted_users="true")
        assert left["group"]["actor"]["type"] == "api_actor"
        assert "exclude_deleted_users" in await refused(it, exclude_deleted_users="true")


async def test_filters_and_dimensions_of_this_server_count_and_others_match_nothing(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used("2026-11-03T10:00:00", workspace_id=MARKETING, service_tier="batch"),
                used("2026-11-03T10:00:00", model=HAIKU, inference_geo="not_available", input_tokens=300_000),
                used("2026-11-03T10:00:00", organization_id=OTHER_ORGANIZATION),
            ]
        )
        grouped = ["workspace_id", "product", "service_tier", "context_window", "inference_geo"]
        found = await rows(it, group_by_=grouped, order_by="requests", order="asc")
        assert sorted([str(row["group"][name]) for name in grouped] for row in found) == [
            [DEFAULT, "messages_api", "standard", "200k-1M", "None"],
            [MARKETING, "message_batches_api", "batch", "0-200k", "global"],
        ]
        matching: tuple[tuple[dict[str, Any], int], ...] = (
            ({"workspace_ids_": [MARKETING]}, 1),
            ({"workspace_ids_": [DEFAULT, MARKETING]}, 2),
            ({"products_": ["messages_api"]}, 1),
            ({"products_": ["claude_code"]}, 0),
            ({"service_tiers_": ["batch", "standard"]}, 2),
            ({"context_windows_": ["200k-1M"]}, 1),
            ({"inference_geos_": ["not_available"]}, 1),
            ({"models_": [SONNET.rpartition("-")[0]]}, 1),
            ({"speeds_": ["fast"]}, 0),
            ({"agent_ids_": ["agent_1"]}, 0),
            ({"organization_ids_": [ORGANIZATION]}, 0),
            ({"rbac_group_ids_": ["rbac_group_1"]}, 0),
        )
        for filters, count in matching:
            assert len(await rows(it, group_by_=["model"], **filters)) == count, filters


@pytest.mark.each_database
async def test_costs_fan_out_by_type_and_their_sum_is_the_sum_of_the_requests(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-03T10:00:00", web_search_requests=1) for _ in range(3)])
        await it.write([used("2026-11-03T10:00:00", model="free-of-charge")])
        (whole,) = await rows(it, "cost")
        assert whole["cost"]["requests"] == 4
        assert (whole["cost"]["currency"], whole["cost"]["amount"]) == ("USD", whole["cost"]["list_amount"])
        by_model = await rows(it, "cost", group_by_=["model"])
        assert [row["group"]["model"] for row in by_model] == [SONNET]  # what cost nothing has no row

        async def parts(*group_by: str) -> dict[tuple[str | None, str | None], str]:
            found = await rows(it, "cost", group_by_=list(group_by))
            assert all(row["cost"]["requests"] is None for row in found)
            return {(row["group"]["cost_type"], row["group"]["token_type"]): row["cost"]["amount"] for row in found}

        types, tokens, both = (
            await parts("cost_type"),
            await parts("token_type"),
            await parts("cost_type", "token_type"),
        )
        assert set(types) == {("tokens", None), ("web_search", None)}
        assert {kind for kind, _ in tokens} == {"tokens"}
        assert len(tokens) == 5
        assert set(both) == {*tokens, ("web_search", None)}
        total = pytest.approx(float(whole["cost"]["amount"]))
        assert sum(map(float, types.values())) == total
        assert sum(map(float, both.values())) == total
        assert sum(map(float, tokens.values())) == pytest.approx(float(types["tokens", None]))


async def test_what_cannot_be_asked_for_is_refused_by_its_name(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        assert BETA in await refused(it, beta=None)
        five = ["actor", "model", "speed", "product", "service_tier"]
        await page(it, "cost", group_by_=[*five, "cost_type", "token_type"])
        assert "group_by[]" in await refused(it, group_by_=[*five, "workspace_id"])
        assert "rbac_group_id" in await refused(it, group_by_=["rbac_group_id"])
        assert "group_by[]" in await refused(it, group_by_=["cost_type"])
        assert "limit" in await refused(it, limit=1001)
        assert "limit" in await refused(it, limit=0)
        assert "order_by" in await refused(it, order_by="amount")
        assert "ending_at" in await refused(it, ending_at="2026-12-31T00:00:00Z")
        assert "ending_at" in await refused(it, ending_at="", time_bucket_width="1d")
        assert "starting_at" in await refused(it, starting_at="2025-01-01T00:00:00Z")
        await it.write([used("2026-11-03T10:00:00", model=f"m{number}") for number in range(3)])
        first = await page(it, group_by_=["model"], limit=1)
        assert "page" in await refused(it, "cost", group_by_=["model"], limit=1, page=first["next_page"])
        assert "page" in await refused(it, group_by_=["model"], order="asc", limit=1, page=first["next_page"])


async def test_it_takes_the_permission_to_read_usage_and_shows_ones_own_alone(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-03T10:00:00")])
        path = "/v1/organizations/analytics/usage"
        assert (await it.call(path, key="nobody", beta=BETA, **RANGE)).status == 403
        assert (await it.call(path, key="other", beta=BETA, **RANGE)).json()["data"] == []
