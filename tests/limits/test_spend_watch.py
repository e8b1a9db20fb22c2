from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import select

from installations import installation
from limits.spenders import at, usd
from services import RedisServer
from understudy.http.principal import Principal
from understudy.limits.overrides import set_tier
from understudy.limits.spend import Spend
from understudy.limits.spend_bounds import SpendBounds
from understudy.limits.spend_counters import Counters, MemoryCounters, SpendAwayError, month_key, total_key
from understudy.limits.spend_redis import RedisCounters
from understudy.limits.spend_tables import spend_alerts_told
from understudy.limits.spend_watch import SpendWatch
from understudy.limits.spend_writes import add_alert, add_credit, delete_alert, delete_spend_limit, set_spend_limit
from understudy.limits.tiers import Tier, TierTable, tier_table
from understudy.limits.watch import OverridesWatch
from understudy.storage.database import Database
from understudy.storage.redis import connect
from understudy.usage.metrics import Metrics
from understudy.usage.rows import request_rows
from understudy.usage.writer import RowWriter
from understudy.wire.errors import InvalidRequestError, NotFoundError
from usage.reporting import DEFAULT, KEY_ID, MARKETING, ORGANIZATION, USER, used

NOW = at("2026-11-22T12:00:00")
CALLER = Principal(ORGANIZATION, MARKETING, KEY_ID, actor_id=USER)
DOLLAR_AND_A_HALF = {
    "input_tokens": 0,
    "cache_creation_5m_input_tokens": 0,
    "cache_creation_1h_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 100_000,
}


class Kept:
    """All of a server's spending on one database."""

    def __init__(self, db: Database, counters: Counters | None = None, table: TierTable | None = None) -> None:
        self.db = db
        self.table = table or tier_table("2026-10")
        self.counters = counters or MemoryCounters()
        self.overrides = OverridesWatch(db)
        self.now = NOW
        self.watch = SpendWatch(
            db, self.counters, self.overrides, self.table, tier=self.table.tiers[0].name, clock=lambda: self.now
        )
        self.spend = Spend(
            self.watch,
            self.counters,
            self.table,
            seed=self.watch.seed,
            mode="enforce",
            tier=self.table.tiers[0].name,
            clock=lambda: self.now,
        )

    async def write(self, *times: str, workspace_id: str = MARKETING) -> None:
        rows = request_rows([used(time, workspace_id=workspace_id, **DOLLAR_AND_A_HALF) for time in times])
        await RowWriter(self.db, Metrics([]), request_log=False, also_write=None).write(rows)

    async def spent(self, *keys: str) -> list[int]:
        return await self.counters.spent(keys)


MONTH = month_key(ORGANIZATION, "2026-11", "workspace", MARKETING)


@pytest.mark.each_database
async def test_a_server_begins_with_what_was_spent_this_month_and_ever(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db)
        await it.write("2026-10-31T23:59:59", "2026-11-01T00:00:00", "2026-11-22T10:00:00")
        await it.write("2026-11-22T10:00:00", workspace_id=DEFAULT)
        await it.watch.start()
        await it.watch.stop()
        keys = (total_key(ORGANIZATION), month_key(ORGANIZATION, "2026-11", "organization"), MONTH)
        assert await it.spent(*keys) == [usd("6"), usd("4.5"), usd("3")]
        others = [month_key(ORGANIZATION, "2026-11", "api_key", KEY_ID)]
        assert await it.spent(*others) == [usd("4.5")]


async def test_reconciling_raises_counters_and_never_lowers_them(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db)
        await it.watch.look()
        hold = await it.spend.begin(CALLER)
        await hold.settle(usd("5"))
        await it.write("2026-11-22T10:00:00")
        await it.watch.reconcile()
        assert await it.spent(MONTH) == [usd("5")]
        await it.write(*[f"2026-11-22T10:00:0{number}" for number in range(1, 6)])
        await it.watch.reconcile()
        assert await it.spent(MONTH) == [usd("9")]


