"""Containers of gVisor: a kernel of their own, a program called runsc, stands between them and this machine's."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from understudy.sandbox.cgroups import Limits
from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.disks import IMAGE, PLACES, TREE
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.machine import (
    ContainerProcess,
    Machine,
    check_linux,
    container_python,
    output_of,
    what_holds,
)
from understudy.sandbox.process import ChildProcess, Launch
from understudy.sandbox.roots import mount_place, with_disk
from understudy.sandbox.seccomp import seccomp_filter
from understudy.sandbox.system import (
    FILTER_PLACE,
    HELPER_PLACE,
    SHARED_MEMORY,
    View,
    base_limits,
    helper_command,
    helper_program,
    helpers_environment,
    make_root,
    pinned,
    system_view,
    uid_of,
    without_cores,
)

INSTALL: Final = (
    "install gVisor (https://gvisor.dev/docs/user_guide/install/; Debian 13 and newer: apt-get install runsc) or name "
    "its program in sandbox.runsc"
)

# As `runsc version release-20240729.0`, and Debian's own `0.0~20240729.0`.
_VERSION: Final = re.compile(r"runsc version \S*?(\d{8})")
# [guess] That of December 2022 refuses what ls asks of statx, that of July 2024 does not: the first is in between.
_OLDEST: Final = 20230101

_MIB: Final = 1024 * 1024
# What the kernel in between takes for itself, over what a container may have: memory, and processes of this machine.
_OWN_MEMORY: Final = 128 * _MIB
_OWN_PROCESSES: Final = 1024
_BUNDLE: Final = "bundle"


@dataclass(frozen=True, slots=True)
class GvisorMachine(Machine):
    runsc: Path
    options: tuple[str, ...]
    """What every use of it is given."""

    @property
    def driver(self) -> Driver:
        return "gvisor"

    async def start(
        self, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
    ) -> ContainerProcess:
        return await ChildProcess.start(self, config, container_id, directory, environment, prepare)

    def group_limits(self, config: SandboxConfig) -> Limits:
        # Each process inside is several outside.
        return Limits(config.memory + _OWN_MEMORY, 8 * config.processes + _OWN_PROCESSES, config.cpus)


def examine(config: SandboxConfig, name: str) -> GvisorMachine:
    """See drivers.examine."""
    check_linux()
    if os.geteuid() != 0:
        # Without root its containers are root in their own kernel, whom no limit of processes holds there.
        raise SandboxUnavailableError(
            "gVisor makes containers only for a server that is root: run it so, or set sandbox.driver = bubblewrap"
        )
    found = shutil.which("runsc") if config.runsc is None else shutil.which(config.runsc)
    if found is None:
        raise SandboxUnavailableError(f"{config.runsc or 'runsc'} is not there: {INSTALL}")
    version = _VERSION.search(output_of([found, "--version"]))
    if version is None:
        raise SandboxUnavailableError(f"{found} is no runsc: {INSTALL}")
    if int(version[1]) < _OLDEST:
        raise SandboxUnavailableError(f"{found} of {version[1]} is too old, ls does not work in it: {INSTALL}")
    holds = what_holds(config, name)
    return GvisorMachine(
        own_uid=holds.own_uid,
        cgroups=holds.cgroups,
        own_disk=holds.own_disk,
        python=container_python(config.python),
        weaker=holds.weaker,
        runsc=Path(found).resolve(),
        options=_options(config, output_of([found, "flags"])),
    )


def _options(config: SandboxConfig, known: str) -> tuple[str, ...]:
    """`known`: what this version says of its options."""
    options = ["--network=none", "--ignore-cgroups"]
    if config.gvisor_platform is not None:
        options.append(f"--platform={config.gvisor_platform}")
    if "-overlay2 " in known:
        # Else what is written to the root would be kept beside it.
        options.append("--overlay2=none")
    if "-directfs" in known:
        # It is somewhat faster with it, and then the kernel in between runs as root, not as nobody.
        options.append("--directfs=false")
    return tuple(options)


def prepare(
    machine: GvisorMachine,
    config: SandboxConfig,
    *,
    container_id: str,
    directory: Path,
    environment: Path | None,
    groups: Sequence[Path],
    control: int,
    info: int,
) -> Launch:
    """See process.Prepare."""
    del control, info
    disk = directory / (IMAGE if machine.own_disk else TREE)
    uid = uid_of(container_id)
    seen = system_view(machine.python, environment, uid)
    seen.files[HELPER_PLACE] = helper_program(own_python=config.python is None)
    seen.files[FILTER_PLACE] = seccomp_filter(hidden_memory=machine.counted, pinned=False)
    bundle = directory / _BUNDLE
    at = mount_place([disk, machine.runsc, *map(Path, seen.binds.values())])
    more = [*PLACES, "/proc", "/dev", "/sys"]
    make_root(bundle / "root", seen, more)
    # Most limits cannot be set from within.
    command = helper_command(machine.python, "0", {}, FILTER_PLACE)
    told = _bundle(seen, at / "disk", uid, command, helpers_environment(machine.python), _limits(machine, config))
    (bundle / "config.json").write_text(json.dumps(told))
    runsc = [
        str(machine.runsc),
        "--root",
        str(at / "state"),
        *machine.options,
        "run",
        "--bundle",
        str(bundle),
        container_id,
    ]
    held = [] if machine.counted else pinned(config)
    return Launch([*without_cores(), *held, *with_disk(disk, uid, at, (), groups, runsc)], speaks_by_input=True)


def _limits(machine: GvisorMachine, config: SandboxConfig) -> dict[str, int]:
    limits = base_limits(config) | {"RLIMIT_NPROC": config.processes}
    if not machine.counted:
        limits["RLIMIT_DATA"] = config.memory
    return limits


def _bundle(
    seen: View, where: Path, uid: int, command: list[str], environment: dict[str, str], limits: dict[str, int]
) -> dict[str, Any]:
    """What the runtime is told, as config.json of the OCI runtime specification has it."""
    mounts: list[dict[str, Any]] = [
        {"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "nodev", "noexec"]},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["ro", "nosuid", "mode=755"]},
        # Else it shows a tree of its own making.
        _empty("/sys"),
        {
            "destination": "/dev/shm",  # noqa: S108 -- the container's
            "type": "tmpfs",
            "source": "tmpfs",
            "options": ["nosuid", "nodev", "mode=1777", f"size={SHARED_MEMORY}"],
        },
    ]
    for place, source in seen.binds.items():
        mounts.append({"destination": place, "type": "bind", "source": source, "options": ["bind", "ro", "nosuid"]})
    mounts += map(_empty, seen.empty)
    for place, name in PLACES.items():
        source = str(where / name)
        mounts.append({"destination": place, "type": "bind", "source": source, "options": ["bind", "rw", "nosuid"]})
    kinds = ("bounding", "effective", "inheritable", "permitted", "ambient")
    return {
        "ociVersion": "1.0.2",
        "hostname": "container",
        "root": {"path": "root", "readonly": True},
        "process": {
            "user": {"uid": uid, "gid": uid},
            "cwd": "/",
            "args": command,
            "env": [f"{name}={value}" for name, value in {"PATH": os.defpath, **environment}.items()],
            "noNewPrivileges": True,
            "rlimits": [{"type": name, "hard": value, "soft": value} for name, value in limits.items()],
            "capabilities": {kind: list[str]() for kind in kinds},
        },
        "mounts": mounts,
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")]},
    }


def _empty(place: str) -> dict[str, Any]:
    return {"destination": place, "type": "tmpfs", "source": "tmpfs", "options": ["ro", "size=4096"]}
