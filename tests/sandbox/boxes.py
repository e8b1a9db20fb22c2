"""Containers for tests, of the tier of whoever runs them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from understudy.sandbox.bubblewrap import BubblewrapSandbox
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.machine import Machine, examine

MIB = 1024 * 1024
SMALL = SandboxConfig(memory=128 * MIB, disk=32 * MIB, processes=48, max_files=2048, reserve=0)


@cache
def machine() -> Machine:
    return examine(SMALL, f"understudy-test-{os.getpid()}")


@asynccontextmanager
async def sandbox(directory: Path, **changes: Any) -> AsyncGenerator[BubblewrapSandbox]:
    made = BubblewrapSandbox(machine(), replace(SMALL, **changes), f"box-{os.getpid()}", directory / "box", None)
    try:
        yield made
    finally:
        await made.delete()
        cgroups = machine().cgroups
        if cgroups is not None:
            cgroups.clear()
