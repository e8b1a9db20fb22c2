"""What this machine offers for containers, and so which tier it is: what is the same for every driver."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol

from understudy.sandbox.cgroups import CgroupError, Cgroups, Limits, find
from understudy.sandbox.channel import Channel
from understudy.sandbox.config import Driver, SandboxConfig
from understudy.sandbox.disks import make_disk
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.seccomp import MACHINES

# What root needs, whichever driver it is: of util-linux and e2fsprogs.
_TOOLS_OF_ROOT: Final = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
_SECONDS: Final = 20.0


class ContainerProcess(Protocol):
    """The processes of one container while it is awake."""

    channel: Channel
    first: int
    """The number, on this machine, of the container's first process, or of the one that stands for it: when it ends,
    all end with it."""

    @property
    def alive(self) -> bool: ...

    @property
    def outer_pid(self) -> int:
        """The number of the process from which all of the container's come."""
        ...

    async def kill(self) -> None:
        """End every process of the container at once; returns when all are gone and its disk is let go."""
        ...

    def out_of_memory(self) -> int:
        """How often the kernel killed something of it because its memory was used up."""
        ...


@dataclass(frozen=True, slots=True)
class ContainerPython:
    """The Python of containers: mounted from `source` at `place`, unless it lies in /usr and is there anyway."""

    executable: str
    source: Path | None
    site_packages: str | None
    """Where the machine's own packages lie in it, which containers do not see."""

    libraries: tuple[str, ...] = ()
    """Its own in `source`/lib, of which it may know only where they lie on this machine."""

    place: str = "/opt/python"


@dataclass(frozen=True, slots=True)
class Machine:
    """`weaker` says, for people, what of the strict tier is not held by the kernel here; empty if all is."""

    own_uid: bool
    """Containers run each as a user of its own."""
    cgroups: Cgroups | None
    """Where this server makes the containers' groups, if it does."""
    own_disk: bool
    """Each has a file system of its own, of which the kernel bounds the size."""
    python: ContainerPython
    weaker: tuple[str, ...]

    @property
    def driver(self) -> Driver:
        raise NotImplementedError

    @property
    def shares_system(self) -> bool:
        """Containers see this machine's programs, and what `understudy sandbox build` has made."""
        return True

    @property
    def hidden(self) -> tuple[str, ...]:
        """Paths that a container's system does not have, if it is this machine's."""
        return ("/etc/shadow", "/root", "/var") if self.shares_system else ()

    @property
    def counted(self) -> bool:
        """The kernel counts memory, processes and processor time of each container."""
        return self.cgroups is not None

    async def start(
        self, config: SandboxConfig, container_id: str, directory: Path, environment: Path | None
    ) -> ContainerProcess:
        """Start the container whose files lie in `directory`. `environment`: that of `understudy sandbox build`.

        Raises SandboxUnavailableError with what was said about it.
        """
        raise NotImplementedError

    def group_limits(self, config: SandboxConfig) -> Limits:
        """Of a container's control group."""
        return Limits(config.memory, config.processes, config.cpus)

    def left(self) -> set[str]:
        """Ids of containers of which something runs, or is left."""
        return set() if self.cgroups is None else self.cgroups.groups()

    def end(self, container_id: str) -> None:
        """End what is left of a container that no process of a server has."""
        if self.cgroups is not None:
            self.cgroups.remove(container_id)

    def leave(self) -> None:
        """Leave nothing behind that marks this installation, if no container of it runs."""
        if self.cgroups is not None:
            self.cgroups.clear()

    @property
    def tier(self) -> Literal["strict", "ordinary"]:
        return "strict" if self.own_uid and self.own_disk and self.counted else "ordinary"


@dataclass(frozen=True, slots=True)
class Holds:
    """What of a Machine is the same for drivers that start containers as this server's own processes."""

    own_uid: bool
    cgroups: Cgroups | None
    own_disk: bool
    weaker: tuple[str, ...]


