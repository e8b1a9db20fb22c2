"""Runs the self-test in the directory that it is given, of the driver whose settings DRIVER has."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from understudy.app.sandbox import sandbox_config
from understudy.sandbox.drivers import examine
from understudy.sandbox.selftest import self_test
from understudy.settings import Settings


async def main() -> None:
    directory = Path(sys.argv[1])
    config = sandbox_config(Settings.model_validate({"sandbox": json.loads(os.environ.get("DRIVER", "{}"))}))
    machine = examine(config, f"understudy-test-{directory.name}")
    outcome = await self_test(machine, config, directory / "selftest")
    machine.leave()
    print(json.dumps({"tier": outcome.tier, "failed": list(outcome.failed)}))


asyncio.run(main())
