"""The load generator: keep-alive connections on uvloop and httptools, in a process of its own.

`python -m benchmarks.load` reads a `Load` as JSON from standard input and prints a `LoadResult` as JSON. With `hold` it
opens one stream a connection, prints `open`, and closes them when standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import httptools
import uvloop

COUNTER_PLACE = b"00000000"
"""Replaced in every body, wherever it stands, by the request's number, so that no server answers from what it remembers
of the last one."""

CLAUDE_DELTA = "event: content_block_delta\n"

GRACE = 30.0
"""Seconds beyond `seconds` in which requests under way may end."""


@dataclass
class Load:
    """`requests` requests over `connections` connections; no new ones are begun after `seconds`.

    `delta` is what stands once in each event of a stream that bears text.
    """

    host: str
    port: int
    body: str
    headers: dict[str, str]
    connections: int
    requests: int
    seconds: float
    stream: bool = False
    hold: bool = False
    path: str = "/v1/messages"
    delta: str = CLAUDE_DELTA


@dataclass
class LoadResult:
    """Times in milliseconds. `first` is up to the first byte of a body or the first text of a stream."""

    requests: int = 0
    events: int = 0
    deltas: int = 0
    failures: list[str] = field(default_factory=list[str])
    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    rps: float = 0.0
    p50: float = 0.0
    p99: float = 0.0
    first_p50: float = 0.0
    first_p99: float = 0.0


class Generator:
    """Hands out requests to connections and gathers what they saw."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.result = LoadResult()
        self.latencies: list[float] = []
        self.firsts: list[float] = []
        self.begun = 0
        self.in_flight = 0
        self.started = time.perf_counter()
        self.finished = asyncio.Event()
        body_parts = load.body.encode().split(COUNTER_PLACE)
        head = f"POST {load.path} HTTP/1.1\r\nhost: {load.host}:{load.port}\r\n"
        head += f"content-length: {len(load.body.encode())}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
        self.delta = load.delta.encode()
        self._parts = [head.encode() + b"\r\n" + body_parts[0], *body_parts[1:]]

    def next_request(self) -> bytes | None:
        late = time.perf_counter() - self.started > self.load.seconds
        if self.begun >= self.load.requests or late or self.result.failures:
            if self.in_flight == 0:
                self.finished.set()
            return None
        self.begun += 1
        self.in_flight += 1
        return (b"%08d" % self.begun).join(self._parts)

    def ended(self, latency: float, first: float) -> None:
        self.in_flight -= 1
        self.latencies.append(latency)
        self.firsts.append(first)

    def failed(self, why: str) -> None:
        self.result.failures.append(why[:500])
        self.finished.set()

    def summary(self) -> LoadResult:
        result = self.result
        result.requests = len(self.latencies)
        result.wall_seconds = time.perf_counter() - self.started
        result.rps = result.requests / result.wall_seconds
        result.p50, result.p99 = _percentiles(self.latencies)
        result.first_p50, result.first_p99 = _percentiles(self.firsts)
        result.cpu_seconds = time.process_time()
        return result


class Connection(asyncio.Protocol):
    """One keep-alive connection. Its `on_*` methods are httptools' callbacks."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator
        self._transport: asyncio.Transport | None = None
        self._parser: Any = None
        self._sent = 0.0
        self._first = 0.0
        self._tail = b""
        self._waiting = False
        self.has_text = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own class does not inherit from it
        self._send_next()

    def _send_next(self) -> None:
        assert self._transport is not None
        request = self._generator.next_request()
        self._waiting = request is not None
        if request is None:
            self._transport.close()
            return
        self._parser = httptools.HttpResponseParser(self)
        self._first = 0.0
        self._tail = b""
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._parser.get_status_code() != 200:
            self._generator.failed(f"status {self._parser.get_status_code()}: {data.decode(errors='replace')}")
            return
        has_text = True
        if self._generator.load.stream:
            whole, separator, self._tail = (self._tail + data).rpartition(b"\n\n")
            has_text = self._count_events(whole + separator)
        if has_text and not self._first:
            self._first = now
            self.has_text = True

    def _count_events(self, whole: bytes) -> bool:
        """Count what is in `whole`, which ends with an event's end. Says whether text is among it."""
        deltas = whole.count(self._generator.delta)
        self._generator.result.events += whole.count(b"\n\n")
        self._generator.result.deltas += deltas
        if b"event: error\n" in whole:
            self._generator.failed(whole.decode(errors="replace"))
        return deltas > 0

    def on_message_complete(self) -> None:
        now = time.perf_counter()
        if self._parser.get_status_code() != 200:
            self._generator.failed(f"status {self._parser.get_status_code()}")
        if self._generator.result.failures:
            return
        self._generator.ended(now - self._sent, (self._first or now) - self._sent)
        # The parser is still inside feed_data, so the next request begins with the loop's next turn.
        asyncio.get_running_loop().call_soon(self._send_next)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting and not self._generator.finished.is_set():
            self._generator.failed(f"connection lost: {exc!r}")


async def generate(load: Load) -> LoadResult:
    generator = Generator(load)
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: generator.failed(repr(context)))
    connections: list[Connection] = []
    for _ in range(load.connections):
        _, connection = await loop.create_connection(lambda: Connection(generator), load.host, load.port)
        connections.append(connection)
    if load.hold:
        await _hold(generator, connections)
        return generator.summary()
    try:
        await asyncio.wait_for(generator.finished.wait(), load.seconds + GRACE)
    except TimeoutError:
        generator.failed(f"{generator.in_flight} requests did not end within {load.seconds + GRACE:.0f} s")
    return generator.summary()


async def _hold(generator: Generator, connections: Sequence[Connection]) -> None:
    deadline = time.perf_counter() + generator.load.seconds
    while not all(connection.has_text for connection in connections):
        if time.perf_counter() > deadline or generator.result.failures:
            generator.failed("not all streams began in time")
            return
        await asyncio.sleep(0.05)
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def _percentiles(seconds: list[float]) -> tuple[float, float]:
    if len(seconds) < 2:
        return (seconds[0] * 1000, seconds[0] * 1000) if seconds else (0.0, 0.0)
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    print(json.dumps(asdict(uvloop.run(generate(load)))))


if __name__ == "__main__":
    main()
