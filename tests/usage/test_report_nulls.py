"""A null in a query, which the SDKs write as an empty text, counts as not given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from usage.reporting import MARKETING, reporting, used

_NULLS: dict[str, Any] = {"ending_at": "", "limit": "", "page": "", "group_by": ""}


@pytest.mark.parametrize(
    "path", ["usage_report/messages", "cost_report", "analytics/usage_report", "analytics/cost_report"]
)
async def test_nulls_in_the_query_of_a_report_count_as_not_given(tmp_path: Path, path: str) -> None:
    async with reporting(tmp_path) as it:
        await it.write([used("2026-11-20T10:00:00")])
        url = f"/v1/organizations/{path}"
        plain = await it.get(url, starting_at="2026-11-19T00:00:00Z")
        assert sum(len(bucket["results"]) for bucket in plain["data"]) == 1
        assert await it.get(url, starting_at="2026-11-19T00:00:00Z", **_NULLS) == plain


async def test_a_null_workspace_in_a_query_of_spend_limits_filters_nothing(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        url = "/v1/organizations/spend_limits"
        scope = {"type": "workspace", "workspace_id": MARKETING}
        await it.call(url, method="POST", body={"scope": scope, "amount": "1"})
        plain = await it.get(url)
        assert len(plain["data"]) >= 1
        assert await it.get(url, workspace_id="", page="") == plain
