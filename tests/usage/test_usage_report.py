from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from usage.reporting import DEFAULT, HAIKU, MARKETING, OPUS, OTHER_ORGANIZATION, SONNET, at, reporting, used

PATH = "/v1/organizations/usage_report/messages"
FAST = "fast-mode-2026-02-01"


def results(page: Any) -> list[dict[str, Any]]:
    return [one for bucket in page["data"] for one in bucket["results"]]


def value(result: dict[str, Any]) -> Any:
    """What a result counts, without its dimensions."""
    return (
        result["uncached_input_tokens"],
        result["cache_creation"]["ephemeral_5m_input_tokens"],
        result["cache_creation"]["ephemeral_1h_input_tokens"],
        result["cache_read_input_tokens"],
        result["output_tokens"],
    )


async def test_usage_is_added_up_by_the_day_and_days_without_any_are_there_too(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-19T00:00:00"), used("2026-11-19T23:59:59"), used("2026-11-21T10:00:00")])
        page = await it.usage(starting_at="2026-11-19T05:00:00Z", ending_at="2026-11-22T00:00:00Z")
        assert [(one["starting_at"], one["ending_at"], len(one["results"])) for one in page["data"]] == [
            ("2026-11-19T00:00:00Z", "2026-11-20T00:00:00Z", 1),
            ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z", 0),
            ("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z", 1),
        ]
        assert (page["has_more"], page["next_page"]) == (False, None)
        assert page["data"][0]["results"][0] == {
            "uncached_input_tokens": 20,
            "cache_creation": {"ephemeral_1h_input_tokens": 60, "ephemeral_5m_input_tokens": 40},
            "cache_read_input_tokens": 80,
            "output_tokens": 202,
            "server_tool_use": {"web_search_requests": 0},
            **dict.fromkeys(
                (
                    "account_id",
                    "api_key_id",
                    "context_window",
                    "inference_geo",
                    "model",
                    "service_account_id",
                    "service_tier",
                    "workspace_id",
                )
            ),
        }


async def test_each_width_has_its_own_page_and_its_own_most(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        start = "2026-09-01T00:00:00Z"
        for width, default, most in (("1m", 60, 1440), ("1h", 24, 168), ("1d", 7, 31)):
            page = await it.usage(starting_at=start, bucket_width=width)
            assert (len(page["data"]), page["has_more"]) == (default, True)
            page = await it.usage(starting_at=start, bucket_width=width, limit=most)
            assert len(page["data"]) == most
            refused = await it.call(PATH, starting_at=start, bucket_width=width, limit=most + 1)
            assert (refused.status, refused.json()["error"]["type"]) == (400, "invalid_request_error")


@pytest.mark.each_database
@pytest.mark.parametrize("width", ["1m", "1h"])
async def test_minutes_and_hours_too_and_minutes_from_before_the_roll_up_ends(tmp_path: Path, width: str) -> None:
    async with reporting(tmp_path) as it:
        times = ["2026-11-10T08:59:59.9", "2026-11-10T09:00:00", "2026-11-10T09:00:30", "2026-11-22T09:00:00"]
        await it.write([used(time) for time in times])
        old = await it.usage(starting_at="2026-11-10T08:59:00Z", ending_at="2026-11-10T11:00:00Z", bucket_width=width)
        assert [one["output_tokens"] for one in results(old)] == [101, 202]
        new = await it.usage(starting_at="2026-11-22T09:00:00Z", bucket_width=width, limit=3)
        assert [one["output_tokens"] for one in results(new)] == [101]


async def test_pages_follow_one_another_without_gap_or_overlap(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used(at("2026-11-01T12:00:00") + day * 86_400, output_tokens=day) for day in range(20)])
        query: dict[str, Any] = {"starting_at": "2026-11-01T00:00:00Z", "ending_at": "2026-11-21T00:00:00Z", "limit": 6}
        seen: list[int] = []
        starts: list[str] = []
        page = await it.usage(**query)
        while True:
            seen += [one["output_tokens"] for one in results(page)]
            starts += [bucket["starting_at"] for bucket in page["data"]]
            if not page["has_more"]:
                break
            assert page["next_page"].startswith("page_")
            page = await it.usage(**query, page=page["next_page"])
        assert seen == list(range(20))
        assert len(starts) == len(set(starts)) == 20


@pytest.mark.each_database
async def test_every_filter_sifts_and_every_dimension_groups(tmp_path: Path) -> None:
    records = [
        used("2026-11-22T10:00:00", output_tokens=1),
        used("2026-11-22T10:00:00", output_tokens=2, workspace_id=MARKETING, api_key_id=None),
        used("2026-11-22T10:00:00", output_tokens=4, model=HAIKU, inference_geo="us"),
        used("2026-11-22T10:00:00", output_tokens=8, service_tier="batch", inference_geo="not_available"),
        used("2026-11-22T10:00:00", output_tokens=16, input_tokens=250_000),
        used("2026-11-22T10:00:00", output_tokens=32, service_tier="priority", inference_geo=None),
        used("2026-11-22T10:00:00", output_tokens=64, organization_id=OTHER_ORGANIZATION),
    ]
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 63),
        ({"models_": [HAIKU]}, 4),
        ({"models_": ["claude-sonnet-4-5", HAIKU]}, 63),
        ({"workspace_ids_": [MARKETING]}, 2),
        ({"workspace_ids_": [DEFAULT]}, 61),
        ({"api_key_ids_": ["apikey_01first"]}, 61),
        ({"service_tiers_": ["batch", "priority"]}, 40),
        ({"context_window_": ["200k-1M"]}, 16),
        ({"inference_geos_": ["us"]}, 4),
        ({"inference_geos_": ["not_available"]}, 40),
        ({"models_": [SONNET], "service_tiers_": ["standard"], "workspace_ids_": [DEFAULT]}, 17),
        ({"models_": ["x' OR 1=1 --"]}, 0),
        ({"account_ids_": ["user_01nobody"]}, 0),
    ]
    groups: dict[str, dict[Any, int]] = {
        "model": {SONNET: 59, HAIKU: 4},
        "workspace_id": {None: 61, MARKETING: 2},
        "api_key_id": {None: 2, "apikey_01first": 61},
        "service_tier": {"standard": 23, "batch": 8, "priority": 32},
        "context_window": {"0-200k": 47, "200k-1M": 16},
        "inference_geo": {"global": 19, "us": 4, "not_available": 40},
        "account_id": {None: 63},
        "service_account_id": {None: 63},
    }
    async with reporting(tmp_path) as it:
        await it.write(records)
        for query, expected in cases:
            found = results(await it.usage(starting_at="2026-11-22T00:00:00Z", **query))
            assert sum(one["output_tokens"] for one in found) == expected, query
            assert all(one["model"] is None for one in found)
        for name, expected_groups in groups.items():
            found = results(await it.usage(starting_at="2026-11-22T00:00:00Z", group_by_=[name]))
            assert {one[name]: one["output_tokens"] for one in found} == expected_groups, name
            assert len(found) == len(expected_groups)
        found = results(
            await it.usage(starting_at="2026-11-22T00:00:00Z", group_by_=["model", "workspace_id", "model"])
        )
        assert Counter((one["model"], one["workspace_id"]) for one in found).most_common(1)[0][1] == 1
        assert len(found) == 3


