"""What this machine offers for containers, and so which tier it is."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from understudy.sandbox.cgroups import CgroupError, Cgroups, find
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import make_disk
from understudy.sandbox.interface import SandboxUnavailableError
from understudy.sandbox.seccomp import MACHINES

INSTALL: Final = (
    "install bubblewrap (Debian and Ubuntu: apt-get install bubblewrap; Fedora: dnf install bubblewrap; "
    "Alpine: apk add bubblewrap)"
)
# Beside bubblewrap, what root needs: util-linux and e2fsprogs.
_TOOLS_OF_ROOT: Final = {
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "mount": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
_SECONDS: Final = 20.0

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

    bwrap: str
    disable_userns: bool
    own_uid: bool
    cgroups: Cgroups | None
    own_disk: bool
    python: ContainerPython
    weaker: tuple[str, ...]

    @property
    def tier(self) -> Literal["strict", "ordinary"]:
        return "strict" if self.own_uid and self.own_disk and self.cgroups is not None else "ordinary"


def forbidden_by() -> str | None:
    """What this system would have to allow before users' namespaces work, if that is known."""
    for file, forbids, cure in _SWITCHES:
        try:
            if Path(file).read_text().strip() == forbids:
                return f"this system keeps ordinary users from making namespaces; allow it: {cure}"
        except OSError:
            continue
    return None


def examine(config: SandboxConfig, name: str) -> Machine:
    """Look at this machine; takes some ten milliseconds. `name`: of the installation's control groups.

    Raises SandboxUnavailableError saying what to install or to allow.
    """
    if sys.platform != "linux":
        raise SandboxUnavailableError(f"containers need Linux; this is {platform.system()}")
    if platform.machine() not in MACHINES:
        raise SandboxUnavailableError(f"containers run on {' and '.join(MACHINES)}; this is {platform.machine()}")
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailableError(f"bubblewrap is not installed: {INSTALL}")
    options = _output([bwrap, "--help"])
    if "--ro-bind-data" not in options or "--args" not in options:
        raise SandboxUnavailableError(f"{bwrap} is too old; {INSTALL}, version 0.5 or newer")
    own_uid = os.geteuid() == 0
    if own_uid:
        _check_root()
    weaker: list[str] = []
    cgroups: Cgroups | None = None
    try:
        cgroups = find(name, config.cgroup)
    except CgroupError as error:
        weaker.append(f"memory and processes are counted by the server, not by the kernel ({error})")
    if not own_uid:
        weaker.append("containers run as the server's own user, not each as one of its own (the server is not root)")
    disk_problem = _no_disk() if own_uid else "the server is not root"
    if disk_problem:
        weaker.append(f"disk is measured several times a second, not bounded by the kernel ({disk_problem})")
    return Machine(
        bwrap=bwrap,
        disable_userns="--disable-userns" in options,
        own_uid=own_uid,
        cgroups=cgroups,
        own_disk=not disk_problem,
        python=container_python(config.python),
        weaker=tuple(weaker),
    )


def _output(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def _check_root() -> None:
    missing = sorted({package for tool, package in _TOOLS_OF_ROOT.items() if shutil.which(tool) is None})
    if missing:
        raise SandboxUnavailableError(f"a server that is root needs {', '.join(missing)} for containers: install it")
    said = _output(
        ["unshare", "--mount", "--propagation", "private", "mount", "-t", "tmpfs", "none", tempfile.gettempdir()]
    )
    if said.strip():
        raise SandboxUnavailableError(
            "this server is root without the right to mount (as in an ordinary Docker container), and root runs no "
            "containers without it: give it CAP_SYS_ADMIN and a seccomp profile that allows namespaces, or run it as "
            "an ordinary user"
        )


def _no_disk() -> str:
    """Why no disk can be made for each container; empty if one can."""
    with tempfile.TemporaryDirectory(prefix="understudy-") as directory:
        image = Path(directory, "disk")
        try:
            make_disk(image, 16 * 1024 * 1024, 256)
        except OSError as error:
            return f"no file system can be made: {error}"
        mount = ["mount", "-o", "loop", str(image), directory]
        said = _output(["unshare", "--mount", "--propagation", "private", *mount])
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
