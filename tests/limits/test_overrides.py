from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

from installations import databases, installation
from limits.limiters import MODEL, Bench, caller
from understudy.limits.bucket import MOST
from understudy.limits.config import KeyBudget, LimitsConfig
from understudy.limits.groups import Groups
from understudy.limits.levels import Overview
from understudy.limits.overrides import set_key_budget, set_tier, set_workspace_limits, set_workspace_mode
from understudy.limits.refusals import LimitExceededError
from understudy.limits.snapshot import NO_OVERRIDES, Snapshot
from understudy.limits.tables import metadata
from understudy.limits.tiers import tier_table
from understudy.limits.watch import OverridesWatch
from understudy.storage.database import Database
from understudy.storage.migrate import MIGRATIONS, migrate
from understudy.storage.migrations.upgrade import config
from understudy.wire.errors import InvalidRequestError, NotFoundError

GROUPS = Groups()
GROUP = GROUPS.of_model(MODEL)
ORGANIZATION = caller().organization_id


async def test_the_migration_makes_exactly_these_tables(tmp_path: Path) -> None:
    names = {name for name, table in metadata.tables.items() if table.metadata is metadata and "limit" in name}

    def differences(connection: Connection) -> list[str]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(each) for each in compare_metadata(context, metadata)]

    async with installation(tmp_path) as (db, _), db.connect() as connection:
        found = await connection.run_sync(differences)
    assert [each for each in found if any(name in each for name in (*names, "organization_tiers", "budgets"))] == []


@pytest.mark.each_database
async def test_what_is_set_is_noticed_within_a_second(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        watch = OverridesWatch(db)
        await watch.start()
        try:
            async with db.begin() as connection:
                await set_tier(connection, tier_table("2026-01"), ORGANIZATION, "tier_3")
                await set_workspace_limits(
                    connection, GROUPS, ORGANIZATION, "wrkspc_a", GROUP.id, {"requests_per_minute": 7}, is_default=False
                )
                await set_workspace_mode(connection, ORGANIZATION, "wrkspc_a", "enforce")
                await set_key_budget(connection, ORGANIZATION, "apikey_a", KeyBudget(tokens_per_day=9))
            async with asyncio.timeout(1.0):
                while watch.snapshot is NO_OVERRIDES or not watch.snapshot.tiers:
                    await asyncio.sleep(0.02)
            assert watch.snapshot == Snapshot(
                {ORGANIZATION: "tier_3"},
                {"wrkspc_a": {GROUP.id: {"requests_per_minute": 7}}},
                {"wrkspc_a": "enforce"},
                {"apikey_a": KeyBudget(tokens_per_day=9)},
                {"wrkspc_a": ORGANIZATION, "apikey_a": ORGANIZATION},
                frozenset({ORGANIZATION}),
            )
        finally:
            await watch.stop()


async def test_null_clears_one_limiter_and_leaves_the_others(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        watch = OverridesWatch(db)

        async def write(values: dict[str, int | None]) -> None:
            async with db.begin() as connection:
                await set_workspace_limits(
                    connection, GROUPS, ORGANIZATION, "wrkspc_a", GROUP.id, values, is_default=False
                )
            await watch.look()

        await write({"requests_per_minute": 7, "output_tokens_per_minute": 100})
        await write({"requests_per_minute": None})
        assert watch.snapshot.workspace_limits == {"wrkspc_a": {GROUP.id: {"output_tokens_per_minute": 100}}}
        before = watch.snapshot
        await watch.look()
        assert watch.snapshot is before
        async with db.begin() as connection:
            await set_workspace_mode(connection, ORGANIZATION, "wrkspc_a", "observe")
            await set_workspace_mode(connection, ORGANIZATION, "wrkspc_a", None)
            await set_key_budget(connection, ORGANIZATION, "apikey_a", KeyBudget(tokens_per_day=9))
            await set_key_budget(connection, ORGANIZATION, "apikey_a", KeyBudget())
        await watch.look()
        assert (watch.snapshot.modes, watch.snapshot.budgets) == ({}, {})


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"requests_per_minute": -1},
        {"requests_per_minute": MOST + 1},
        {"enqueued_batch_requests": 5},
        {"made_up": 5},
        {f"made_up_{number}": 5 for number in range(17)},
    ],
)
async def test_values_that_cannot_be_are_refused(tmp_path: Path, values: dict[str, int | None]) -> None:
    async with installation(tmp_path) as (db, _):
        with pytest.raises(InvalidRequestError):
            async with db.begin() as connection:
                await set_workspace_limits(
                    connection, GROUPS, ORGANIZATION, "wrkspc_a", GROUP.id, values, is_default=False
                )
        with pytest.raises(InvalidRequestError):
            async with db.begin() as connection:
                await set_tier(connection, tier_table("2026-10"), ORGANIZATION, "tier_1")
        with pytest.raises(NotFoundError):
            async with db.begin() as connection:
                await set_workspace_limits(
                    connection, GROUPS, ORGANIZATION, "wrkspc_a", "rlg_x", {"requests_per_minute": 1}, is_default=False
                )


