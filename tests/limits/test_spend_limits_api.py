from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from anthropic.types.beta.organization import BetaSpendLimit, BetaSpendSummary
from anthropic.types.organization.spend_limits import IncreaseRequestApproveResponse, SpendLimitIncreaseRequest

from usage.reporting import DEFAULT, KEY_ID, MARKETING, USER, Reporting, reporting, used

LIMITS = "/v1/organizations/spend_limits"
REQUESTS = "/v1/organizations/spend_limit_increase_requests"


async def set_limit(it: Reporting, scope: dict[str, str], amount: str | None) -> Any:
    answer = await it.call(LIMITS, method="POST", body={"scope": scope, "amount": amount})
    assert answer.status == 200, answer.body
    return answer.json()


async def test_limits_are_set_read_listed_and_deleted(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        made = await set_limit(it, {"type": "workspace", "workspace_id": MARKETING}, "50000")
        BetaSpendLimit.model_validate(made)
        assert made["id"].startswith("spl_")
        assert (made["amount"], made["period"], made["is_enabled"]) == ("50000", "monthly", True)
        again = await set_limit(it, {"type": "workspace", "workspace_id": MARKETING}, "60000")
        assert (again["id"], again["created_at"]) == (made["id"], made["created_at"])
        assert (await it.get(f"{LIMITS}/{made['id']}"))["amount"] == "60000"
        it.now += 1
        await set_limit(it, {"type": "organization"}, None)
        page = await it.get(LIMITS)
        assert [one["scope"]["type"] for one in page["data"]] == ["usage_tier", "organization", "workspace"]
        tier = page["data"][0]
        BetaSpendLimit.model_validate(tier)
        assert await it.get(f"{LIMITS}/{tier['id']}") == tier
        assert [one["id"] for one in (await it.get(LIMITS, workspace_id=MARKETING))["data"]] == [made["id"]]
        assert len((await it.get(LIMITS, scope_type_=["organization"]))["data"]) == 1
        gone = await it.call(f"{LIMITS}/{made['id']}", method="DELETE")
        assert gone.json() == {"id": made["id"], "type": "spend_limit_deleted"}
        for method in ("GET", "DELETE"):
            assert (await it.call(f"{LIMITS}/{made['id']}", method=method)).status == 404
        assert (await it.call(f"{LIMITS}/{tier['id']}", method="DELETE")).status == 400


async def test_limits_that_cannot_be_are_refused(tmp_path: Path) -> None:
    organization = {"type": "organization"}
    bodies: list[Any] = [
        {"scope": organization},
        {"amount": "1"},
        {"scope": organization, "amount": 100},
        {"scope": organization, "amount": "-1"},
        {"scope": organization, "amount": "1.5"},
        {"scope": organization, "amount": "٣"},
        {"scope": organization, "amount": "9" * 18},
        {"scope": organization, "amount": "1", "period": "daily"},
        {"scope": {"type": "seat_tier", "seat_tier": "x"}, "amount": "1"},
        {"scope": {"type": "workspace"}, "amount": "1"},
        {"scope": {"type": "workspace", "workspace_id": DEFAULT}, "amount": "1"},
        {"scope": {"type": "workspace", "workspace_id": "wrkspc_01none"}, "amount": "1"},
        {"scope": {"type": "user", "user_id": "user_01eve"}, "amount": "1"},
        {"scope": {"type": "api_key", "api_key_id": KEY_ID}, "amount": "1"},
        [],
    ]
    async with reporting(tmp_path) as it:
        for body in bodies:
            assert (await it.call(LIMITS, method="POST", body=body)).status == 400, body
        assert (await it.call(LIMITS, scope_type_=["seat_tier"])).status == 400
        assert (await it.call(LIMITS, page="page_x")).status == 400


async def test_abuse_11_and_15_limits_are_for_those_who_may_and_of_their_own_organization(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        made = await set_limit(it, {"type": "organization"}, "100")
        body = {"scope": {"type": "organization"}, "amount": "1"}
        assert (await it.call(LIMITS, key="nobody")).status == 403
        assert (await it.call(LIMITS, method="POST", key="nobody", body=body)).status == 403
        foreign = await it.call(f"{LIMITS}/{made['id']}", key="other")
        unknown = await it.call(f"{LIMITS}/spl_01none", key="other")
        assert (foreign.status, foreign.json()["error"]) == (unknown.status, unknown.json()["error"])
        assert (await it.call(f"{LIMITS}/{made['id']}", method="DELETE", key="other")).status == 404
        # A key's budget is ours, and none of this API's.
        path = f"/_understudy/admin/api_keys/{KEY_ID}/budget"
        await it.call(path, method="POST", key="admin", body={"amount": "1"})
        assert {one["scope"]["type"] for one in (await it.get(LIMITS))["data"]} == {"usage_tier", "organization"}


async def test_a_members_effective_limit_is_their_own_else_the_organizations_else_the_tiers(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:

        async def effective(**query: Any) -> Any:
            (row,) = (await it.get(f"{LIMITS}/effective", **query))["data"]
            BetaSpendSummary.model_validate(row)
            return row

        row = await effective()
        assert (row["source"], row["actor"]["user_id"]) == ({"type": "usage_tier"}, USER)
        await set_limit(it, {"type": "organization"}, "100")
        row = await effective()
        assert (row["source"], row["amount"]) == ({"type": "organization"}, "100")
        own = await set_limit(it, {"type": "user", "user_id": USER}, "7")
        row = await effective(user_ids_=[USER], period_=["monthly"])
        assert (row["source"]["type"], row["amount"], row["spend_limit_id"]) == ("user", "7", own["id"])
        assert row["period_to_date_spend"] == "0"
        assert (await it.get(f"{LIMITS}/effective", user_ids_=["user_01eve"]))["data"] == []
        assert (await it.get(f"{LIMITS}/effective", period_=["daily"]))["data"] == []


async def test_what_a_member_spent_has_three_places_of_a_cent_at_most(tmp_path: Path) -> None:
    from understudy.control.spend_summaries import spend_text

    assert [spend_text(amount) for amount in (0, 10**7, 412_801_250_000, 9_999)] == ["0", "1", "41280.125", "0"]
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-22T10:00:00")])
        (row,) = (await it.get(f"{LIMITS}/effective"))["data"]
        assert row["period_to_date_spend"] == "0"  # the key acts as nobody


@pytest.mark.each_database
async def test_an_increase_request_is_approved_or_denied_once(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:

        async def ask() -> str:
            path = "/_understudy/admin/spend_limit_increase_requests"
            answer = await it.call(path, method="POST", key="admin", body={"user_id": USER})
            return answer.json()["id"]

        first = await ask()
        (pending,) = (await it.get(REQUESTS, status_=["pending"]))["data"]
        SpendLimitIncreaseRequest.model_validate(pending)
        assert (pending["id"], pending["spend_summary"]["period"]) == (first, "monthly")
        approved = await it.call(f"{REQUESTS}/{first}/approve", method="POST", body={"amount": "75000"})
        IncreaseRequestApproveResponse.model_validate(approved.json())
        assert (approved.json()["status"], approved.json()["spend_limit"]["amount"]) == ("approved", "75000")
        assert approved.json()["spend_summary"] is None
        (row,) = (await it.get(f"{LIMITS}/effective"))["data"]
        assert row["amount"] == "75000"
        for verb, body in (("deny", {}), ("approve", {"amount": "1"})):
            assert (await it.call(f"{REQUESTS}/{first}/{verb}", method="POST", body=body)).status == 400
        second = await ask()
        for _ in range(2):
            denied = await it.call(f"{REQUESTS}/{second}/deny", method="POST", body={"suppress_notification": True})
            assert (denied.status, denied.json()["status"]) == (200, "denied")
        assert (await it.get(f"{REQUESTS}/{second}"))["resolved_at"] is not None
        assert [one["id"] for one in (await it.get(REQUESTS))["data"]] == [second, first]
        assert (await it.get(REQUESTS, actor_ids_=["user_01none"]))["data"] == []
        assert (await it.call(f"{REQUESTS}/{first}", key="other")).status == 404
