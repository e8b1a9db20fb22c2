"""Control groups: the kernel's own count of memory, processes and processor time, of version 1 and 2."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PERIOD: Final = 100_000
"""Microseconds over which processor time is shared out."""

_CONTROLLERS: Final = ("memory", "pids", "cpu")
_ABANDONED: Final = 3600.0
_SERVER: Final = "server"
"""The group of the server itself, where it had to leave the one that it was started in."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, processes, processors."""

    memory: int
    processes: int
    cpus: float


class CgroupError(Exception):
    """Groups cannot be made here. The message says why."""


@dataclass(frozen=True, slots=True)
class Cgroups:
    """Where groups are made: one directory for all controllers (version 2), or one for each (version 1).

    `name` is that of the installation's own directory below; a container's is named by its id.
    """

    version: int
    parents: Mapping[str, Path]
    name: str

    def _directories(self, group: str) -> list[Path]:
        return sorted({parent / self.name / group for parent in self.parents.values()})

    def make(self, group: str, limits: Limits) -> list[Path]:
        """Make a group, and return the files into which a process writes its number to be in it. Raises OSError."""
        for directory in self._directories(group):
            directory.mkdir(parents=True, exist_ok=True)
        if self.version == 2:
            self._allow()
        quota = max(1000, int(limits.cpus * _PERIOD))
        values: dict[str, dict[str, str]] = {
            "memory": {"memory.max": str(limits.memory), "memory.swap.max": "0"}
            if self.version == 2
            else {
                "memory.limit_in_bytes": str(limits.memory),
                "memory.memsw.limit_in_bytes": str(limits.memory),
                # Version 1 counts it apart, and what one takes of the machine's others do not have.
                "memory.kmem.tcp.limit_in_bytes": str(limits.memory // 8),
            },
            "pids": {"pids.max": str(limits.processes)},
            "cpu": {"cpu.max": f"{quota} {_PERIOD}"}
            if self.version == 2
            else {"cpu.cfs_period_us": str(_PERIOD), "cpu.cfs_quota_us": str(quota)},
        }
        for controller, files in values.items():
            directory = self.parents[controller] / self.name / group
            for name, value in files.items():
                # Swap is counted only where the kernel was told to, and sockets where it can be.
                if ("sw" in name or "tcp" in name) and not (directory / name).exists():
                    continue
                (directory / name).write_text(value)
        return [directory / "cgroup.procs" for directory in self._directories(group)]

    def _allow(self) -> None:
        for directory in {parent / self.name for parent in self.parents.values()}:
            enable(directory)

    def processes(self, group: str) -> set[int]:
        """Numbers of the processes in a group."""
        found: set[int] = set()
        for directory in self._directories(group):
            with suppress(OSError):
                found.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
        return found

    def kills(self, group: str) -> int:
        """How often something was killed because the memory was used up."""
        directory = self.parents["memory"] / self.name / group
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        with suppress(OSError, ValueError):
            for line in (directory / name).read_text().splitlines():
                word, _, number = line.partition(" ")
                if word == "oom_kill":
                    return int(number)
        return 0

    def throttled(self, group: str) -> int:
        """In how many periods it wanted more processor time than it may have."""
        with suppress(OSError, ValueError):
            for line in (self.parents["cpu"] / self.name / group / "cpu.stat").read_text().splitlines():
                word, _, number = line.partition(" ")
                if word == "nr_throttled":
                    return int(number)
        return 0

    def memory(self, group: str) -> int:
        """Bytes that are counted."""
        directory = self.parents["memory"] / self.name / group
        name = "memory.current" if self.version == 2 else "memory.usage_in_bytes"
        return int((directory / name).read_text())

    def remove(self, group: str, *, seconds: float = 2.0) -> bool:
        """Kill what is left in a group and remove it. False if something would not go away in that time."""
        end = time.monotonic() + seconds
        while True:
            for pid in self.processes(group):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for directory in self._directories(group):
                with suppress(OSError):
                    directory.rmdir()
            if not any(directory.exists() for directory in self._directories(group)):
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.005)

    def groups(self) -> set[str]:
        """Names of the groups that there are."""
        found: set[str] = set()
        for parent in self.parents.values():
            with suppress(OSError):
                found.update(entry.name for entry in os.scandir(parent / self.name) if entry.is_dir())
        return found

    def clear_abandoned(self) -> None:
        """Remove what other installations left here when they were killed, and have not come back for an hour. Groups
        that hold a process cannot be removed."""
        prefix = self.name.partition("-")[0]
        for parent in set(self.parents.values()):
            for directory in parent.glob(f"{prefix}-*"):
                with suppress(OSError):
                    if directory.name == self.name or time.time() - directory.stat().st_mtime < _ABANDONED:
                        continue
                    for group in [entry for entry in directory.iterdir() if entry.is_dir()]:
                        group.rmdir()
                    directory.rmdir()

    def clear(self) -> None:
        """Remove the installation's own directories if nothing is in them."""
        for directory in {parent / self.name for parent in self.parents.values()}:
            with suppress(OSError):
                directory.rmdir()


