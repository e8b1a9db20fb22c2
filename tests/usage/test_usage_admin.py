from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from asgi import Answer
from understudy.limits.spend_bounds import load_bounds
from understudy.limits.spend_tables import credit_entries
from understudy.usage.request_log import Search, find
from usage.reporting import (
    DEFAULT,
    HAIKU,
    KEY_ID,
    MARKETING,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    SONNET,
    USER,
    at,
    reporting,
    used,
)
from usage_records import record

ADMIN = "/_understudy/admin"
LIMITS = "/v1/organizations/spend_limits"


@pytest.mark.each_database
async def test_a_request_is_found_by_its_id_and_by_what_it_was(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        recent = record(
            organization_id="0b6d3b3a-4a4f-4d4f-9d4f-1f1f1f1f1f1f", status=429, error_type="rate_limit_error"
        )
        others = [used(f"2026-11-22T10:00:0{number}", model=HAIKU) for number in range(5)]
        await it.write([recent, *others])

        async def found(**query: Any) -> list[str]:
            page = await it.get(f"{ADMIN}/requests", key="admin", **query)
            return [one["request_id"] for one in page["data"]]

        assert await found(request_id=recent.request_id) == [recent.request_id]
        assert await found(request_id="req_011CUnknownUnknownUnkn") == []
        assert await found(request_id="' OR 1=1 --") == []
        newest_first = [one.request_id for one in reversed(others)]
        assert await found(model=HAIKU) == newest_first
        assert await found(status=429) == [recent.request_id]
        assert await found(until="2026-11-22T10:00:02Z", model=HAIKU) == newest_first[-2:]
        assert await found(api_key_id=KEY_ID, since="2026-11-22T10:00:03Z", model=HAIKU) == newest_first[:2]
        page = await it.get(f"{ADMIN}/requests", key="admin", model=HAIKU, limit=3)
        following = await it.get(f"{ADMIN}/requests", key="admin", model=HAIKU, limit=3, page=page["next_page"])
        ids = [one["request_id"] for one in (*page["data"], *following["data"])]
        assert (ids, following["next_page"]) == (newest_first, None)
        refused = await it.call(f"{ADMIN}/requests", key="admin", model=SONNET, page=page["next_page"])
        assert refused.status == 400
        shown = page["data"][0]
        assert (shown["model"], shown["output_tokens"], shown["limit_exceeded"]) == (HAIKU, 101, None)
        assert shown["cost"].startswith("0.0000")


async def test_an_admin_key_opens_these_routes_or_a_role_that_sees_them(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        for path in ("requests", "requests.csv", "spend", "credit", "spend_alerts", f"api_keys/{KEY_ID}/budget"):
            assert (await it.call(f"{ADMIN}/{path}", key="stranger")).status == 401
            assert (await it.call(f"{ADMIN}/{path}", key="nobody")).status == 403
            for key in ("reader", "admin"):
                assert (await it.call(f"{ADMIN}/{path}", key=key)).status == 200


async def test_a_workspaces_own_roles_see_its_requests_and_no_others(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        mine = record(organization_id=ORGANIZATION, workspace_id=MARKETING)
        theirs = record(organization_id=ORGANIZATION, workspace_id=DEFAULT)
        await it.write([mine, theirs])

        async def status(path: str, key: str, **query: Any) -> int:
            return (await it.call(f"{ADMIN}/{path}", key=key, **query)).status

        page = await it.get(f"{ADMIN}/requests", key="manager", workspace_id=MARKETING)
        assert [one["request_id"] for one in page["data"]] == [mine.request_id]
        assert await status("requests", "manager") == 403
        assert await status("requests.csv", "manager") == 403
        assert await status("request_summary", "manager", starting_at="2026-11-22T00:00:00Z") == 403
        assert await status("requests", "manager", workspace_id=DEFAULT) == 403
        assert await status(f"requests/{mine.request_id}", "manager") == 200
        assert await status(f"requests/{theirs.request_id}", "manager") == 404
        assert await status("requests", "developer", workspace_id=MARKETING) == 403
        assert await status("spend", "manager") == 403


async def test_bodies_are_for_who_may_trace_the_workspace(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        request = record(organization_id=ORGANIZATION, workspace_id=MARKETING)
        await it.write([request])
        for key, hidden in (("admin", False), ("manager", False), ("reader", True)):
            shown = await it.get(f"{ADMIN}/requests/{request.request_id}", key=key)
            assert ("bodies_hidden" in shown) is hidden, key


@pytest.mark.each_database
async def test_abuse_61_a_file_of_requests_runs_no_formula(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        bad = ("=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", " =1+1", "\uff1d1+1", 'a","=1', "plain")
        await it.write([used(f"2026-11-22T10:00:0{place}", user_agent=text) for place, text in enumerate(bad)])
        answer = await it.call(f"{ADMIN}/requests.csv", key="admin", path="/v1/")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="requests.csv"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        rows = list(csv.DictReader(io.StringIO(answer.body.decode())))
        assert len(rows) == len(bad)
        for row in rows:
            for value in row.values():
                number = value.replace(".", "", 1).isdigit()
                assert number or not value.lstrip(" ").startswith(("=", "+", "-", "@", "\uff1d")), value
        assert {row["user_agent"] for row in rows} >= {"'=HYPERLINK(1)", "'-1", "plain", 'a","=1'}


@pytest.mark.each_database
async def test_failed_requests_are_found_and_ours_are_left_out(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        good = used("2026-11-22T10:00:00")
        bad = used("2026-11-22T10:00:01", status=500, path="/v1/messages")
        ours = used("2026-11-22T10:00:02", status=404, path="/_understudy/admin/requests/x")
        await it.write([good, bad, ours])

        async def found(**query: Any) -> list[str]:
            page = await it.get(f"{ADMIN}/requests", key="admin", **query)
            return [one["request_id"] for one in page["data"]]

        assert await found(failed="true") == [ours.request_id, bad.request_id]
        assert await found(failed="true", path="/v1/") == [bad.request_id]
        assert await found(path="/v_/") == []
        read = used("2026-11-22T10:00:03", method="GET", path="/v1/organizations/users")
        await it.write([read])
        assert await found(path="/v1/") == [read.request_id, bad.request_id, good.request_id]
        assert await found(path="/v1/", path_not="/v1/organizations/") == [bad.request_id, good.request_id]
        assert await found(reads="false", path="/v1/") == [bad.request_id, good.request_id]


@pytest.mark.each_database
async def test_the_summary_adds_up_requests_errors_and_429s(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        nothing: dict[str, Any] = {"input_tokens": None, "output_tokens": None}
        await it.write(
            [
                used("2026-11-22T10:00:00", input_tokens=10, output_tokens=5),
                used("2026-11-22T10:30:00", model=HAIKU, input_tokens=1, output_tokens=1),
                used("2026-11-22T10:10:00", status=429, **nothing),
                used("2026-11-22T10:20:00", status=400, **nothing),
                # A model was asked before it failed: counted once.
                used("2026-11-22T11:10:00", status=500, input_tokens=7, output_tokens=0),
                used("2026-11-22T10:40:00", status=403, path="/_understudy/admin/spend", **nothing),
                used("2026-11-22T10:40:00", status=429, organization_id=OTHER_ORGANIZATION, **nothing),
            ]
        )
        asked = {"starting_at": "2026-11-22T10:00:00Z", "ending_at": "2026-11-22T12:00:00Z", "bucket_width": "1h"}
        page = await it.get(f"{ADMIN}/request_summary", key="admin", **asked)
        (ten,), (eleven,) = [one["results"] for one in page["data"]]
        assert (ten["requests"], ten["errors"], ten["rate_limited"]) == (4, 1, 1)
        assert (ten["input_tokens"], ten["output_tokens"], ten["model"]) == (11, 6, None)
        assert float(ten["cost"]) > 0
        assert (eleven["requests"], eleven["errors"], eleven["rate_limited"]) == (1, 1, 0)
        by_model = await it.get(f"{ADMIN}/request_summary", key="admin", group_by="model", **asked)
        found = {one["model"]: one["requests"] for one in by_model["data"][0]["results"]}
        assert found == {SONNET: 3, HAIKU: 1}
        one = await it.get(f"{ADMIN}/request_summary", key="admin", model=HAIKU, **asked)
        assert [len(bucket["results"]) for bucket in one["data"]] == [1, 0]
        asked |= {"group_by": "model"}
        file = await it.call(f"{ADMIN}/request_summary.csv", key="admin", **asked)
        rows = list(csv.DictReader(io.StringIO(file.body.decode())))
        assert {row["model"]: row["requests"] for row in rows if row["starting_at"].endswith("10:00:00Z")} == {
            SONNET: "3",
            HAIKU: "1",
        }


@pytest.mark.each_database
async def test_of_many_groups_the_largest_are_told_apart_and_the_others_are_one(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        first, second = "2026-11-22T10:00:00", "2026-11-22T11:00:00"
        refused: dict[str, Any] = {"input_tokens": None, "output_tokens": None}
        tokens = {"dear": 90_000, "small": 10, "smaller": 9}
        await it.write(
            [
                used(first, model=HAIKU, api_key_id="dear", input_tokens=tokens["dear"]),
                *(used(first, api_key_id="busy", model="without a price") for _ in range(5)),
                *(
                    used(time, api_key_id=key, input_tokens=tokens[key])
                    for time in (first, second)
                    for key in tokens
                    if key != "dear"
                ),
                used(second, api_key_id="small", status=429, **refused),
                used(second, api_key_id="refused", status=400, **refused),
            ]
        )
        asked = {"starting_at": "2026-11-22T10:00:00Z", "ending_at": "2026-11-22T12:00:00Z", "bucket_width": "1h"}
        asked |= {"group_by": "api_key_id"}
        whole = await it.get(f"{ADMIN}/request_summary", key="admin", **asked)
        assert await it.get(f"{ADMIN}/request_summary", key="admin", top="5", **asked) == whole
        page = await it.get(f"{ADMIN}/request_summary", key="admin", top="1", **asked)
        ten, eleven = [one["results"] for one in page["data"]]
        # The largest by cost, and the largest by requests.
        assert [one["api_key_id"] for one in ten] == ["busy", "dear", None]
        assert ten[:2] == [one for one in whole["data"][0]["results"] if one["api_key_id"] in {"busy", "dear"}]
        assert "others" not in ten[0]
        assert (ten[2]["others"], ten[2]["requests"], ten[2]["input_tokens"]) == (2, 2, 19)
        (others,) = eleven
        assert (others["others"], others["requests"], others["errors"], others["rate_limited"]) == (3, 4, 1, 1)
        assert others["input_tokens"] == 19
        apart = [one["results"] for one in whole["data"]]
        for told, summed in zip(apart, (ten, eleven), strict=True):
            for name in ("requests", "errors", "rate_limited", "input_tokens", "output_tokens"):
                assert sum(one[name] for one in told) == sum(one[name] for one in summed)
            assert sum(Decimal(one["cost"]) for one in told) == sum(Decimal(one["cost"]) for one in summed) > 0
        file = await it.call(f"{ADMIN}/request_summary.csv", key="admin", top="1", **asked)
        rows = list(csv.DictReader(io.StringIO(file.body.decode())))
        assert [(row["api_key_id"], row["others"]) for row in rows] == [
            ("busy", ""), ("dear", ""), ("", "2"), ("", "3"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"top": "0", "group_by": "model"}, "top: Input should be greater than or equal to 1"),
        ({"top": "101", "group_by": "model"}, "top: Input should be less than or equal to 100"),
        (
            {"top": "many", "group_by": "model"},
            "top: Input should be a valid integer, unable to parse string as an integer",
        ),
        ({"top": "5"}, "top: needs group_by"),
    ],
)
async def test_a_number_of_groups_that_is_none_is_refused(tmp_path: Path, asked: dict[str, str], told: str) -> None:
    async with reporting(tmp_path) as it:
        answer = await it.call(f"{ADMIN}/request_summary", key="admin", starting_at="2026-11-22T10:00:00Z", **asked)
        assert answer.status == 400
        assert answer.json()["error"]["message"] == told


async def test_abuse_06_an_admin_key_beside_another_credential_opens_nothing(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        for bearer, status in (("admin", 200), ("reader", 401), ("stranger", 401)):
            answer = await it.call(f"{ADMIN}/spend", key="admin", authorization=f"Bearer {bearer}")
            assert answer.status == status


@pytest.mark.each_database
async def test_a_rare_request_is_looked_for_a_bounded_number_of_rows_at_a_time(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        start = at("2026-11-22T10:00:00")
        await it.write(
            [used(start + number, status=500 if number in {3, 55} else 200, model=HAIKU) for number in range(100)]
        )
        found: list[float] = []
        pages, place = 0, None
        while place is not None or not pages:
            async with it.db.connect() as connection:
                rows, place = await find(connection, Search(ORGANIZATION, equal={"status": 500}), place, 5, scanned=20)
            found += [row.received_at for row in rows]
            pages += 1
        assert found == [start + 55, start + 3]
        assert pages == 6  # the last one learns that there is nothing more
        page = await it.get(f"{ADMIN}/requests", key="admin", status=500, limit=1)
        assert page["next_page"] is not None
        rest = await it.get(f"{ADMIN}/requests", key="admin", status=500, limit=1, page=page["next_page"])
        assert [one["received_at"] for one in page["data"] + rest["data"]] == found
        assert rest["next_page"] is None


@pytest.mark.each_database
async def test_a_nul_character_is_refused_before_the_database_is_asked(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        assert (await it.call(f"{ADMIN}/requests", key="admin", model="\0")).status == 400
        assert (await it.call(f"{ADMIN}/api_keys/\0/budget", key="admin")).status == 404
        bodies = {
            f"{ADMIN}/spend_alerts": {"amount": "1", "workspace_id": "\0"},
            f"{ADMIN}/spend_limit_increase_requests": {"user_id": "\0"},
            LIMITS: {"amount": "1", "scope": {"type": "user", "user_id": "\0"}},
        }
        for path, body in bodies.items():
            assert (await it.call(path, method="POST", key="admin", body=body)).status == 400


@pytest.mark.each_database
async def test_credit_is_what_was_paid_in_less_what_was_spent_since(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        path = f"{ADMIN}/credit"
        assert (await it.get(path, key="admin"))["balance"] is None
        # 1.50 dollars before there is credit, which it does not pay
        await it.write([used("2026-11-01T10:00:00", input_tokens=0, **_only_output(100_000))])
        paid = await it.call(path, method="POST", key="admin", body={"amount": "10.00", "note": "first"})
        assert paid.json()["balance"] == "10.000000000"
        await it.write([used("2026-11-22T10:00:00", input_tokens=0, **_only_output(100_000))])
        paid = await it.call(path, method="POST", key="admin", body={"amount": "-2.5"})
        credit = paid.json()
        assert (credit["balance"], [one["amount"] for one in credit["entries"]]) == (
            "6.000000000",
            ["-2.500000000", "10.000000000"],
        )
        for amount in ("0", "1e3", "NaN", "ten", "1.0000000001", 5, None, "9999999999999"):
            refused = await it.call(path, method="POST", key="admin", body={"amount": amount})
            assert refused.status == 400, amount


@pytest.mark.each_database
async def test_no_sum_of_credit_is_more_than_can_be_counted(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        path, most = f"{ADMIN}/credit", "1000000000"

        async def pay(amount: str) -> Answer:
            return await it.call(path, method="POST", key="admin", body={"amount": amount})

        assert (await pay(most)).json()["balance"] == f"{most}.000000000"
        refused = await pay("0.01")
        assert (refused.status, refused.json()["error"]["message"]) == (
            400,
            "amount: all credit together must be at most a thousand million dollars",
        )
        # What an older version let in is still read, and can be taken back.
        async with it.db.begin() as connection:
            for number in range(12):
                values = {"id": f"credit_{number}", "organization_id": ORGANIZATION, "amount": 10**18}
                await connection.execute(
                    insert(credit_entries).values(**values, spent_before=0, note="", created_at=1.0)
                )
            assert (await load_bounds(connection)).credit == {ORGANIZATION: 13 * 10**18}
        assert (await it.get(path, key="admin"))["balance"] == "13000000000.000000000"
        assert (await pay("1")).status == 400
        assert (await pay(f"-{most}")).json()["balance"] == "12000000000.000000000"
        budget = await it.call(
            f"{ADMIN}/api_keys/{KEY_ID}/budget", method="POST", key="admin", body={"amount": "1000000001"}
        )
        assert budget.status == 400


def _only_output(tokens: int) -> dict[str, int]:
    names = ("cache_creation_5m_input_tokens", "cache_creation_1h_input_tokens", "cache_read_input_tokens")
    return {**dict.fromkeys(names, 0), "output_tokens": tokens}


async def test_the_months_spending_alerts_and_a_keys_budget(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        await it.write(
            [
                used("2026-11-22T10:00:00", input_tokens=0, **_only_output(100_000)),
                used("2026-11-01T00:00:00", input_tokens=0, workspace_id=MARKETING, **_only_output(100_000)),
                used("2026-10-31T23:59:59", input_tokens=0, **_only_output(100_000)),
            ]
        )
        spend = await it.get(f"{ADMIN}/spend", key="admin")
        assert (spend["month"], spend["amount"]) == ("2026-11", "3.000000000")
        assert spend["workspaces"][MARKETING] == "1.500000000"
        made = await it.call(f"{ADMIN}/spend_alerts", method="POST", key="admin", body={"amount": "3"})
        await it.call(
            f"{ADMIN}/spend_alerts", method="POST", key="admin", body={"amount": "2", "workspace_id": MARKETING}
        )
        alerts = (await it.get(f"{ADMIN}/spend_alerts", key="admin"))["data"]
        assert [(one["workspace_id"], one["is_reached"]) for one in alerts] == [(None, True), (MARKETING, False)]
        gone = await it.call(f"{ADMIN}/spend_alerts/{made.json()['id']}", method="DELETE", key="admin")
        assert gone.status == 200
        again = await it.call(f"{ADMIN}/spend_alerts/{made.json()['id']}", method="DELETE", key="admin")
        assert again.status == 404
        path = f"{ADMIN}/api_keys/{KEY_ID}/budget"
        assert (await it.get(path, key="admin"))["amount"] is None
        budget = await it.call(path, method="POST", key="admin", body={"amount": "12.5"})
        assert (budget.json()["amount"], budget.json()["spent"]) == ("12.500000000", "3.000000000")
        elsewhere = await it.call(
            f"{ADMIN}/api_keys/apikey_01none/budget", method="POST", key="admin", body={"amount": "1"}
        )
        assert elsewhere.status == 404


async def test_a_member_asks_for_more_once(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        path = f"{ADMIN}/spend_limit_increase_requests"
        first = await it.call(path, method="POST", key="admin", body={"user_id": USER})
        second = await it.call(path, method="POST", key="admin", body={"user_id": USER})
        assert first.json()["id"] == second.json()["id"]
        assert first.json()["status"] == "pending"
        foreign = await it.call(path, method="POST", key="admin", body={"user_id": "user_01eve"})
        assert foreign.status == 400
