"""What every container sees, whichever driver makes it: programs of this machine, the containers' Python, a helper."""

from __future__ import annotations

import importlib.util
import marshal
import math
import os
import random
import shutil
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.interface import HOME, INPUT_DIR, WRITABLE
from understudy.sandbox.machine import ContainerPython, Machine

ENVIRONMENT_PLACE: Final = "/opt/environment"
"""Where the packages of `understudy sandbox build` are seen."""
HELPER_PLACE: Final = "/opt/container"
FILTER_PLACE: Final = "/opt/filter"
"""Where the helper finds what system calls it is to have refused, if the driver does not see to it."""
SHARED_MEMORY: Final = 64 * 1024 * 1024
"""Bytes of /dev/shm."""
USER: Final = 1000
"""The user that a container is inside, where users are mapped."""

_HELPER: Final = Path(__file__).with_name("helper.py")
_LINKS_PLACE: Final = "/opt/bin"
_LIBRARIES_PLACE: Final = "/opt/lib"
_TOP: Final = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

# What programs look for in /etc, none of it of this machine in particular.
_SYSTEM_FILES: Final = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "mime.types", "magic", "magic.mime"),
    *("libreoffice", "ImageMagick-6", "ImageMagick-7", "papersize", "localtime", "ld-musl-x86_64.path"),
)


@dataclass(frozen=True, slots=True)
class View:
    """A container's system, all of it read-only. Places are absolute."""

    binds: dict[str, str] = field(default_factory=dict[str, str])
    """What is seen at a place: the path on this machine. A place comes after those that it lies in."""
    empty: list[str] = field(default_factory=list[str])
    """Directories of this machine that are seen empty."""
    links: dict[str, str] = field(default_factory=dict[str, str])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])


def own_files(uid: int) -> Mapping[str, bytes]:
    """Files that name nobody of this machine. `uid`: the container's user, as it sees itself."""
    return {
        "/etc/passwd": f"root:x:0:0:root:/:/bin/sh\nuser:x:{uid}:{uid}:user:{HOME}:/bin/bash\n".encode(),
        "/etc/group": f"root:x:0:\nuser:x:{uid}:\n".encode(),
        "/etc/hosts": b"127.0.0.1 localhost container\n::1 localhost\n",
        "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
    }


def system_view(python: ContainerPython, environment: Path | None, uid: int) -> View:
    """`environment`: that of `understudy sandbox build`."""
    seen = View()
    seen.binds["/usr"] = "/usr"
    for name in _TOP:
        path = Path("/", name)
        if path.is_symlink():
            seen.links[str(path)] = os.readlink(path)  # noqa: PTH115 -- as it is written there
        elif path.is_dir():
            seen.binds[str(path)] = str(path)
    for name in _SYSTEM_FILES:
        if Path("/etc", name).exists():
            seen.binds[f"/etc/{name}"] = f"/etc/{name}"
    seen.files.update(own_files(uid))
    if Path("/usr/local/etc").is_dir():
        # The one place in /usr where settings of this machine may lie.
        seen.empty.append("/usr/local/etc")
    if python.source is not None:
        seen.binds[python.place] = str(python.source)
        if python.site_packages is not None:
            seen.empty.append(python.site_packages)
        for name in python.libraries:
            seen.binds[f"{_LIBRARIES_PLACE}/{name}"] = f"{python.source}/lib/{name}"
    if environment is not None:
        seen.binds[ENVIRONMENT_PLACE] = str(environment)
    for name in ("python", "python3"):
        seen.links[f"{_LINKS_PLACE}/{name}"] = python.executable
    return seen


def mounted_below(seen: View) -> dict[str, str]:
    """What is mounted on this machine below what is seen of it, for drivers that bind without it: each at its place.
    Places that are seen empty stay so."""
    found: dict[str, str] = {}
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place, source in seen.binds.items():
        for mount in sorted(one for one in mounts if one.startswith(f"{source}/") and "\\" not in one):
            found[place + mount.removeprefix(source)] = mount
    hidden = tuple(f"{place}/" for place in seen.empty)
    return {place: mount for place, mount in found.items() if not f"{place}/".startswith(hidden)}


