"""How long the usage and cost reports take over a million usage rows.

30 days, 5 workspaces, 20 keys each, 6 models. The rows are made in the database itself by one statement, and added up
by the same statements that a migration uses, so that a run takes seconds:

    python -m benchmarks.reports [postgresql://…]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from sqlalchemy import text

from understudy.settings import StorageSettings
from understudy.storage.database import Database
from understudy.storage.migrate import migrate
from understudy.usage.grouping import Scope
from understudy.usage.ranking import RankQuery, ranking
from understudy.usage.reports import SECONDS, ReportQuery, Width, report
from understudy.usage.rollups import bucket_of
from understudy.usage.tables import COSTS, DAY, DIMENSIONS, HOUR, MINUTE, ROLLUPS, SUMMED, TOKEN_COUNTERS

ORGANIZATION: Final = "0b6d3b3a-4a4f-4d4f-9d4f-1f1f1f1f1f1f"
MODELS: Final = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "claude-opus-4-8",
    "claude-sonnet-4-6",
    "claude-haiku-4-5-20251001",
)
WORKSPACES: Final = 5
KEYS: Final = 20
DAYS: Final = 30

REPORTS: Final[Mapping[str, tuple[Width, int, tuple[str, ...], list[tuple[str, frozenset[str]]]]]] = {
    "30 days, ungrouped": ("1d", 30, (), []),
    "30 days by model": ("1d", 30, ("model",), []),
    "30 days by key and model": ("1d", 30, ("api_key_id", "model"), []),
    "30 days by everything": ("1d", 30, DIMENSIONS[1:], []),
    "168 hours, ungrouped": ("1h", 168, (), []),
    "168 hours by model": ("1h", 168, ("model",), []),
    "168 hours by workspace and model": ("1h", 168, ("workspace_id", "model"), []),
    "168 hours of one model": ("1h", 168, (), [("model", frozenset({"claude-opus-5-5"}))]),
    "24 hours by key and model": ("1h", 24, ("api_key_id", "model"), []),
    "168 hours by key and model": ("1h", 168, ("api_key_id", "model"), []),
    "1440 minutes, ungrouped": ("1m", 1_440, (), []),
    "1440 minutes by model": ("1m", 1_440, ("model",), []),
    "1440 minutes of last week by model": ("1m", -1_440, ("model",), []),
}


RANKINGS: Final[Mapping[str, tuple[Width | None, int, bool]]] = {
    "30 days ranked by key and model": (None, 30, False),
    "30 days of hours ranked by key and model": ("1h", 30, False),
    "30 days of hours in time's order by key and model": ("1h", 30, True),
    "1440 minutes ranked by key and model": ("1m", 1, False),
}
"""The Analytics API's, each the first page of 1,000 rows: the width of buckets, days, whether ordered by time."""


