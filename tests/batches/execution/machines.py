"""`understudy worker` processes, and what a database says of a batch while its servers are dead."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from servers import clean_environment
from services import Postgres


@dataclass
class WorkerProcess:
    """`understudy worker`, started again after each kill."""

    data_dir: Path
    env: dict[str, str]
    output: Path
    flags: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, *, wait: bool = True) -> None:
        command = [sys.executable, "-m", "understudy", "worker", "--data-dir", str(self.data_dir), *self.flags]
        before = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as sink:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=clean_environment(self.env),
            )
        if not wait:
            return
        deadline = time.monotonic() + 60
        while b"works batches off" not in self.output.read_bytes()[before:]:
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)

    def pause_apart(self, database: Path) -> None:
        """Stop it where it does not hold SQLite's write lock, without which nobody could go on."""
        assert self.process is not None
        while True:
            os.kill(self.process.pid, signal.SIGSTOP)
            connection = sqlite3.connect(database, timeout=0.5, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                connection.execute("ROLLBACK")
                return
            except sqlite3.OperationalError:
                self.resume()
                time.sleep(0.03)
            finally:
                connection.close()

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(45)


Ask = Callable[[str], list[tuple[Any, ...]]]


def asking_sqlite(path: Path) -> Ask:
    def ask(statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(path, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    return ask


def asking_postgres(postgres: Postgres, url: str) -> Ask:
    return lambda statement: postgres.execute(statement, url)


def progress(ask: Ask, total: int) -> int:
    """How many results there are. All of them once the batch has ended."""
    ended = ask("SELECT count(*) FROM message_batches WHERE status = 'ended'")[0][0]
    return total if ended else int(ask("SELECT count(*) FROM batch_results")[0][0])


def wait_for(what: Callable[[], bool], timeout: float) -> bool:
    """Whether it came true within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return False
