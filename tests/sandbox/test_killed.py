"""A server that is killed leaves nothing behind that runs, and the next one finds its containers' files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from sandbox.users import as_user, directory_for, run_script

SCRIPT = Path(__file__).with_name("victim.py")


def test_a_killed_server_leaves_nothing_that_runs(tier: str, bubblewrap: None) -> None:
    with directory_for(tier) as directory:
        data = directory / "data"
        command = as_user(tier, [sys.executable, str(SCRIPT), str(data)])
        source = str(Path(__file__).parents[2] / "src")
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": source}) as victim:
            assert victim.stdout is not None
            told = json.loads(victim.stdout.readline())
            place = (data / "sandbox" / "place").read_text()
            # The steps before it became the script, so this is the number of the script itself.
            victim.kill()
        end = time.monotonic() + 10
        while any(_runs(first) for first in told["firsts"]):
            assert time.monotonic() < end, "containers outlive their server"
            time.sleep(0.05)
        assert str(directory) not in Path("/proc/self/mounts").read_text()
        while str(directory) in subprocess.run(["losetup", "-a"], capture_output=True, text=True, check=False).stdout:
            assert time.monotonic() < end, "a loop device is left"
            time.sleep(0.05)
        assert run_script(tier, SCRIPT, str(data), told["id"]) == "kept\n"
        assert list(Path("/sys/fs/cgroup").rglob(f"understudy-{place}")) == []


def _runs(pid: int) -> bool:
    """Whether it is there and more than the memory of a process that ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
