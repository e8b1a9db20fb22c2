"""CPU time and memory of a server's process tree, and how busy others keep the machine."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import psutil


def process_tree(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def cpu_seconds(pid: int) -> float:
    """CPU time, user and system, of all living threads of a process tree.

    In nanoseconds' resolution from the scheduler where there is one to ask, which short rounds need. A thread that has
    ended is no longer counted, so differences are right only for a server whose threads stay.
    """
    return sum(_scheduled(process) for process in process_tree(pid))


def cpu_seconds_alone(pid: int) -> float:
    """As `cpu_seconds`, without the process's children."""
    return _scheduled(psutil.Process(pid))


def _scheduled(process: psutil.Process) -> float:
    total = 0
    try:
        for path in Path(f"/proc/{process.pid}/task").glob("*/schedstat"):
            try:
                total += int(path.read_text().split()[0])
            except OSError:  # the thread has ended meanwhile
                continue
        if total:
            return total / 1e9
        times = process.cpu_times()
        return times.user + times.system
    except psutil.NoSuchProcess:
        return 0.0


def cpu_seconds_since_start(pid: int) -> float:
    """CPU time of a process tree since its start, with threads and children that have ended; to 10 ms a process."""
    total = 0.0
    for process in process_tree(pid):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
        total += getattr(times, "children_user", 0.0) + getattr(times, "children_system", 0.0)
    return total


def resident_bytes(pid: int) -> int:
    """Resident memory of a process tree. Pages that processes share are counted in each."""
    total = 0
    for process in process_tree(pid):
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total


@dataclass(frozen=True)
class MachineClock:
    """A moment of the machine: compare two to see what share of it others used between them."""

    at: float
    busy: float
    own: float

    @classmethod
    def now(cls, own_pids: list[int]) -> MachineClock:
        """`own_pids` are the processes whose use is not foreign; this process is one of them anyway."""
        own = sum(cpu_seconds(pid) for pid in own_pids) + time.process_time()
        return cls(at=time.monotonic(), busy=_machine_busy_seconds(), own=own)

    def foreign_share(self, later: MachineClock, ended_own: float = 0.0) -> float:
        """Share of all cores that others used until `later`, 0 to 1. `ended_own` is CPU time of own ended processes."""
        foreign = (later.busy - self.busy) - (later.own - self.own) - ended_own
        cores = os.cpu_count() or 1
        return max(0.0, foreign / ((later.at - self.at) * cores))


def _machine_busy_seconds() -> float:
    # Time stolen by the hypervisor's other guests is theirs: it slows this machine as a process of it would.
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return sum(times) - idle


def cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return "unknown processor"