async def test_while_the_database_is_away_the_last_settings_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with installation(tmp_path) as (db, _):
        watch = OverridesWatch(db)
        async with db.begin() as connection:
            await set_tier(connection, tier_table("2026-01"), ORGANIZATION, "tier_3")
        await watch.start()
        async with db.begin() as connection:
            await connection.exec_driver_sql("ALTER TABLE limit_changes RENAME TO gone")
        await asyncio.sleep(1.2)
        assert watch.snapshot.tiers == {ORGANIZATION: "tier_3"}
        assert len([each for each in caplog.records if "limits cannot be read" in each.message]) == 1
        await watch.stop()


def _overview(bench: Bench) -> Overview:
    return Overview(bench.limiter.config, bench.limiter.table, bench.limiter.groups, bench.store)


async def test_the_levels_of_an_organization_s_buckets_are_those_that_decide() -> None:
    snapshot = Snapshot(
        workspace_limits={"wrkspc_a": {GROUP.id: {"requests_per_minute": 7}}},
        budgets={"apikey_a": KeyBudget(tokens_per_day=9_000)},
        organizations={"wrkspc_a": ORGANIZATION, "apikey_a": ORGANIZATION, "wrkspc_b": "another"},
    )
    bench = Bench(snapshot)
    await bench.limiter.begin(caller(), model=MODEL, input_tokens=3_000)
    levels = await _overview(bench).levels(snapshot, ORGANIZATION)
    found = {(each.scope, each.id, each.limiter): each for each in levels if each.group in {GROUP, None}}
    assert found["organization", ORGANIZATION, "requests_per_minute"].remaining == 49
    assert found["organization", ORGANIZATION, GROUP.input_type].remaining == 27_000
    assert found["organization", ORGANIZATION, GROUP.input_type].full_in == 6.0
    assert found["workspace", "wrkspc_a", "requests_per_minute"].remaining == 6
    assert found["api_key", "apikey_a", "tokens_per_day"].remaining == 6_000
    assert "wrkspc_b" not in {each.id for each in levels}
    untouched = [each for each in levels if each.group not in {GROUP, None}]
    assert untouched
    assert all(each.remaining == each.limit for each in untouched)


def test_entries_of_the_admin_api_are_found_by_ids_that_differ_between_organizations() -> None:
    bench = Bench()
    overview = _overview(bench)
    entries = overview.organization(NO_OVERRIDES, "a")
    assert {entry.id for entry in entries}.isdisjoint(entry.id for entry in overview.organization(NO_OVERRIDES, "b"))
    assert all(overview.find("a", entry.id) is entry.group for entry in entries)
    assert overview.find("b", entries[0].id) is None
    assert {entry.group.type for entry in entries} == {"model_group", "batch", "token_count", "files", "skills"}
    assert overview.organization(NO_OVERRIDES, "a") == entries


def test_a_workspace_s_values_stand_beside_the_organization_s() -> None:
    stored = {"requests_per_minute": 900, "tokens_per_day": 5}
    snapshot = Snapshot(workspace_limits={"wrkspc_a": {GROUP.id: stored}})  # pyright: ignore[reportArgumentType]
    overview = _overview(Bench())
    own = overview.workspace(snapshot, ORGANIZATION, "wrkspc_a", GROUP, inherited=False)
    assert [(each.limiter, each.value, each.organization_value) for each in own] == [
        ("requests_per_minute", 900, 50),
        ("tokens_per_day", 5, None),
    ]
    every = overview.workspace(snapshot, ORGANIZATION, "wrkspc_a", GROUP, inherited=True)
    assert [each.limiter for each in every if each.inherited] == [GROUP.input_type, "output_tokens_per_minute"]


def test_the_default_is_to_observe() -> None:
    assert LimitsConfig().mode == "observe"


async def test_a_budget_set_in_the_database_is_enforced(tmp_path: Path) -> None:
    async with installation(tmp_path) as (db, _):
        watch = OverridesWatch(db)
        async with db.begin() as connection:
            await set_key_budget(connection, ORGANIZATION, "apikey_a", KeyBudget(requests_per_minute=1))
        await watch.look()
        bench = Bench(watch.snapshot)
        await bench.limiter.begin(caller(), model=MODEL)
        with pytest.raises(LimitExceededError):
            await bench.limiter.begin(caller(), model=MODEL)


@pytest.mark.each_database
async def test_an_upgrade_tells_tiers_that_were_set_from_those_that_were_reached(tmp_path: Path) -> None:
    db = Database(databases.settings(tmp_path))
    async with db.begin() as connection:
        await connection.run_sync(lambda it: command.upgrade(config(it, str(MIGRATIONS)), "0009"))
        for of, tier in (("set", "tier_2"), ("set-and-reached", "tier_4"), ("reached", "tier_3")):
            await connection.execute(text(f"INSERT INTO organization_tiers VALUES ('{of}', '{tier}', 1.0)"))
        for number, (of, tier) in enumerate((("set", "tier_1"), ("set", "tier_2"), ("set-and-reached", "tier_1"))):
            values = f"'audit_{number}', '{of}', 1.0, 'user', 'organization_tier_set', 'organization', '{of}'"
            names = "id, organization_id, at, actor_type, action, object_type, object_id, after"
            after = orjson.dumps({"name": tier}).decode().replace(":", "\\:")
            await connection.execute(text(f"INSERT INTO audit_log ({names}) VALUES ({values}, '{after}')"))
    await migrate(db)
    watch = OverridesWatch(db)
    await watch.look()
    assert watch.snapshot.kept_tiers == {"set"}
    await db.dispose()
