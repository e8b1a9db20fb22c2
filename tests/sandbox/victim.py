"""A server's containers, awake and at work, for one who kills it: prints the numbers of their first processes."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import structlog

from understudy.app.sandbox import sandbox_config
from understudy.sandbox import readiness
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.containers import ContainerService
from understudy.sandbox.interface import Owner
from understudy.sandbox.machine import Machine
from understudy.sandbox.selftest import Outcome
from understudy.settings import Settings, StorageSettings
from understudy.storage.database import Database
from understudy.storage.migrate import migrate

OWNER = Owner("org", "wrkspc_a")


async def _passes(machine: Machine, config: SandboxConfig, directory: Path) -> Outcome:
    directory.rmdir() if not any(directory.iterdir()) else None
    return Outcome(machine.tier, ())


async def main() -> None:
    # The self-test has tests of its own.
    readiness.self_test = _passes
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    db = Database(StorageSettings(data_dir=Path(sys.argv[1])))
    await migrate(db)
    driver = sandbox_config(Settings.model_validate({"sandbox": json.loads(os.environ.get("DRIVER", "{}"))}))
    containers = ContainerService(db, replace(driver, reserve=0, disk=32 << 20), db.data_dir)
    await containers.start()
    if len(sys.argv) > 2:
        # The one that comes after.
        await containers.sweep()
        async with containers.use(OWNER, sys.argv[2]) as (_, sandbox):
            print(json.dumps((await sandbox.exec(["cat", "/tmp/x"], timeout=20)).stdout))
        await containers.stop()
        await db.dispose()
        return
    made = await containers.create(OWNER)
    other = await containers.create(OWNER)
    async with containers.use(OWNER, made.id) as (_, sandbox), containers.use(OWNER, other.id) as (_, second):
        await second.exec(["true"], timeout=20)
        await sandbox.exec(["sh", "-c", "echo kept > /tmp/x; sync; setsid sleep 1000 & exit"], timeout=20)
        firsts = [one.process.first for one in (sandbox, second)]  # type: ignore[attr-defined]
        print(json.dumps({"id": made.id, "firsts": firsts}), flush=True)
        await sandbox.exec(["sleep", "1000"], timeout=1000)


asyncio.run(main())
