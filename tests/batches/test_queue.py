"""Abuse case 32, as far as it is the API's: the queue of an organization is bounded, by its tier."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import update

from limits.limiters import Bench
from understudy.app.batches import queue_limits
from understudy.batches.config import QueueLimit
from understudy.batches.tables import DONE, batch_chunks, message_batches

from .api import ORGANIZATION, BatchesApi, batch_of, batches_api, error_of

_FIVE = QueueLimit(per_batch=1_000, queued=5, enforced=True)


def _ids(count: int) -> list[str]:
    return [f"r{place}" for place in range(count)]


async def _send(api: BatchesApi, count: int, key: str = "a") -> int:
    return (await api.send(batch_of(*_ids(count)), key=key)).status


@pytest.mark.each_database
async def test_abuse_32_requests_wait_in_a_bounded_queue(tmp_path: Path) -> None:
    async with batches_api(tmp_path / "data", limit_of=lambda *_: _FIVE) as api:
        assert await _send(api, 4) == 200
        refused = await api.send(batch_of(*_ids(2)), key="b")
        assert error_of(refused)[:2] == (429, "rate_limit_error")
        assert "limit of 5 batch requests in the processing queue" in error_of(refused)[2]
        assert ORGANIZATION in error_of(refused)[2]
        assert (refused.headers["retry-after"], refused.headers["x-should-retry"]) == ("60", "true")
        assert api.records.kept[-1].limit_exceeded == "organization/enqueued_batch_requests 1/5"
        # Of all its workspaces together.
        assert await _send(api, 1, key="b") == 200
        # Full: refused before a body is read, which here never comes.
        full = await asyncio.wait_for(api.ask("POST", body=[b"{"], content_type="application/json"), 10)
        assert full.status == 429
        assert len(await api.stored()) == 2


async def test_what_has_been_answered_or_has_ended_makes_room(data_dir: Path) -> None:
    async with batches_api(data_dir, limit_of=lambda *_: _FIVE._replace(queued=250)) as api:
        assert await _send(api, 250) == 200
        assert await _send(api, 1) == 429
        async with api.db.begin() as connection:
            first = update(batch_chunks).where(batch_chunks.c.number == 0)
            await connection.execute(first.values(state=DONE))
        assert await _send(api, 101) == 429
        assert await _send(api, 100) == 200
        async with api.db.begin() as connection:
            await connection.execute(update(message_batches).values(status="ended"))
        assert await _send(api, 250) == 200


@pytest.mark.each_database
async def test_batches_that_come_together_do_not_pass_together(tmp_path: Path) -> None:
    async with batches_api(tmp_path / "data", limit_of=lambda *_: _FIVE) as api:
        statuses = await asyncio.gather(*(_send(api, 2, key="ab"[turn % 2]) for turn in range(8)))
        assert sorted(statuses) == [200] * 2 + [429] * 6


async def test_a_limit_that_is_observed_is_noted_and_refuses_nothing(data_dir: Path) -> None:
    async with batches_api(data_dir, limit_of=lambda *_: _FIVE._replace(enforced=False)) as api:
        assert await _send(api, 5) == 200
        assert api.records.kept[-1].limit_exceeded is None
        assert await _send(api, 1) == 200
        assert api.records.kept[-1].limit_exceeded == "organization/enqueued_batch_requests 0/5"


@pytest.mark.parametrize(
    ("table", "tier", "queued"),
    [
        ("2026-10", None, 200_000),
        ("2026-01", None, 100_000),
        ("2026-01", "tier_4", 500_000),
        ("2026-10", "custom", None),
    ],
)
def test_limits_are_those_of_the_tier(table: str, tier: str | None, queued: int | None) -> None:
    bench = Bench(table=table, tier=tier)
    limit_of = queue_limits(bench.limiter, bench.overrides)
    assert limit_of(ORGANIZATION, "wrkspc_a") == QueueLimit(100_000, queued, enforced=True)


async def test_abuse_31_all_six_routes_have_one_limit_of_their_own(data_dir: Path) -> None:
    bench = Bench()
    async with batches_api(data_dir, limits=bench.limiter) as api:
        batch_id = (await api.create())["id"]
        for _ in range(49):
            answer = await api.ask("GET")
            assert (answer.status, [name for name in answer.headers if "ratelimit" in name]) == (200, [])
        routes = [("POST", ""), ("GET", ""), ("GET", f"/{batch_id}"), ("DELETE", f"/{batch_id}")]
        for method, path in (*routes, ("POST", f"/{batch_id}/cancel"), ("GET", f"/{batch_id}/results")):
            assert error_of(await api.ask(method, path))[:2] == (429, "rate_limit_error")