@pytest.mark.each_database
async def test_limits_credit_and_their_removal_are_noticed(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db)
        await it.write("2026-11-22T10:00:00")
        await it.watch.look()
        await it.watch.reconcile()
        async with db.begin() as connection:
            limit = await set_spend_limit(connection, ORGANIZATION, "workspace", MARKETING, usd("1.5"))
        await it.watch.look()
        with pytest.raises(InvalidRequestError, match="workspace API usage limits"):
            await it.spend.begin(CALLER)
        async with db.begin() as connection:
            await delete_spend_limit(connection, ORGANIZATION, limit.id)
            with pytest.raises(NotFoundError):
                await delete_spend_limit(connection, ORGANIZATION, limit.id)
            # What was spent before is not paid by credit.
            await add_credit(connection, ORGANIZATION, usd("1"))
        await it.watch.look()
        hold = await it.spend.begin(CALLER)
        await hold.settle(usd("1"))
        with pytest.raises(InvalidRequestError, match="credit balance"):
            await it.spend.begin(CALLER)
        async with db.begin() as connection:
            await add_credit(connection, ORGANIZATION, usd("1"))
        await it.watch.look()
        await (await it.spend.begin(CALLER)).abort()


async def test_setting_a_limit_again_keeps_its_id_and_none_is_no_limit(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        async with db.begin() as connection:
            first = await set_spend_limit(connection, ORGANIZATION, "organization", "", usd("1"), now=1.0)
            second = await set_spend_limit(connection, ORGANIZATION, "organization", "", None, now=2.0)
            other = await set_spend_limit(connection, "another", "organization", "", usd("3"))
        assert (second.id, second.created_at, second.updated_at) == (first.id, 1.0, 2.0)
        assert other.id != first.id
        it = Kept(db)
        await it.watch.look()
        assert it.watch.bounds == SpendBounds({("organization", "another"): usd("3")})
        for amount in (-1, 2**63):
            with pytest.raises(InvalidRequestError):
                async with db.begin() as connection:
                    await set_spend_limit(connection, ORGANIZATION, "organization", "", amount)


def _table() -> TierTable:
    """A table whose tiers are reached by spending."""
    of = tier_table("2026-10")

    def tier(name: str, spend: str | None, cap: str | None) -> Tier:
        money = None if spend is None else Decimal(spend)
        return replace(
            of.tiers[0], name=name, cumulative_spend=money, monthly_spend_cap=None if cap is None else Decimal(cap)
        )

    tiers = (tier("low", "0", "2"), tier("high", "3", "100"), tier("custom", None, None))
    return replace(of, tiers=tiers, default_tier="low")


@pytest.mark.each_database
async def test_an_organization_advances_to_the_tier_it_has_spent_enough_for(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db, table=_table())
        await it.write("2026-09-22T10:00:00", "2026-11-22T10:00:00")
        await it.watch.reconcile()
        await it.overrides.look()
        assert it.overrides.snapshot.tiers == {ORGANIZATION: "high"}
        await it.write(*[f"2026-11-22T10:00:0{number}" for number in range(1, 6)])
        await it.watch.reconcile()
        await (await it.spend.begin(CALLER)).abort()
        async with db.begin() as connection:
            await set_tier(connection, it.table, ORGANIZATION, "custom")
        await it.overrides.look()
        await it.watch.reconcile()
        await it.overrides.look()
        assert it.overrides.snapshot.tiers == {ORGANIZATION: "custom"}


@pytest.mark.each_database
async def test_a_tier_that_an_administrator_lowered_is_not_raised_again(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db, table=_table())
        await it.write("2026-09-22T10:00:00", "2026-11-22T10:00:00")
        await it.watch.reconcile()
        async with db.begin() as connection:
            await set_tier(connection, it.table, ORGANIZATION, "low")
        # Also by a server that has not heard of it.
        await it.watch.reconcile()
        await it.overrides.look()
        assert it.overrides.snapshot.tiers == {ORGANIZATION: "low"}
        revision = it.overrides.snapshot
        await it.watch.reconcile()
        await it.overrides.look()
        assert it.overrides.snapshot is revision
        async with db.begin() as connection:
            await set_tier(connection, it.table, ORGANIZATION, None)
        await it.overrides.look()
        await it.watch.reconcile()
        await it.overrides.look()
        assert it.overrides.snapshot.tiers == {ORGANIZATION: "high"}


@pytest.mark.each_database
async def test_an_alert_is_logged_once_a_month_however_many_servers_there_are(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db)
        await it.write("2026-10-22T10:00:00", "2026-11-22T10:00:00")
        async with db.begin() as connection:
            id_ = await add_alert(connection, ORGANIZATION, MARKETING, usd("1.5"))
        told: list[int] = []
        with caplog.at_level(logging.WARNING, "understudy.limits.spend_alerts"):
            for now in (at("2026-10-22T12:00:00"), NOW, NOW):
                servers = [Kept(db) for _ in range(2)]
                for server in servers:
                    server.now = now
                    await server.watch.look()
                await asyncio.gather(*(server.watch.reconcile() for server in servers))
                told.append(len([one for one in caplog.messages if id_ in one]))
        assert told == [1, 2, 2]
        async with db.begin() as connection:
            months = (await connection.execute(select(spend_alerts_told.c.month))).scalars().all()
            assert months == ["2026-11"]
            await delete_alert(connection, ORGANIZATION, id_)
            assert (await connection.execute(select(spend_alerts_told))).first() is None


async def test_an_alert_is_logged_once_a_month(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with installation(tmp_path) as (db, _):
        it = Kept(db)
        await it.write("2026-11-22T10:00:00")
        async with db.begin() as connection:
            await add_alert(connection, ORGANIZATION, MARKETING, usd("1.5"))
            await add_alert(connection, ORGANIZATION, "", usd("1.500000001"))
        await it.watch.look()
        with caplog.at_level(logging.WARNING, "understudy.limits.spend_alerts"):
            for _ in range(3):
                await it.watch.reconcile()
        assert len([one for one in caplog.messages if "spend alert" in one]) == 1
        assert "1.500000000 dollars in 2026-11" in caplog.text


async def test_abuse_23_a_redis_that_was_emptied_is_told_by_the_database(tmp_path: Path, redis_url: str) -> None:
    async with installation(tmp_path) as (db, _):
        redis = connect(redis_url, 5.0)
        it = Kept(db, RedisCounters(redis))
        await it.write("2026-11-22T10:00:00")
        async with db.begin() as connection:
            await set_spend_limit(connection, ORGANIZATION, "workspace", MARKETING, usd("1.5"))
        await it.watch.look()
        for _ in range(2):
            with pytest.raises(InvalidRequestError, match="workspace"):
                await it.spend.begin(CALLER)
            keys = [key async for key in redis.scan_iter(match=f"understudy:spend:{{{ORGANIZATION}}}*")]
            assert keys
            await redis.delete(*keys)
        await redis.aclose()


async def test_what_redis_did_not_hear_of_is_known_a_moment_after_it_is_back(
    tmp_path: Path, own_redis: RedisServer
) -> None:
    async with installation(tmp_path) as (db, _):
        redis = connect(own_redis.url, 0.2)
        it = Kept(db, RedisCounters(redis))
        await it.watch.start()
        held = await it.spend.begin(CALLER, usd("1"))
        own_redis.stop()
        await held.settle(usd("1.5"))
        await (await it.spend.begin(CALLER, usd("1"))).settle(usd("1.5"))
        own_redis.start()
        deadline = asyncio.get_running_loop().time() + 10
        # The rows of both come a moment later, as they do.
        await it.write("2026-11-22T10:00:00", "2026-11-22T10:00:01")
        while True:
            try:
                if await it.spent(MONTH) == [usd("3")]:
                    break
            except SpendAwayError:
                pass
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.1)
        await it.watch.stop()
        await redis.aclose()
