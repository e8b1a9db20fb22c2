"""Understudy with the simulator, beside a raw ASGI echo and next to aimock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from .lifecycle import measure_open_streams, measure_start
from .peers import start_aimock
from .report import Row, lifecycle_rows, load_rows, peer_rows
from .rounds import FOREIGN_LIMIT, Round, Shape, measured_round, words_for_deltas
from .servers import Server, start_echo, start_understudy, stop

SHAPES = {
    "small64": Shape("small request, 64 connections", connections=64, requests=20_000),
    "small1": Shape("small request, 1 connection", connections=1, requests=4_000),
    "agent16": Shape("120 KB agent request, 16 connections", connections=16, requests=2_000, agent=True),
    "cached16": Shape(
        "120 KB agent request with 3 cache breakpoints", connections=16, requests=1_000, agent=True, breakpoints=True
    ),
    "cold16": Shape("120 KB agent request, all of it new", connections=16, requests=300, agent=True, cold=True),
    "sse16": Shape("stream, 16 connections", connections=16, requests=1_000, words=200),
    "sse1": Shape("stream, 1 connection", connections=1, requests=300, words=200),
}

_USUAL = ("echo", "understudy")
# Who takes turns in a shape, where it is not the usual two.
SERVERS = {
    "small64": ("echo", "understudy", "quiet", "aimock"),
    "sse16": ("echo", "understudy", "aimock"),
    "cached16": ("understudy",),
    "cold16": ("understudy",),
}
_NO_REQUEST_LOG = {"UNDERSTUDY_USAGE_REQUEST_LOG": "false", "UNDERSTUDY_LOGGING_REQUESTS": "false"}


@dataclass(frozen=True)
class SimulatorRun:
    """The tables' rows. `worst_foreign`: the share of the machine others had in the busiest round that counts."""

    rows: list[Row]
    peers: list[Row]
    worst_foreign: float
    repeats: int


def measure_simulator(scratch: Path, *, quick: bool, attempts: int) -> SimulatorRun:
    """Raises BenchmarkError for whoever cannot be measured."""
    repeats, scale = (2, 0.2) if quick else (5, 1.0)
    servers: dict[str, Server] = {}
    try:
        servers["echo"] = start_echo(scratch)
        servers["understudy"] = start_understudy(scratch, scratch / "data")
        servers["aimock"] = start_aimock(scratch)
        quiet = start_understudy(scratch / "quiet", scratch / "quiet-data", _NO_REQUEST_LOG)
        servers["quiet"] = replace(quiet, name="quiet")
        rounds = {
            name: _take_turns([servers[one] for one in SERVERS.get(name, _USUAL)], shape, repeats, scale, attempts)
            for name, shape in SHAPES.items()
        }
    finally:
        for server in servers.values():
            stop(server)
    print("start and memory …", flush=True)
    start = measure_start(scratch, repeats)
    bytes_per_stream = measure_open_streams(scratch)
    rows = load_rows(rounds) + lifecycle_rows(start, bytes_per_stream)
    worst_foreign = max(one.foreign for group in rounds.values() for one in group)
    return SimulatorRun(rows, peer_rows(rounds), worst_foreign, repeats)


def _take_turns(servers: list[Server], shape: Shape, repeats: int, scale: float, attempts: int) -> list[Round]:
    print(shape.name, flush=True)
    understudy = next(server for server in servers if server.name == "understudy")
    words = words_for_deltas(understudy) if shape.words else 0
    sized = replace(shape, requests=max(50, int(shape.requests * scale)), words=words)
    warm_up = replace(sized, requests=max(50, sized.requests // 10))
    for server in servers:
        measured_round(server, warm_up, attempts)
    rounds: list[Round] = []
    for _ in range(repeats):
        for server in servers:
            one = measured_round(server, sized, attempts)
            rounds.append(one)
            print(_describe(one, shape), flush=True)
    return rounds


def _describe(one: Round, shape: Shape) -> str:
    if shape.words:
        cpu = f"{one.cpu_us_per_event:7.2f} µs/event"
    else:
        cpu = f"{one.cpu_us_per_request:7.1f} µs/request"
    busy = " (too busy for a fair figure)" if one.foreign > FOREIGN_LIMIT else ""
    return f"  {one.server:<10} {cpu}, {one.load.rps:8.0f} requests/s, others used {one.foreign:4.0%}{busy}"