def check_linux() -> None:
    """Raises SandboxUnavailableError."""
    if sys.platform != "linux":
        raise SandboxUnavailableError(f"containers need Linux; this is {platform.system()}")
    if platform.machine() not in MACHINES:
        raise SandboxUnavailableError(f"containers run on {' and '.join(MACHINES)}; this is {platform.machine()}")


def what_holds(config: SandboxConfig, name: str) -> Holds:
    """Look at this machine. `name`: of the installation's control groups. Raises SandboxUnavailableError."""
    own_uid = os.geteuid() == 0
    if own_uid:
        check_root()
    weaker: list[str] = []
    cgroups: Cgroups | None = None
    try:
        cgroups = find(name, config.cgroup)
    except CgroupError as error:
        weaker.append(f"memory and processes are counted by the server, not by the kernel ({error})")
    if not own_uid:
        weaker.append("containers run as the server's own user, not each as one of its own (the server is not root)")
    disk_problem = no_disk() if own_uid else "the server is not root"
    if disk_problem:
        weaker.append(disk_is_measured(disk_problem))
    return Holds(own_uid, cgroups, not disk_problem, tuple(weaker))


def disk_is_measured(why: str) -> str:
    return f"disk is measured several times a second, not bounded by the kernel ({why})"


def output_of(command: list[str]) -> str:
    """What a program says, whatever it thinks of it. Raises SandboxUnavailableError for one that does not end."""
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        raise SandboxUnavailableError(f"{command[0]} does not run: {error}") from None
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def check_root() -> None:
    """Raises SandboxUnavailableError for root without the programs or the rights that containers take."""
    missing = sorted({package for tool, package in _TOOLS_OF_ROOT.items() if shutil.which(tool) is None})
    if missing:
        raise SandboxUnavailableError(f"a server that is root needs {', '.join(missing)} for containers: install it")
    said = output_of(
        ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    )
    if said.strip():
        raise SandboxUnavailableError(
            "this server is root without the right to mount (as in an ordinary Docker container), and root runs no "
            "containers without it: give it CAP_SYS_ADMIN and a seccomp profile that allows namespaces, or run it as "
            "an ordinary user"
        )


def no_disk() -> str:
    """Why no disk can be made for each container; empty if one can."""
    with tempfile.TemporaryDirectory(prefix="understudy-") as directory:
        image = Path(directory, "disk")
        try:
            make_disk(image, 16 * 1024 * 1024, 256)
        except OSError as error:
            return f"no file system can be made: {error}"
        mount = ["mount", "-o", "loop", str(image), directory]
        said = output_of(["unshare", "--mount", "--propagation", "private", *mount])
    return f"no loop device can be had: {said.strip()[:200]}" if said.strip() else ""


def container_python(given: Path | None) -> ContainerPython:
    """The Python that containers have: `given`, else the one that runs this program, without its virtual environment.

    Raises SandboxUnavailableError if there is none where it should be.
    """
    base = Path(sys.base_prefix if given is None else given).resolve()
    candidates = [base / "bin" / f"python3.{sys.version_info.minor}", base / "bin" / "python3"]
    found = next((path for path in candidates if path.exists()), None)
    if found is None:
        raise SandboxUnavailableError(f"there is no bin/python3 in {base}, which is to be the containers' Python")
    found = found.resolve() if found.resolve().is_relative_to(base) else found
    if base.is_relative_to("/usr"):
        return ContainerPython(str(found), None, None)
    place = Path(ContainerPython.__dataclass_fields__["place"].default)
    packages = next(iter(sorted(base.glob("lib/python3.*/site-packages"))), None)
    return ContainerPython(
        executable=str(place / found.relative_to(base)),
        source=base,
        site_packages=str(place / packages.relative_to(base)) if packages else None,
        libraries=tuple(sorted(path.name for path in base.glob("lib/libpython3.*.so.*"))),
    )
