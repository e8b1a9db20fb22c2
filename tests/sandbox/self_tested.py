"""Runs the self-test in the directory that it is given."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.machine import examine
from understudy.sandbox.selftest import self_test


async def main() -> None:
    directory = Path(sys.argv[1])
    config = SandboxConfig()
    machine = examine(config, f"understudy-test-{directory.name}")
    outcome = await self_test(machine, config, directory / "selftest")
    if machine.cgroups is not None:
        machine.cgroups.clear()
    print(json.dumps({"tier": outcome.tier, "failed": list(outcome.failed)}))


asyncio.run(main())
