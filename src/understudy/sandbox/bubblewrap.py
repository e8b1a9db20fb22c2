"""What bubblewrap needs of this machine."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import ContainerProcess, Machine, check_linux, container_python, output_of, what_holds

INSTALL: Final = (
    "install bubblewrap (Debian and Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap; "
    "Alpine: apk add bubblewrap)"
)

# Switches by which systems forbid what bubblewrap needs of ordinary users: the file, the value that forbids, the cure.
_SWITCHES: Final = (
    ("/proc/sys/kernel/unprivileged_userns_clone", "0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    ("/proc/sys/user/max_user_namespaces", "0", "sysctl -w user.max_user_namespaces=10000"),
    (
        "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "an AppArmor profile that lets /usr/bin/bwrap use userns, or "
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
)


@dataclass(frozen=True, slots=True)
class BubblewrapMachine(Machine):
    bwrap: str
    disable_userns: bool

    @property
    def driver(self) -> Driver:
        return "bubblewrap"

    async def start(
        self, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
    ) -> ContainerProcess:
        from understudy.sandbox.launch import prepare
        from understudy.sandbox.process import ChildProcess

        return await ChildProcess.start(self, config, container_id, directory, environment, prepare)


def forbidden_by() -> str | None:
    """What this system would have to allow before users' namespaces work, if that is known."""
    for file, forbids, cure in _SWITCHES:
        try:
            if Path(file).read_text().strip() == forbids:
                return f"this system keeps ordinary users from making namespaces; allow it: {cure}"
        except OSError:
            continue
    return None


def examine(config: SandboxConfig, name: str) -> BubblewrapMachine:
    """See drivers.examine."""
    check_linux()
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailableError(f"bubblewrap is not installed: {INSTALL}")
    options = output_of([bwrap, "--help"])
    if "--ro-bind-data" not in options or "--args" not in options:
        raise SandboxUnavailableError(f"{bwrap} is too old; {INSTALL}, version 0.5 or newer")
    holds = what_holds(config, name)
    return BubblewrapMachine(
        own_uid=holds.own_uid,
        cgroups=holds.cgroups,
        own_disk=holds.own_disk,
        python=container_python(config.python),
        weaker=holds.weaker,
        bwrap=bwrap,
        disable_userns="--disable-userns" in options,
    )
