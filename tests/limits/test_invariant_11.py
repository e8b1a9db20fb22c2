"""Invariant 11: many clients of many servers on one key are let in as one bucket lets them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROCESSES, CLIENTS, SECONDS, LIMIT = 4, 64, 2.0, 1000


def test_invariant_11_four_processes_of_64_clients_are_let_in_as_one_bucket_allows(
    redis_url: str, record_property: Callable[[str, object], None]
) -> None:
    begin = time.time() + 3.0
    script = str(Path(__file__).with_name("hammer.py"))
    arguments = [redis_url, str(CLIENTS), str(begin), str(begin + SECONDS)]
    processes = [
        subprocess.Popen([sys.executable, script, *arguments], stdout=subprocess.PIPE, text=True)
        for _ in range(PROCESSES)
    ]
    counts = [[float(each) for each in process.communicate(timeout=60)[0].split()] for process in processes]
    elapsed = max(each[2] for each in counts) - begin
    admitted = int(sum(each[0] for each in counts))
    refused = int(sum(each[1] for each in counts))
    record_property("summary", f"let in {admitted}, refused {refused} in {elapsed:.2f} s")
    assert all(process.returncode == 0 for process in processes)
    assert admitted <= LIMIT + LIMIT / 60 * elapsed + 1
    # And nothing of the bucket is left unused, where there was time to ask for all of it.
    assert admitted >= min(LIMIT + LIMIT / 60 * (SECONDS - 0.5) - 1, admitted + refused)
    assert min(each[0] for each in counts) > 0
