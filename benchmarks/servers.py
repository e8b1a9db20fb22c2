"""Starting and ending the servers that are measured, each a process pinned to the machine's last core."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from .measure import process_tree

START_TIMEOUT = 60.0
STOP_TIMEOUT = 45.0


class BenchmarkError(Exception):
    """A measurement that cannot be taken; the message says why."""


@dataclass(frozen=True)
class Server:
    name: str
    host: str
    port: int
    api_key: str
    pid: int
    process: subprocess.Popen[bytes]

    @property
    def headers(self) -> dict[str, str]:
        return {
            "x-api-key": self.api_key,
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": "understudy-benchmark",
        }

    def ask(self, body: str) -> bytes:
        """Send one request over a connection of its own."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.request("POST", "/v1/messages", body, self.headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise BenchmarkError(f"{self.name} answered {response.status}: {answer[:500].decode(errors='replace')}")
        return answer


def start_echo(directory: Path) -> Server:
    return start_python("echo", ["-m", "benchmarks.echo"], directory, {})


def start_understudy(directory: Path, data_dir: Path, env: Mapping[str, str] | None = None) -> Server:
    command = ["-m", "understudy", "serve", "--port", "0", "--data-dir", str(data_dir)]
    return start_python("understudy", command, directory, env or {})


def stop(server: Server) -> None:
    """End a server by SIGTERM. One that is still there after its drain time is killed, which is an error."""
    children = process_tree(server.pid)[1:]
    server.process.send_signal(signal.SIGTERM)
    try:
        server.process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait(10)
        raise BenchmarkError(f"{server.name} did not end within {STOP_TIMEOUT:.0f} s of SIGTERM") from None
    finally:
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()


def start_python(
    name: str, command: list[str], directory: Path, env: Mapping[str, str], cores: set[int] | None = None
) -> Server:
    """Start a server of ours, which says where it listens in a file that it is given. It runs on `cores`, by default
    those of servers. Raises BenchmarkError."""
    directory.mkdir(parents=True, exist_ok=True)
    ready_file = directory / f"{name}.ready.json"
    ready_file.unlink(missing_ok=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith("UNDERSTUDY_")}
    output = directory / f"{name}.log"
    with output.open("ab") as sink, pinned(server_cores() if cores is None else cores):
        process = subprocess.Popen(
            [sys.executable, *command, "--ready-file", str(ready_file)],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**clean, **env},
        )
    try:
        ready = _await_ready(process, ready_file)
    except BaseException as error:
        process.kill()
        process.wait(10)
        if isinstance(error, BenchmarkError):
            raise BenchmarkError(f"{name} {error}\n{output.read_text(errors='replace')[-4000:]}") from None
        raise
    host, _, port = ready["url"].removeprefix("http://").rstrip("/").rpartition(":")
    return Server(name, host, int(port), ready["api_key"], process.pid, process)


def start_peer(
    name: str,
    command: Callable[[int], Sequence[str]],
    directory: Path,
    env: Mapping[str, str],
    *,
    ready_path: str,
    api_key: str,
) -> Server:
    """Start somebody else's server. `command` is given a free port; `ready_path` answers a GET once requests are taken.

    Raises BenchmarkError.
    """
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    output = directory / f"{name}.log"
    with output.open("ab") as sink, pinned(server_cores()):
        process = subprocess.Popen(
            command(port), stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, cwd=directory, env={**os.environ, **env}
        )
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", ready_path)
            connection.getresponse().read()
            return Server(name, "127.0.0.1", port, api_key, process.pid, process)
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    process.kill()
    process.wait(10)
    raise BenchmarkError(f"{name} did not start: {output.read_text(errors='replace')[-2000:]}")


def _await_ready(process: subprocess.Popen[bytes], ready_file: Path) -> dict[str, str]:
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchmarkError(f"ended with exit code {process.returncode} at its start")
        try:
            return json.loads(ready_file.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):
            time.sleep(0.005)
    raise BenchmarkError(f"was not ready within {START_TIMEOUT:.0f} s")


def server_cores() -> set[int]:
    """The last core: servers have it to themselves, as far as this machine's other users let them."""
    cores = _all_cores()
    return {max(cores)} if cores else cores


def load_cores() -> set[int]:
    cores = _all_cores()
    return cores - server_cores() if len(cores) > 1 else cores


def _all_cores() -> set[int]:
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


@contextlib.contextmanager
def pinned(cores: set[int]) -> Generator[None]:
    """Processes started inside run on `cores` only. Does nothing where the system has no such thing."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
