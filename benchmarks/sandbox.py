"""Containers: cold to the first output, a command in a warm one, twenty at once, and the memory of an idle one.

    python -m benchmarks.sandbox [--rounds 20] [--config understudy.toml]

Run it as root for the strict tier; the configuration chooses the driver. The limits are those of the issue, which are
bubblewrap's; it ends with 1 when one is not kept.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import structlog

from understudy.app.sandbox import sandbox_config
from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.containers import ContainerService
from understudy.sandbox.interface import Owner, Sandbox
from understudy.sandbox.local import LocalSandbox
from understudy.settings import StorageSettings, load_settings
from understudy.storage.database import Database
from understudy.storage.migrate import migrate

MOST_COLD_MS = 150.0
MOST_WARM_MS = 5.0
MOST_IDLE_MB = 8.0
AT_ONCE = 20
OWNER = Owner("org", "wrkspc")


def _milliseconds(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _family(int(child))
    return found


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _figure(pid: int, file: str, name: str) -> float:
    """Megabytes."""
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) / 1024
    return 0.0


async def _cold(containers: ContainerService, rounds: int) -> list[float]:
    taken: list[float] = []
    for _ in range(rounds):
        began = time.perf_counter()
        made = await containers.create(OWNER)
        async with containers.use(OWNER, made.id) as (_, sandbox):
            assert (await sandbox.exec(["echo", "hi"], timeout=30)).stdout == "hi\n"
            taken.append(_milliseconds(began))
    return taken


async def _warm(sandbox: Sandbox, rounds: int) -> tuple[list[float], list[float]]:
    """Of a command in a container, and of the same outside."""
    inside: list[float] = []
    outside: list[float] = []
    await sandbox.exec(["true"], timeout=30)
    for _ in range(rounds):
        began = time.perf_counter()
        await sandbox.exec(["true"], timeout=30)
        inside.append(_milliseconds(began))
        began = time.perf_counter()
        subprocess.run(["true"], check=True, capture_output=True)
        outside.append(_milliseconds(began))
    return inside, outside


async def _many(containers: ContainerService, driver: Driver) -> tuple[float, float, float]:
    """Milliseconds until all of them had answered; megabytes of one that is idle: its share, and all that it maps."""
    async with AsyncExitStack() as stack:
        began = time.perf_counter()

        async def one() -> int:
            made = await containers.create(OWNER)
            _, sandbox = await stack.enter_async_context(containers.use(OWNER, made.id))
            assert (await sandbox.exec(["echo", "hi"], timeout=30)).stdout == "hi\n"
            assert isinstance(sandbox, LocalSandbox)
            assert sandbox.process is not None
            pid = sandbox.process.outer_pid
            # Docker keeps a process for each container, which is the parent of all that is in it.
            return _parent(pid) if driver == "docker" else pid

        pids = await asyncio.gather(*(one() for _ in range(AT_ONCE)))
        taken = _milliseconds(began)
        families = [_family(pid) for pid in pids]
        shares = [sum(_figure(pid, "smaps_rollup", "Pss:") for pid in family) for family in families]
        whole = [sum(_figure(pid, "status", "VmRSS:") for pid in family) for family in families]
        return taken, statistics.mean(shares), statistics.mean(whole)


async def main(rounds: int, chosen: SandboxConfig) -> int:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    with tempfile.TemporaryDirectory() as directory:
        db = Database(StorageSettings(data_dir=Path(directory)))
        await migrate(db)
        config = replace(chosen, max_running=AT_ONCE, reserve=0)
        containers = ContainerService(db, config, db.data_dir)
        began = time.perf_counter()
        await containers.ready()
        tested = _milliseconds(began)
        cold = await _cold(containers, rounds)
        made = await containers.create(OWNER)
        async with containers.use(OWNER, made.id) as (_, sandbox):
            inside, outside = await _warm(sandbox, 10 * rounds)
        await containers.stop()
        many, share, whole = await _many(containers, config.driver)
        await containers.stop()
        await db.dispose()
    added = statistics.median(inside) - statistics.median(outside)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    print(f"self-test, once                    {tested:8.0f} ms")
    print(f"cold to first output, p50          {statistics.median(cold):8.1f} ms   (limit {MOST_COLD_MS:.0f})")
    print(f"cold to first output, worst        {max(cold):8.1f} ms")
    print(f"warm command, p50                  {statistics.median(inside):8.2f} ms")
    print(f"  added to the same outside        {added:8.2f} ms   (limit {MOST_WARM_MS:.0f})")
    print(f"{AT_ONCE} cold at once, until all answered {many:7.0f} ms")
    print(f"idle container, its share (PSS)    {share:8.1f} MB   (limit {MOST_IDLE_MB:.0f})")
    print(f"idle container, all it maps (RSS)  {whole:8.1f} MB")
    held = statistics.median(cold) <= MOST_COLD_MS and added <= MOST_WARM_MS and share <= MOST_IDLE_MB
    return 0 if held or config.driver != "bubblewrap" else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--config", type=Path)
    given = parser.parse_args()
    sys.exit(asyncio.run(main(given.rounds, sandbox_config(load_settings(given.config)))))
