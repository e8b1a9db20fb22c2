"""How many threads a model's arithmetic should have on this machine."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path


def default_threads() -> int:
    """One less than the physical cores this process may use, at least 1.

    Two threads on one core slow each other down here, and one core is left for the API.
    """
    return max(min(_cores(), _quota()) - 1, 1)


def _cores() -> int:
    if sys.platform != "linux":
        return os.cpu_count() or 1
    usable = os.sched_getaffinity(0)
    siblings: set[str] = set()
    for number in usable:
        with suppress(OSError):
            siblings.add(Path(f"/sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list").read_text())
    return len(siblings) or len(usable)


def _quota() -> int:
    """Whole processors that the control group grants; a container's limit is seen nowhere else."""
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            return max(int(quota) // int(period), 1)
    return sys.maxsize
