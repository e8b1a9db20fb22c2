"""Which driver makes containers."""

from __future__ import annotations

import shutil
from typing import Final

from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.machine import Machine

NAMES: Final[dict[Driver, str]] = {"bubblewrap": "bubblewrap", "gvisor": "gVisor", "docker": "Docker"}


def others(config: SandboxConfig) -> list[Driver]:
    """Drivers that are not chosen and seem to be here too: nothing is tried."""
    present: dict[Driver, bool] = {
        "bubblewrap": shutil.which("bwrap") is not None,
        "gvisor": shutil.which(config.runsc or "runsc") is not None,
        "docker": config.docker_socket.is_socket(),
    }
    return [driver for driver, there in present.items() if there and driver != config.driver]


def examine(config: SandboxConfig, name: str) -> Machine:
    """Look at this machine for the driver that is chosen; takes some ten milliseconds. `name`: of the installation's
    control groups, or of what else marks its containers.

    Raises SandboxUnavailableError saying what to install or to allow.
    """
    match config.driver:
        case "bubblewrap":
            from understudy.sandbox import bubblewrap as driver
        case "gvisor":
            from understudy.sandbox import gvisor as driver
        case "docker":
            from understudy.sandbox import docker as driver
    return driver.examine(config, name)
