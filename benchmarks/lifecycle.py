"""What a server costs besides requests: its start, its rest, and streams that are merely open."""

from __future__ import annotations

import json
import resource
import selectors
import statistics
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from .measure import cpu_seconds_since_start, resident_bytes
from .rounds import Shape, body, make_load, read_result, start_generator
from .servers import BenchmarkError, Server, start_understudy, stop

OPEN_STREAMS = 1_000
OPEN_TIMEOUT = 60.0


@dataclass(frozen=True)
class Start:
    """Medians. CPU seconds up to the first answer, and resident bytes a moment after it."""

    cpu_new: float
    cpu_existing: float
    idle_bytes: float


def measure_start(directory: Path, repeats: int) -> Start:
    new: list[float] = []
    existing: list[float] = []
    idle: list[float] = []
    for number in range(repeats):
        data_dir = directory / f"start-{number}"
        new.append(_start_once(directory, data_dir)[0])
        cpu, resident = _start_once(directory, data_dir)
        existing.append(cpu)
        idle.append(resident)
    return Start(statistics.median(new), statistics.median(existing), statistics.median(idle))


def _start_once(directory: Path, data_dir: Path) -> tuple[float, float]:
    server = start_understudy(directory, data_dir)
    try:
        server.ask(body(words=0))
        cpu = cpu_seconds_since_start(server.pid)
        time.sleep(1.0)
        return cpu, float(resident_bytes(server.pid))
    finally:
        stop(server)


def measure_open_streams(directory: Path) -> float:
    """Bytes of resident memory that each of 1,000 open streams takes, sockets' kernel buffers not counted."""
    allow_open_files(2 * OPEN_STREAMS + 500)
    # Two tokens a second: a stream of hundreds of words is still open when all have begun.
    slow = {"UNDERSTUDY_SIMULATOR_TOKENS_PER_SECOND": "2"}
    server = start_understudy(directory, directory / "open-streams", slow)
    try:
        for _ in range(3):
            server.ask(body(words=0))
        before = resident_bytes(server.pid)
        with_streams = _hold_open(server)
        return (with_streams - before) / OPEN_STREAMS
    finally:
        stop(server)


def _hold_open(server: Server) -> int:
    """Open the streams, measure, close them."""
    shape = Shape("open", connections=OPEN_STREAMS, requests=OPEN_STREAMS, words=900, seconds=OPEN_TIMEOUT)
    process = start_generator()
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(make_load(server, shape, hold=True))) + "\n")
        process.stdin.flush()
        said = _line_within(process, OPEN_TIMEOUT + 30)
        if said.strip() != "open":
            read_result(said)  # raises with what went wrong
            raise BenchmarkError(f"the load generator said {said!r}")
        time.sleep(1.0)
        resident = resident_bytes(server.pid)
        printed, _ = process.communicate(timeout=30)
        read_result(printed)
        return resident
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(10)


def _line_within(process: subprocess.Popen[str], seconds: float) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(seconds):
            raise BenchmarkError(f"the load generator said nothing within {seconds:.0f} s")
    return process.stdout.readline()


def allow_open_files(number: int) -> None:
    """Raise this process's limit, which its children inherit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= number:
        return
    if hard != resource.RLIM_INFINITY and hard < number:
        raise BenchmarkError(f"{number} open files are needed, and the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
