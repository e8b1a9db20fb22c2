"""The official SDK reads reports and spend limits over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anthropic
import pytest
import uvicorn

from usage.reporting import HAIKU, MARKETING, SONNET, USER, Reporting, at, reporting, used


@asynccontextmanager
async def sdk(it: Reporting, key: str = "reader") -> AsyncGenerator[anthropic.AsyncAnthropic]:
    server = uvicorn.Server(uvicorn.Config(it.app, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        async with anthropic.AsyncAnthropic(api_key=key, base_url=f"http://127.0.0.1:{port}", max_retries=0) as client:
            yield client
    finally:
        server.should_exit = True
        await serving


async def test_the_sdk_pages_through_analytics_reports(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        start = at("2026-11-01T12:00:00")
        await it.write([used(start + day * 86_400, model=SONNET if day % 2 else HAIKU) for day in range(20)])
        async with sdk(it) as client:
            usage = client.beta.organization.analytics.usage_report.list(
                starting_at="2026-11-01T00:00:00Z",
                ending_at="2026-11-22T00:00:00Z",
                group_by=["model"],
                models=[SONNET],
                limit=6,
            )
            buckets = [bucket async for bucket in usage]
            assert len(buckets) == 21
            found = [result for bucket in buckets for result in bucket.results]
            assert {result.model for result in found} == {SONNET}
            assert sum(result.requests or 0 for result in found) == 10
            costs = client.beta.organization.analytics.cost_report.list(
                starting_at="2026-11-01T00:00:00Z", group_by=["token_type"], limit=10
            )
            types = {result.token_type async for bucket in costs for result in bucket.results}
            assert "output_tokens" in types
            assert len(types) == 5


async def test_the_sdk_pages_through_ranked_usage_and_cost(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it:
        start = at("2026-11-01T12:00:00")
        await it.write([used(start + day * 86_400, model=SONNET if day % 2 else HAIKU) for day in range(20)])
        async with sdk(it) as client:
            usage = client.beta.organization.analytics.usage.list(
                starting_at="2026-11-01T00:00:00Z",
                ending_at="2026-11-22T00:00:00Z",
                time_bucket_width="1d",
                group_by=["model", "actor"],
                order_by="time",
                order="asc",
                limit=6,
            )
            rows = [row async for row in usage]
            assert len(rows) == 20
            assert [row.starting_at for row in rows] == sorted(row.starting_at for row in rows)
            assert {row.group.actor.type for row in rows if row.group.actor is not None} == {"api_actor"}
            costs = client.beta.organization.analytics.cost.list(
                starting_at="2026-11-01T00:00:00Z", group_by=["model", "token_type"], limit=1
            )
            kinds = [(row.group.model, row.group.token_type) async for row in costs]
            assert len(set(kinds)) == len(kinds) == 10


async def test_the_sdk_sets_and_reads_spend_limits(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it, sdk(it) as client:
        limits = client.beta.organization.spend_limits
        made = await limits.set(amount="50000", scope={"type": "workspace", "workspace_id": MARKETING})
        own = await limits.set(amount="100", scope={"type": "user", "user_id": USER}, period="monthly")
        listed = [one async for one in limits.list(limit=1, betas=["spend-limit-reads-2026-09-26"])]
        assert {one.id for one in listed} >= {made.id, own.id}
        assert (await limits.retrieve(made.id)).amount == "50000"
        (row,) = [one async for one in client.organization.spend_limits.effective.list(user_ids=[USER])]
        assert (row.amount, row.source.type) == ("100", "user")
        await it.call(
            "/_understudy/admin/spend_limit_increase_requests", method="POST", key="admin", body={"user_id": USER}
        )
        requests = client.organization.spend_limits.increase_requests
        (pending,) = [one async for one in requests.list(status=["pending"])]
        approved = await requests.approve(pending.id, amount="200")
        assert approved.spend_limit is not None
        assert (approved.status, approved.spend_limit.amount) == ("approved", "200")
        assert (await requests.retrieve(pending.id)).status == "approved"
        assert (await limits.delete(own.id)).type == "spend_limit_deleted"
        with pytest.raises(anthropic.NotFoundError):
            await limits.retrieve(own.id)


async def test_the_sdk_names_what_is_refused(tmp_path: Path) -> None:
    async with reporting(tmp_path) as it, sdk(it, "nobody") as client:
        with pytest.raises(anthropic.PermissionDeniedError):
            await client.beta.organization.analytics.usage_report.list(starting_at="2026-11-01T00:00:00Z")
