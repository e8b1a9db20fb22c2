"""Real servers for tests: each a process of its own, on a free loopback port, with a data directory of its own.

Every wait is bounded, and what a server printed is kept in a file, so that a failing test can show it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

START_TIMEOUT = 60.0
"""Seconds a server gets to answer. It needs one or two; a loaded machine stretches that."""

STOP_TIMEOUT = 45.0
"""Seconds a server gets to end after SIGTERM: its own `drain_timeout` is 30."""

_FOREIGN_VARIABLES = ("UNDERSTUDY_", "ANTHROPIC_", "CLAUDE_")
"""Variables with these prefixes, set in the developer's shell, would change what is tested."""


class ServerFailed(Exception):
    """A server that did not start or stop as it should. The message ends with what it printed."""


@dataclass
class RunningServer:
    """A server that accepts connections. `url` has no slash at its end."""

    url: str
    api_key: str
    admin_key: str
    pid: int
    data_dir: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    output: Path = field(repr=False)

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    def printed(self, last: int = 20_000) -> str:
        """The last characters of what the server wrote to standard output and error."""
        return self.output.read_text(encoding="utf-8", errors="replace")[-last:]

    def stop(self, timeout: float = STOP_TIMEOUT) -> int:
        """Send SIGTERM and wait. Returns the exit code; a server that stays is killed and reported."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerFailed(f"still running {timeout:.0f} s after SIGTERM:\n{self.printed()}") from None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)


def start_server(
    directory: Path,
    *flags: str,
    env: Mapping[str, str] | None = None,
    data_dir: Path | None = None,
    timeout: float = START_TIMEOUT,
) -> RunningServer:
    """Start `understudy serve` and wait until it accepts connections.

    `directory` takes the ready file, the output and, unless `data_dir` names another (of an earlier run, say), the
    data directory. `flags` and `env` come on top of a port of the system's choice and an environment without the
    developer's own UNDERSTUDY_* and ANTHROPIC_* variables.
    """
    directory.mkdir(parents=True, exist_ok=True)
    data_dir = data_dir or directory / "data"
    ready_file = directory / "ready.json"
    ready_file.unlink(missing_ok=True)
    output = directory / "output.log"
    command = [sys.executable, "-m", "understudy", "serve", "--port", "0"]
    command += ["--data-dir", str(data_dir), "--ready-file", str(ready_file), *flags]
    with output.open("ab") as sink:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=clean_environment(env)
        )
    try:
        ready = _await_ready_file(process, ready_file, timeout)
    except BaseException as error:
        process.kill()
        process.wait(10)
        if isinstance(error, ServerFailed):
            raise ServerFailed(f"{error}\n{output.read_text(encoding='utf-8', errors='replace')}") from None
        raise
    return RunningServer(
        url=ready["url"].rstrip("/"),
        api_key=ready["api_key"],
        admin_key=ready["admin_key"],
        pid=int(ready["pid"]),
        data_dir=data_dir,
        process=process,
        output=output,
    )


class ServerStarter:
    """Starts servers, each in a new directory, and remembers them in `started`."""

    def __init__(self, new_directory: Callable[[], Path]) -> None:
        self._new_directory = new_directory
        self.started: list[RunningServer] = []

    def __call__(
        self, *flags: str, env: Mapping[str, str] | None = None, data_dir: Path | None = None
    ) -> RunningServer:
        running = start_server(self._new_directory(), *flags, env=env, data_dir=data_dir)
        self.started.append(running)
        return running


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment without the variables that would change what is tested, plus `extra`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN_VARIABLES)}
    # A proxy of the developer's network must not see what goes to loopback.
    kept["NO_PROXY"] = kept["no_proxy"] = "127.0.0.1,localhost"
    return {**kept, **(extra or {})}


def _await_ready_file(process: subprocess.Popen[bytes], ready_file: Path, timeout: float) -> dict[str, str]:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailed(f"ended with exit code {process.returncode} before it accepted connections:")
        try:
            return json.loads(ready_file.read_bytes())
        except (FileNotFoundError, json.JSONDecodeError):  # not there yet, or caught half written
            time.sleep(0.02)
    raise ServerFailed(f"did not accept connections within {timeout:.0f} s:")
