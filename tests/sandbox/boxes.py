"""Containers for tests, of the tier of whoever runs them."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.drivers import examine
from understudy.sandbox.local import LocalSandbox
from understudy.sandbox.machine import Machine

MIB = 1024 * 1024
SMALL = SandboxConfig(memory=128 * MIB, disk=32 * MIB, processes=48, max_files=2048, reserve=0)


def small(driver: SandboxConfig) -> SandboxConfig:
    """SMALL, of another driver."""
    return replace(
        SMALL,
        driver=driver.driver,
        runsc=driver.runsc,
        gvisor_platform=driver.gvisor_platform,
        docker_socket=driver.docker_socket,
        docker_image=driver.docker_image,
    )


@cache
def machine(driver: SandboxConfig = SMALL) -> Machine:
    return examine(small(driver), f"understudy-test-{os.getpid()}")


@asynccontextmanager
async def sandbox(directory: Path, driver: SandboxConfig = SMALL, **changes: Any) -> AsyncGenerator[LocalSandbox]:
    config = replace(small(driver), **changes)
    made = LocalSandbox(machine(driver), config, f"box-{os.getpid()}", directory / "box", None)
    try:
        yield made
    finally:
        await made.delete()
        machine(driver).leave()


async def sh(box: LocalSandbox, text: str, timeout: float = 30) -> str:
    done = await box.exec(["bash", "-c", text], timeout=timeout)
    assert done.return_code == 0, done
    return done.stdout