async def test_speed_needs_the_beta_of_fast_mode(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00", model=OPUS)])
        query: dict[str, Any] = {"starting_at": "2026-11-22T00:00:00Z", "group_by_": ["speed"]}
        assert (await it.call(PATH, **query)).status == 400
        assert (await it.call(PATH, starting_at="2026-11-22T00:00:00Z", speeds_=["fast"])).status == 400
        found = results(await it.usage(**query, beta=FAST))
        assert [one["speed"] for one in found] == ["standard"]
        assert results(await it.usage(starting_at="2026-11-22T00:00:00Z", speeds_=["fast"], beta=FAST)) == []


MALFORMED: list[dict[str, Any]] = [
    {},
    {"starting_at": "yesterday"},
    {"starting_at": "2026-11-22"},
    {"starting_at": "2026-11-22T00:00:00"},
    {"starting_at": "2026-13-22T00:00:00Z"},
    {"starting_at": "1700000000"},
    {"starting_at": "2026-11-22T00:00:00Z", "ending_at": "2026-11-22T00:00:00Z"},
    {"starting_at": "2026-11-22T00:00:00Z", "ending_at": "2026-11-01T00:00:00Z"},
    {"starting_at": "2026-11-22T00:00:00Z", "bucket_width": "1w"},
    {"starting_at": "2026-11-22T00:00:00Z", "limit": "0"},
    {"starting_at": "2026-11-22T00:00:00Z", "limit": "seven"},
    {"starting_at": "2026-11-22T00:00:00Z", "group_by_": ["colour"]},
    {"starting_at": "2026-11-22T00:00:00Z", "service_tiers_": ["gold"]},
    {"starting_at": "2026-11-22T00:00:00Z", "models_": ["m" * 300]},
    {"starting_at": "2026-11-22T00:00:00Z", "page": "page_"},
    {"starting_at": "2026-11-22T00:00:00Z", "page": "' OR 1=1"},
    {"starting_at": "2026-11-22T00:00:00Z", "page": "page_MjAyNS0wNS0xNFQwMDowMDowMFo="},
]


async def test_what_is_malformed_is_refused(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        for query in MALFORMED:
            answer = await it.call(PATH, **query)
            assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error"), query
            for word in ("sqlite", "SELECT", "Traceback"):
                assert word not in answer.body.decode()


async def test_any_moment_may_be_asked_for(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        for start in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-22T00:00:00+23:59"):
            for width in ("1m", "1h", "1d"):
                assert results(await it.usage(starting_at=start, bucket_width=width)) == []


async def test_abuse_18_a_cursor_is_bound_to_its_query_and_its_organization(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        query: dict[str, Any] = {"starting_at": "2026-10-01T00:00:00Z", "limit": 3}
        page = (await it.usage(**query, models_=[SONNET]))["next_page"]
        assert (await it.call(PATH, **query, models_=[SONNET], page=page)).status == 200
        longer: dict[str, Any] = {**query, "limit": 5}
        assert (await it.call(PATH, **longer, models_=[SONNET], page=page)).status == 200
        assert (await it.call(PATH, **query, models_=[SONNET], page=page, key="other")).status == 400
        others: list[dict[str, Any]] = [{"models_": [HAIKU]}, {}, {"models_": [SONNET], "bucket_width": "1h"}]
        for other in others:
            assert (await it.call(PATH, **query, **other, page=page)).status == 400
        for place in range(5, len(page)):
            forged = page[:place] + ("A" if page[place] != "A" else "B") + page[place + 1 :]
            answer = await it.call(PATH, **query, models_=[SONNET], page=forged)
            # The last characters hold bits that base64 does not use.
            assert answer.status == 400 or place == len(page) - 1


async def test_who_may_not_see_usage_is_told_so_and_nobody_sees_anothers(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00")])
        for path in (
            PATH,
            "/v1/organizations/cost_report",
            "/v1/organizations/analytics/usage_report",
            "/v1/organizations/analytics/cost_report",
        ):
            query = {"starting_at": "2026-11-22T00:00:00Z"}
            assert (await it.call(path, **query, key="nobody")).status == 403
            assert (await it.call(path, **query, key="stranger")).status == 401
            assert results((await it.call(path, **query, key="other")).json()) == []
            assert len(results((await it.call(path, **query)).json())) == 1


async def test_a_very_long_query_is_refused(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        many = [f"m{number}" for number in range(501)]
        answer = await it.call(PATH, starting_at="2026-11-22T00:00:00Z", models_=many)
        assert answer.status == 400
        assert len(urlencode({"models[]": many}, doseq=True)) > 8_000
