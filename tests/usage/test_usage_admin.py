from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from asgi import Answer
from understudy.limits.spend_bounds import load_bounds
from understudy.limits.spend_tables import credit_entries
from understudy.usage.request_log import Search, find
from usage.reporting import HAIKU, KEY_ID, MARKETING, ORGANIZATION, SONNET, USER, at, reporting, used
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


async def test_only_an_admin_key_opens_these_routes(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        for path in ("requests", "spend", "credit", "spend_alerts", f"api_keys/{KEY_ID}/budget"):
            assert (await it.call(f"{ADMIN}/{path}", key="stranger")).status == 401
            assert (await it.call(f"{ADMIN}/{path}", key="reader")).status == 403
            assert (await it.call(f"{ADMIN}/{path}", key="admin")).status == 200


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