def base_environment(machine: Machine, config: SandboxConfig, *, environment_built: bool) -> dict[str, str]:
    """What every command finds in its environment."""
    libraries = {"LD_LIBRARY_PATH": _LIBRARIES_PLACE} if machine.python.libraries else {}
    threads = str(max(1, math.ceil(config.cpus)))
    places = [_LINKS_PLACE, "/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin"]
    if environment_built:
        places.insert(0, f"{ENVIRONMENT_PLACE}/bin")
    return {
        **libraries,
        "PATH": ":".join(places),
        "HOME": HOME,
        "USER": "user",
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "TMPDIR": "/tmp",  # noqa: S108 -- the container's
        "INPUT_DIR": INPUT_DIR,
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": "/tmp/.matplotlib",  # noqa: S108
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "PYTHONDONTWRITEBYTECODE": "1",
        "NODE_PATH": "/usr/local/lib/node_modules:/usr/lib/node_modules:/usr/share/nodejs",
    }


def helpers_environment(python: ContainerPython) -> dict[str, str]:
    """What the helper's own Python needs to start."""
    return {"LD_LIBRARY_PATH": _LIBRARIES_PLACE} if python.libraries else {}


def helper_command(
    python: ContainerPython, control: str, limits: Mapping[str, int], filter_place: str = ""
) -> list[str]:
    """Starts the helper: see its main for `control` and `filter_place`."""
    told = ",".join(f"{name}={value}" for name, value in limits.items())
    return [python.executable, "-I", "-S", HELPER_PLACE, control, told, ",".join(WRITABLE), filter_place]


@cache
def helper_program(*, own_python: bool) -> bytes:
    """The helper. For a Python like ours it is compiled before, which spares the container a megabyte."""
    source = _HELPER.read_bytes()
    if not own_python:
        return source
    code = compile(source, "container", "exec", optimize=2, dont_inherit=True)
    # As in files that Python keeps: what it is, no flags, neither time nor size.
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def base_limits(config: SandboxConfig) -> dict[str, int]:
    """The limits that the helper sets for each process, by their names."""
    return {"RLIMIT_NOFILE": 4096, "RLIMIT_FSIZE": config.disk, "RLIMIT_MSGQUEUE": 0}


def counts_by_namespace() -> bool:
    """Whether the kernel counts a user's processes in each user namespace for itself (since 5.14)."""
    release = os.uname().release.split(".")
    try:
        return (int(release[0]), int(release[1])) >= (5, 14)
    except (ValueError, IndexError):
        return False


def uid_of(container_id: str) -> int:
    """The user, outside, of a container of its own: always the same for one container, hardly ever that of another."""
    number = zlib.crc32(container_id.encode())
    try:
        mapped = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    except OSError:
        mapped = 0
    return 1_800_000_000 + number % 100_000_000 if mapped > 2**31 else 60_100 + number % 5_000


def make_root(root: Path, seen: View, more: list[str]) -> None:
    """Make the directory on which a container's system is mounted: places, links and files. `more`: directories that
    it needs too. Raises OSError."""
    for place, source in seen.binds.items():
        at = root / place[1:]
        if Path(source).is_dir():
            at.mkdir(parents=True, exist_ok=True)
        else:
            at.parent.mkdir(parents=True, exist_ok=True)
            at.touch()
    for place in more:
        (root / place[1:]).mkdir(parents=True, exist_ok=True)
    for place, target in seen.links.items():
        at = root / place[1:]
        at.parent.mkdir(parents=True, exist_ok=True)
        at.unlink(missing_ok=True)
        at.symlink_to(target)
    for place, data in seen.files.items():
        at = root / place[1:]
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(data)
    for directory, _, _ in os.walk(root):
        Path(directory).chmod(0o755)


def without_cores() -> list[str]:
    """Keep the machine's collector of crashes from what crashes in a container: it runs outside, and reads it. Nought
    would not do, of which the kernel takes no notice where cores go to a program; of a single byte it does (its
    fs/coredump.c)."""
    return ["prlimit", "--core=1:1"] if shutil.which("prlimit") else []


def pinned(config: SandboxConfig) -> list[str]:
    """Where no group bounds processor time: whole processors that it may use, and those after everybody else."""
    command = ["nice", "-n", "5"]
    allowed = sorted(os.sched_getaffinity(0))
    count = max(1, math.ceil(config.cpus))
    if count < len(allowed) and shutil.which("taskset"):
        chosen = random.sample(allowed, count)
        command += ["taskset", "-c", ",".join(map(str, sorted(chosen)))]
    return command