async def fill(db: Database, rows: int, until: float, organization: str = ORGANIZATION) -> None:
    """Make `rows` usage rows of the 30 days before `until`, and their sums."""
    sqlite = db.dialect == "sqlite"
    count = WORKSPACES * KEYS * len(MODELS)
    dimensions = [
        {
            **dict.fromkeys(DIMENSIONS, ""),
            "id": number + 1,
            "organization_id": organization,
            "workspace_id": f"wrkspc_01benchmark{number // len(MODELS) // KEYS:014}",
            "api_key_id": f"apikey_01benchmark{number // len(MODELS):014}",
            "model": MODELS[number % len(MODELS)],
            "service_tier": "standard",
            "context_window": "0-200k",
            "inference_geo": "global",
            "speed": "standard",
        }
        for number in range(count)
    ]
    names = ", ".join(["id", *DIMENSIONS])
    values = ", ".join(f":{name}" for name in ["id", *DIMENSIONS])
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {rows - 1})"
        if sqlite
        else f"WITH n(i) AS (SELECT CAST(generate_series(0, {rows - 1}) AS BIGINT))"
    )
    # A number without pattern: which dimension a row is of must not follow from its time.
    chosen = f"((i * 7919 + i / 13 * 104729) % {count}) + 1"
    sums = {name: f"i % {place * 37 + 101}" for place, name in enumerate(SUMMED)}
    async with db.begin() as connection:
        await connection.execute(text(f"INSERT INTO usage_dimensions ({names}) VALUES ({values})"), dimensions)
        await connection.execute(
            text(
                'INSERT INTO "usage" (request_id, received_at, organization_id, workspace_id, api_key_id, model, '
                f"dimension_id, {', '.join(SUMMED)}) {numbers}, r AS (SELECT i, {chosen} AS d FROM n) "
                f"SELECT 'req_01benchmark' || i, {until - DAYS * DAY} + i * {DAYS * DAY / rows}, d.organization_id, "
                f"d.workspace_id, d.api_key_id, d.model, d.id, {', '.join(sums[name] for name in SUMMED)} "
                "FROM r JOIN usage_dimensions d ON d.id = r.d"
            )
        )
        for width, table in ROLLUPS:
            since = until - 48 * HOUR if width == MINUTE else 0
            await connection.execute(
                text(
                    f"INSERT INTO {table.name} (bucket, dimension_id, requests, {', '.join(SUMMED)}) "
                    f"SELECT {bucket_of(db.dialect, width)} AS begins, dimension_id, count(*), "
                    f"{', '.join(f'CAST(sum({name}) AS BIGINT)' for name in SUMMED)} "
                    f'FROM "usage" WHERE received_at >= {since} GROUP BY begins, dimension_id'
                )
            )
    if not sqlite:
        async with db.engine.connect() as connection:
            await (await connection.execution_options(isolation_level="AUTOCOMMIT")).execute(text("VACUUM ANALYZE"))


async def measure(db: Database, now: float) -> dict[str, tuple[float, int]]:
    """Milliseconds (the better of three) and rows of each report."""
    measured: dict[str, tuple[float, int]] = {}
    for name, (width, buckets, group_by, filters) in REPORTS.items():
        seconds = SECONDS[width]
        end = int(now // seconds) * seconds - (7 * DAY if buckets < 0 else 0)
        scope = Scope(ORGANIZATION, group_by, filters)
        query = ReportQuery(scope, end - abs(buckets) * seconds, end, width, summed=SUMMED[:6])
        times: list[float] = []
        rows = 0
        for _ in range(3):
            began = time.perf_counter()
            found = await report(db, query, now)
            rows = sum(len(found.rows(begins)) for begins in range(query.start, query.end, seconds))
            times.append((time.perf_counter() - began) * 1_000)
        measured[name] = min(times), rows
    began = time.perf_counter()
    for name, (width, days, by_time) in RANKINGS.items():
        scope = Scope(ORGANIZATION, ("api_key_id", "model"))
        ranked = RankQuery(
            scope, int(now) - days * DAY, int(now), width, SUMMED[:6], TOKEN_COUNTERS, by_time=by_time, limit=1_000
        )
        times = []
        rows = 0
        for _ in range(3):
            began = time.perf_counter()
            rows = len((await ranking(db, ranked, now))[0])
            times.append((time.perf_counter() - began) * 1_000)
        measured[name] = min(times), rows
    scope = Scope(ORGANIZATION, ("workspace_id",))
    await report(db, ReportQuery(scope, int(now) - 30 * DAY, int(now), "1d", summed=COSTS), now)
    measured["cost by workspace"] = (time.perf_counter() - began) * 1_000, 0
    return measured


async def main(url: str | None = None, rows: int = 1_000_000) -> dict[str, Any]:
    now = float(int(time.time() // DAY) * DAY)
    with tempfile.TemporaryDirectory() as directory:
        db = Database(StorageSettings(data_dir=Path(directory), database_url=url))
        try:
            await migrate(db)
            began = time.perf_counter()
            await fill(db, rows, now)
            print(f"{db.dialect}: {rows:,} rows made in {time.perf_counter() - began:.1f} s")
            found = await measure(db, now)
        finally:
            await db.dispose()
    for name, (milliseconds, count) in found.items():
        print(f"  {milliseconds:7.1f} ms  {count:7,} rows  {name}")
    return cast("dict[str, Any]", found)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else None))
