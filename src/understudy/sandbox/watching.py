"""Sums of what a container uses, for machines where the kernel does not bound them."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.trees import used

INTERVAL: Final = 0.1
"""Seconds between two looks at memory and processes; those at the disk are as far apart, and their own length more."""

RESERVE_INTERVAL: Final = 0.5
"""Seconds between two looks at what is left of the machine's disk, where nothing else is looked at."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# A container that is full may still be written to a little, so that files can be removed.
_SLACK: Final = 1024 * 1024
# Looks at which a directory cannot be looked into before that is on purpose: programs do remove directories.
_MISSED: Final = 3
# Bytes that the kernel keeps for an open file: a pipe's two pages.
_OPEN_FILE: Final = 8 * 1024
_UNIX_BUFFERS: Final = Path("/proc/sys/net/core/wmem_max")
_MOST_BUFFER: Final = 1024 * 1024
_QUEUES: Final = ("tcp", "tcp6", "udp", "udp6")

Excess = Literal["memory", "processes", "disk"]


@dataclass(frozen=True, slots=True)
class Watched:
    """What of a container is to be looked at."""

    memory: bool
    disk: bool


def family(pid: int) -> Iterator[int]:
    """A process and all that come from it."""
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        yield one
        with suppress(OSError):
            for thread in os.listdir(f"/proc/{one}/task"):  # noqa: PTH208 -- run often
                children = Path(f"/proc/{one}/task/{thread}/children").read_text()
                waiting.extend(int(child) for child in children.split())


def _of_its_own(pid: int) -> tuple[int, int]:
    """Bytes of memory that a process shares with no file, with what the kernel keeps for it, and its threads."""
    with suppress(OSError, ValueError, IndexError):
        memory = resident = shared = threads = 0
        _, resident, shared, *_ = (int(word) for word in Path(f"/proc/{pid}/statm").read_text().split())
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(("RssShmem:", "VmPTE:")):
                memory += int(line.split()[1]) * 1024
            elif line.startswith("Threads:"):
                threads = int(line.split()[1])
        return memory + (resident - shared) * _PAGE + _open_files(pid) * _OPEN_FILE, threads
    return 0, 0


def _open_files(pid: int) -> int:
    with suppress(OSError):
        # Linux tells it so since 6.2.
        return Path(f"/proc/{pid}/fd").stat().st_size or len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
    return 0


def _in_sockets(pid: int) -> int:
    """Bytes that the sockets of a process's network may hold, those included that nobody has open: they are on their
    way through another."""
    size = 0
    with suppress(OSError, ValueError, IndexError):
        lines = Path(f"/proc/{pid}/net/unix").read_bytes().count(b"\n") - 1
        size += lines * min(2 * int(_UNIX_BUFFERS.read_text()), _MOST_BUFFER)
    for kind in _QUEUES:
        with suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{pid}/net/{kind}").read_text().splitlines()[1:]:
                # A small packet takes room for a large one.
                size += 2 * sum(int(queue, 16) for queue in line.split()[4].split(":"))
    return size


def _exactly(pid: int) -> int:
    """The same memory, of which what several processes share counts once among them. It costs more to know."""
    size = _open_files(pid) * _OPEN_FILE
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmPTE:"):
                size += int(line.split()[1]) * 1024
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                size += int(line.split()[1]) * 1024
    return size


def memory_of(pids: Sequence[int], most: int) -> int:
    """Bytes that processes have for themselves: looked at more closely if it seems to be more than `most`.

    The first of them is the one outside, which has another network.
    """
    sockets = _in_sockets(pids[1]) if len(pids) > 1 else 0
    size = sum(_of_its_own(pid)[0] for pid in pids)
    return sockets + (sum(map(_exactly, pids)) if size + sockets > most else size)


def _unlinked(pids: list[int]) -> int:
    """Bytes of files that are open or mapped and have no name any more. Of those that are mapped only, the parts that
    are."""
    seen: dict[tuple[int, int], int] = {}
    mapped: dict[tuple[str, str], int] = {}
    for pid in pids:
        with suppress(OSError, ValueError):
            for line in Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines():
                if line.endswith(" (deleted)"):
                    addresses, _, _, device, number, _ = line.split(None, 5)
                    start, _, end = addresses.partition("-")
                    size = int(end, 16) - int(start, 16)
                    mapped[device, number] = max(mapped.get((device, number), 0), size)
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = Path(entry.path).stat()
                    if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    open_too = {str(number) for _, number in seen}
    return sum(seen.values()) + sum(size for (_, number), size in mapped.items() if number not in open_too)


class Watch:
    """Looks until something is in excess, which `wait` returns. What is left of the machine's disk it looks at always:
    disks of containers promise more than there may be. `tree`: where its files lie."""

    def __init__(self, config: SandboxConfig, watched: Watched, pid: int, tree: Path) -> None:
        self._config = config
        self._watched = watched
        self._pid = pid
        self._tree = tree
        self._most_disk = config.disk
        self._most_files = config.max_files
        self._missed: dict[int, int] = {}

    async def wait(self) -> Excess:
        if self._watched.disk:
            found = await asyncio.to_thread(used, self._tree, self._most_files)
            self._most_disk = max(self._most_disk, found.size + _SLACK)
            self._most_files = max(self._most_files, found.entries + 16)
        disk_at = 0.0
        while True:
            await asyncio.sleep(INTERVAL if self._watched.memory or self._watched.disk else RESERVE_INTERVAL)
            look_at_disk = self._watched.disk and time.monotonic() >= disk_at
            began = time.monotonic()
            excess = await asyncio.to_thread(self._look, look_at_disk)
            if excess is not None:
                return excess
            if look_at_disk:
                disk_at = time.monotonic() + max(INTERVAL, time.monotonic() - began)

    def _look(self, disk: bool) -> Excess | None:
        status = os.statvfs(self._tree)
        if status.f_bavail * status.f_frsize < self._config.reserve:
            return "disk"
        pids = list(family(self._pid)) if self._watched.memory or disk else []
        if self._watched.memory:
            if memory_of(pids, self._config.memory) > self._config.memory:
                return "memory"
            # Two of them are the container's own.
            if sum(_of_its_own(pid)[1] for pid in pids) > self._config.processes + 2:
                return "processes"
        if disk:
            found = used(self._tree, self._most_files)
            if found.size + _unlinked(pids) > self._most_disk or found.entries > self._most_files:
                return "disk"
            self._missed = {number: self._missed.get(number, 0) + 1 for number in found.missed}
            if _MISSED in self._missed.values():
                return "disk"
        return None