def enable(directory: Path) -> None:
    """Let groups below `directory` have the controllers (version 2). Raises OSError."""
    path = directory / "cgroup.subtree_control"
    missing = [name for name in _CONTROLLERS if name not in path.read_text().split()]
    if missing:
        path.write_text(" ".join(f"+{name}" for name in missing))


def _mounts() -> Iterator[tuple[str, str, Path, list[str]]]:
    """Kind, root, place and options of each mounted hierarchy."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        kind, _, options = after.split(" ")[:3]
        if kind in ("cgroup", "cgroup2"):
            fields = before.split(" ")
            yield kind, fields[3], Path(fields[4]), options.split(",")


def _own(controller: str, process: int | str = "self") -> str:
    """A process's group of a controller, "" for version 2."""
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(",") if controller else not names:
            return path
    return "/"


def _below(place: Path, root: str, path: str) -> Path:
    """Where a group is found in a hierarchy mounted at `place`, of which `root` is mounted."""
    if root != "/" and path.startswith(root):
        path = path[len(root) :]
    return place / path.lstrip("/")


def of_process(pid: int) -> tuple[Cgroups, str]:
    """The group in which somebody else has put a process, and its name. Raises OSError."""
    places: dict[str, Path] = {}
    for kind, root, place, options in _mounts():
        for controller in _CONTROLLERS:
            if kind == "cgroup" and controller in options:
                places[controller] = _below(place, root, _own(controller, pid))
            elif kind == "cgroup2":
                places.setdefault(controller, _below(place, root, _own("", pid)))
    version = 2 if len(set(places.values())) == 1 else 1
    group = places["memory"]
    parents = {controller: path.parent.parent for controller, path in places.items()}
    return Cgroups(version, parents, group.parent.name), group.name


def find(name: str, given: Path | None = None) -> Cgroups:
    """Where this process may make groups: below its own, or for root at the top. Makes the directory `name` there.

    `given`: a directory of version 2 instead. Raises CgroupError.
    """
    if given is not None:
        return _prepared(Cgroups(2, dict.fromkeys(_CONTROLLERS, given), name))
    places: dict[str, Path] = {}
    unified: list[Path] = []
    try:
        for kind, root, place, options in _mounts():
            if kind == "cgroup2":
                unified = [_below(place, root, _own("")), place]
            for controller in _CONTROLLERS:
                if kind == "cgroup" and controller in options:
                    places[controller] = _below(place, root, _own(controller))
    except OSError as error:
        raise CgroupError(f"control groups cannot be looked at: {error}") from None
    if len(places) == len(_CONTROLLERS):
        return _prepared(Cgroups(1, places, name))
    if not unified:
        raise CgroupError("no control groups are mounted")
    if unified[0].name == _SERVER and _shares_out(unified[0].parent):
        # Another process of this server has made room.
        unified[0] = unified[0].parent
    try:
        return _prepared(Cgroups(2, dict.fromkeys(_CONTROLLERS, unified[0]), name))
    except CgroupError:
        if os.geteuid() != 0:
            raise
        return _prepared(Cgroups(2, dict.fromkeys(_CONTROLLERS, unified[1]), name))


def _prepared(groups: Cgroups) -> Cgroups:
    probe = f"probe-{os.getpid()}"
    try:
        for parent in set(groups.parents.values()):
            if groups.version == 2:
                _make_room(parent)
            (parent / groups.name).mkdir(exist_ok=True)
        groups.make(probe, Limits(64 * 1024 * 1024, 16, 1.0))
    except OSError as error:
        groups.clear()
        raise CgroupError(f"control groups cannot be made: {error}") from None
    groups.remove(probe)
    groups.clear_abandoned()
    return groups


def _shares_out(directory: Path) -> bool:
    with suppress(OSError):
        return set(_CONTROLLERS) <= set((directory / "cgroup.subtree_control").read_text().split())
    return False


def _make_room(parent: Path) -> None:
    """Version 2 shares out only among groups below, so no process may stay in the one above: if there are only this
    server's, they go into a group of their own. Raises OSError."""
    try:
        enable(parent)
    except OSError:
        inside = {int(line) for line in (parent / "cgroup.procs").read_text().split()}
        if not inside or not inside <= _this_server():
            raise
        own = parent / _SERVER
        own.mkdir(exist_ok=True)
        for pid in sorted(inside):
            with suppress(ProcessLookupError):
                (own / "cgroup.procs").write_text(str(pid))
        enable(parent)


def _this_server() -> set[int]:
    """This process, the one that started it if it is of the same program, and all that come from them."""
    first = os.getpid()
    with suppress(OSError):
        if os.readlink("/proc/self/exe") == os.readlink(f"/proc/{os.getppid()}/exe"):  # noqa: PTH115 -- not files
            first = os.getppid()
    found: set[int] = set()
    waiting = [first]
    while waiting:
        pid = waiting.pop()
        found.add(pid)
        with suppress(OSError):
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting.extend(int(child) for child in (task / "children").read_text().split())
    return found
