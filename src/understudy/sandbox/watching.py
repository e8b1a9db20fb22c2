"""Sums of what a container uses, for machines where the kernel does not bound them."""

from __future__ import annotations

import asyncio
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from understudy.sandbox.config import SandboxConfig
from understudy.sandbox.disks import used

INTERVAL: Final = 0.1
"""Seconds between two looks at memory and processes; those at the disk are as far apart, and their own length more."""

_PAGE: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096
# A container that is full may still be written to a little, so that files can be removed.
_SLACK: Final = 1024 * 1024

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
    """Bytes of memory that a process shares with no file, and its threads."""
    with suppress(OSError, ValueError, IndexError):
        memory = resident = shared = threads = 0
        _, resident, shared, *_ = (int(word) for word in Path(f"/proc/{pid}/statm").read_text().split())
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssShmem:"):
                memory = int(line.split()[1]) * 1024
            elif line.startswith("Threads:"):
                threads = int(line.split()[1])
        return memory + (resident - shared) * _PAGE, threads
    return 0, 0


def _exactly(pid: int) -> int:
    """The same memory, of which what several processes share counts once among them. It costs more to know."""
    size = 0
    with suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith(("Pss_Anon:", "Pss_Shmem:")):
                size += int(line.split()[1]) * 1024
    return size


def memory_of(pids: list[int], most: int) -> int:
    """Bytes that processes have for themselves: looked at more closely if it seems to be more than `most`."""
    size = sum(_of_its_own(pid)[0] for pid in pids)
    return sum(map(_exactly, pids)) if size > most else size


def _unlinked(pids: list[int]) -> int:
    """Bytes of files that are open and have no name any more."""
    seen: dict[tuple[int, int], int] = {}
    for pid in pids:
        with suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    status = Path(entry.path).stat()
                    if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                        seen[status.st_dev, status.st_ino] = status.st_blocks * 512
    return sum(seen.values())


class Watch:
    """Looks until something is in excess, which `wait` returns."""

    def __init__(self, config: SandboxConfig, watched: Watched, pid: int, tree: Path) -> None:
        self._config = config
        self._watched = watched
        self._pid = pid
        self._tree = tree
        self._most_disk = config.disk
        self._most_files = config.max_files

    async def wait(self) -> Excess:
        if self._watched.disk:
            size, count = await asyncio.to_thread(used, self._tree)
            self._most_disk = max(self._most_disk, size + _SLACK)
            self._most_files = max(self._most_files, count + 16)
        disk_at = 0.0
        while True:
            await asyncio.sleep(INTERVAL)
            look_at_disk = self._watched.disk and time.monotonic() >= disk_at
            began = time.monotonic()
            excess = await asyncio.to_thread(self._look, look_at_disk)
            if excess is not None:
                return excess
            if look_at_disk:
                disk_at = time.monotonic() + max(INTERVAL, time.monotonic() - began)

    def _look(self, disk: bool) -> Excess | None:
        pids = list(family(self._pid))
        if self._watched.memory:
            if memory_of(pids, self._config.memory) > self._config.memory:
                return "memory"
            # Two of them are the container's own.
            if sum(_of_its_own(pid)[1] for pid in pids) > self._config.processes + 2:
                return "processes"
        if disk:
            size, count = used(self._tree)
            if size + _unlinked(pids) > self._most_disk or count > self._most_files:
                return "disk"
            status = os.statvfs(self._tree)
            if status.f_bavail * status.f_frsize < self._config.reserve:
                return "disk"
        return None
