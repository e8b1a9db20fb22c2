"""How a container is started: what it sees, as bubblewrap's arguments, and what root does before."""

from __future__ import annotations

import importlib.util
import marshal
import math
import os
import random
import shutil
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

from understudy.sandbox import channel
from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import IMAGE, PLACES, TREE
from understudy.sandbox.interface import HOME, INPUT_DIR, WRITABLE, SandboxUnavailableError
from understudy.sandbox.machine import Machine
from understudy.sandbox.seccomp import seccomp_filter

ENVIRONMENT_PLACE: Final = "/opt/environment"
"""Where the packages of `understudy sandbox build` are seen."""

_HELPER: Final = Path(__file__).with_name("helper.py")
_HELPER_PLACE: Final = "/opt/container"
_LINKS_PLACE: Final = "/opt/bin"
_LIBRARIES_PLACE: Final = "/opt/lib"
_MIB: Final = 1024 * 1024
_SHARED_MEMORY: Final = 64 * _MIB

# What programs look for in /etc, none of it of this machine in particular.
_SYSTEM_FILES: Final = (
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "fonts", "mime.types", "magic", "magic.mime"),
    *("libreoffice", "ImageMagick-6", "ImageMagick-7", "papersize", "localtime", "ld-musl-x86_64.path"),
)
_OWN_FILES: Final = {
    "/etc/passwd": b"root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/bash\n",
    "/etc/group": b"root:x:0:\nuser:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost container\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}

# Root, in a mount namespace of the container's own, which takes everything mounted with it when it goes: $1 the disk,
# $2 its owner, $3 a directory to mount at; then mounts, each a source and a name; then --, groups to be in, --, what to
# start.
_ROOTS_PART: Final = """
set -e
disk=$1 owner=$2 at=$3; shift 3
mount -t tmpfs -o mode=0755,size=256k,nosuid,nodev none "$at"
mkdir "$at/disk" "$at/python" "$at/environment"
case $disk in
*/TREE) mount --bind "$disk" "$at/disk" ;;
*) mount -o loop,nosuid,nodev,noatime,discard "$disk" "$at/disk" ;;
esac
cd "$at/disk"
if [ ! -e made ]; then
  install -d -m 0755 -o "$owner" -g "$owner" PLACES
  : > made
fi
cd /
while [ "$1" != -- ]; do mount --bind "$1" "$at/$2"; shift 2; done
shift
while [ "$1" != -- ]; do echo $$ > "$1"; shift; done
shift
exec setpriv --reuid="$owner" --regid="$owner" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all -- "$@"
""".replace("PLACES", " ".join(PLACES.values())).replace("TREE", TREE)
_MOUNT_PLACES: Final = (Path("/mnt"), Path("/media"), Path("/srv"), Path("/run"))

# The same for others, who only join their groups.
_JOIN: Final = """
set -e
while [ "$1" != -- ]; do echo $$ > "$1"; shift; done
shift
exec "$@"
"""


def uid_of(container_id: str) -> int:
    """The user, outside, of a container of its own: always the same for one container, hardly ever that of another."""
    number = zlib.crc32(container_id.encode())
    try:
        mapped = sum(int(line.split()[2]) for line in Path("/proc/self/uid_map").read_text().splitlines())
    except OSError:
        mapped = 0
    return 1_800_000_000 + number % 100_000_000 if mapped > 2**31 else 60_100 + number % 5_000


@dataclass(slots=True)
class Launch:
    """A command to start, with the descriptors that it inherits."""

    command: list[str] = field(default_factory=list[str])
    descriptors: list[int] = field(default_factory=list[int])


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


def prepare(
    machine: Machine,
    config: SandboxConfig,
    *,
    container_id: str,
    directory: Path,
    environment: Path | None,
    groups: Sequence[Path],
    control: int,
    info: int,
) -> Launch:
    """What starts a container. `control`: the helper's end of the socket; `info`: where bubblewrap tells its child's
    number; `groups`: files of control groups to join. Both descriptors stay the caller's."""
    launch = Launch()
    disk = directory / (IMAGE if machine.own_disk else TREE)
    python = machine.python
    at = Path("/")
    if machine.own_uid:
        at = _mount_place([disk, *(path for path in (python.source, environment) if path is not None)])
        where, python_source, environment_source = at / "disk", str(at / "python"), str(at / "environment")
    else:
        where, python_source, environment_source = disk, str(python.source), str(environment)
    arguments = _view(machine, launch)
    for place, name in PLACES.items():
        arguments += ["--bind", str(where / name), place]
    if python.source is not None:
        arguments += ["--ro-bind", python_source, python.place]
        if python.site_packages is not None:
            arguments += ["--size", "4096", "--tmpfs", python.site_packages, "--remount-ro", python.site_packages]
    if environment is not None:
        arguments += ["--ro-bind", environment_source, ENVIRONMENT_PLACE]
    for name in python.libraries:
        arguments += ["--ro-bind", f"{python_source}/lib/{name}", f"{_LIBRARIES_PLACE}/{name}"]
    if python.libraries:
        arguments += ["--setenv", "LD_LIBRARY_PATH", _LIBRARIES_PLACE]
    for name in ("python", "python3"):
        arguments += ["--symlink", python.executable, f"{_LINKS_PLACE}/{name}"]
    arguments += ["--ro-bind-data", _inherited(launch, _helper(own_python=config.python is None)), _HELPER_PLACE]
    arguments += ["--chdir", HOME, "--remount-ro", "/"]
    counted = machine.cgroups is not None
    arguments += ["--seccomp", _inherited(launch, seccomp_filter(hidden_memory=counted, pinned=not counted))]
    arguments += ["--info-fd", str(info)]
    # As a file, so that nothing of this machine stands in the arguments that the container sees of its first process.
    bwrap = [machine.bwrap, "--args", _inherited(launch, "\0".join(arguments).encode())]
    bwrap += ["--", python.executable, "-I", "-S", _HELPER_PLACE, str(control), _limits(machine, config)]
    bwrap += [",".join(WRITABLE)]
    launch.descriptors += [control, info]
    if machine.own_uid:
        binds: list[str] = []
        if python.source is not None:
            binds += [str(python.source), "python"]
        if environment is not None:
            binds += [str(environment), "environment"]
        pinned = [] if counted else _pinned(config)
        launch.command = [
            *pinned,
            "unshare",
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            _ROOTS_PART,
            "sh",
            str(disk),
        ]
        launch.command += [str(uid_of(container_id)), str(at), *binds, "--", *map(str, groups), "--", *bwrap]
    elif groups:
        launch.command = ["sh", "-c", _JOIN, "sh", *map(str, groups), "--", *bwrap]
    else:
        launch.command = [*_pinned(config), *bwrap]
    launch.command[:0] = _without_cores()
    return launch


def _without_cores() -> list[str]:
    """Keep the machine's collector of crashes from what crashes in a container: it runs outside, and reads it. Nought
    would not do, of which the kernel takes no notice where cores go to a program; of a single byte it does (its
    fs/coredump.c)."""
    return ["prlimit", "--core=1:1"] if shutil.which("prlimit") else []


def _mount_place(sources: Sequence[Path]) -> Path:
    """A directory of every system that hides none of what is mounted when it is mounted over."""
    for place in _MOUNT_PLACES:
        if place.is_dir() and not any(source.resolve().is_relative_to(place) for source in sources):
            return place
    raise SandboxUnavailableError(f"none of {', '.join(map(str, _MOUNT_PLACES))} can be mounted over")


def _inherited(launch: Launch, data: bytes) -> str:
    descriptor = channel.memory_file(data)
    launch.descriptors.append(descriptor)
    return str(descriptor)


@cache
def _helper(*, own_python: bool) -> bytes:
    """The helper's program. For a Python like ours it is compiled before, which spares the container a megabyte."""
    source = _HELPER.read_bytes()
    if not own_python:
        return source
    code = compile(source, "container", "exec", optimize=2, dont_inherit=True)
    # As in files that Python keeps: what it is, no flags, neither time nor size.
    return importlib.util.MAGIC_NUMBER + bytes(12) + marshal.dumps(code)


def _view(machine: Machine, launch: Launch) -> list[str]:
    """The system as the container sees it."""
    arguments = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--hostname", "container"]
    arguments += ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    if machine.disable_userns:
        arguments += ["--disable-userns"]
    arguments += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64", "libx32"):
        path = Path("/", name)
        if path.is_symlink():
            arguments += ["--symlink", os.readlink(path), str(path)]  # noqa: PTH115 -- as it is written there
        elif path.is_dir():
            arguments += ["--ro-bind", str(path), str(path)]
    for name in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    for path, data in _OWN_FILES.items():
        arguments += ["--ro-bind-data", _inherited(launch, data), path]
    if Path("/usr/local/etc").is_dir():
        # The one place in /usr where settings of this machine may lie.
        arguments += ["--size", "4096", "--tmpfs", "/usr/local/etc", "--remount-ro", "/usr/local/etc"]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"]
    return [*arguments, "--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108


def _limits(machine: Machine, config: SandboxConfig) -> str:
    limits = {"RLIMIT_NOFILE": 4096, "RLIMIT_FSIZE": config.disk, "RLIMIT_MSGQUEUE": 0}
    if machine.cgroups is None:
        limits |= {"RLIMIT_DATA": config.memory, "RLIMIT_MEMLOCK": _MIB}
        if _counts_by_namespace():
            limits["RLIMIT_NPROC"] = config.processes
    return ",".join(f"{name}={value}" for name, value in limits.items())


def _counts_by_namespace() -> bool:
    """Whether the kernel counts a user's processes in each user namespace for itself (since 5.14)."""
    release = os.uname().release.split(".")
    try:
        return (int(release[0]), int(release[1])) >= (5, 14)
    except (ValueError, IndexError):
        return False


def _pinned(config: SandboxConfig) -> list[str]:
    """Where no group bounds processor time: whole processors that it may use, and those after everybody else."""
    command = ["nice", "-n", "5"]
    allowed = sorted(os.sched_getaffinity(0))
    count = max(1, math.ceil(config.cpus))
    if count < len(allowed) and shutil.which("taskset"):
        chosen = random.sample(allowed, count)
        command += ["taskset", "-c", ",".join(map(str, sorted(chosen)))]
    return command
