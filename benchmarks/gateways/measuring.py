"""Rounds of load in which all gateways take turns."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.measure import cpu_seconds_since_start, resident_bytes
from benchmarks.rounds import FOREIGN_LIMIT, Round, Shape, calmest_round, run_load
from benchmarks.servers import BenchmarkError, Server, stop

from .parties import CANDIDATES, Candidate, Party, Target, start_upstream

SHAPES = {
    "small": Shape("small request, 64 connections", connections=64, requests=50_000, seconds=2.0),
    "agent": Shape("120 KB agent request, 16 connections", connections=16, requests=50_000, agent=True, seconds=2.0),
    "stream": Shape("stream, 16 connections", connections=16, requests=50_000, words=100, seconds=2.0),
    "one": Shape("small request, 1 connection", connections=1, requests=50_000, seconds=1.0),
    "one stream": Shape("stream, 1 connection", connections=1, requests=50_000, words=100, seconds=1.0),
}
# Shapes whose figure is a time; the upstream alone is measured in them too.
TIMED = frozenset({"one", "one stream"})
DIRECT = "upstream alone"


@dataclass
class Measured:
    """What is known of one party. `failed` says, for the shapes in which it gave no answer, what it gave instead."""

    name: str
    target: Target
    absent: str | None = None
    rounds: dict[str, list[Round]] = field(default_factory=dict[str, list[Round]])
    failed: dict[str, str] = field(default_factory=dict[str, str])
    start_cpu: float | None = None
    memory: float | None = None

    def median(self, shape: str, value: Callable[[Round], float]) -> float | None:
        rounds = self.rounds.get(shape)
        return statistics.median(value(one) for one in rounds) if rounds and shape not in self.failed else None


@dataclass(frozen=True)
class GatewayRun:
    repeats: int
    measured: list[Measured]

    def of(self, name: str, target: Target) -> Measured:
        return next(one for one in self.measured if (one.name, one.target) == (name, target))

    def worst_foreign(self) -> float:
        return max(one.foreign for party in self.measured for group in party.rounds.values() for one in group)


def measure_gateways(scratch: Path, *, quick: bool, attempts: int) -> GatewayRun:
    """Start everybody that can be had, and measure them in turns. One that cannot is told of, and left out."""
    repeats, attempts = (1, 1) if quick else (3, attempts)
    upstream = start_upstream(scratch)
    parties: list[tuple[Party, Measured]] = []
    measured = [Measured(one.name, one.target) for one in CANDIDATES]
    direct = Measured(DIRECT, "Claude")
    try:
        for candidate, known in zip(CANDIDATES, measured, strict=True):
            party = _started(candidate, known, scratch, upstream)
            if party is not None:
                parties.append((party, known))
        alone = Party(DIRECT, "Claude", upstream)
        for shape_name, shape in SHAPES.items():
            print(shape.name, flush=True)
            turns = [*([(alone, direct)] if shape_name in TIMED else []), *parties]
            _take_turns(turns, shape_name, shape, repeats, attempts, upstream)
        for party, known in parties:
            known.memory = float(resident_bytes(party.server.pid))
    finally:
        for party, _ in parties:
            stop(party.server)
        stop(upstream)
    return GatewayRun(repeats, [direct, *measured])


def _started(candidate: Candidate, known: Measured, scratch: Path, upstream: Server) -> Party | None:
    directory = scratch / f"{candidate.name}-{candidate.target}".replace(" ", "-").lower()
    directory.mkdir()
    print(f"starting {candidate.name} ({candidate.target})", flush=True)
    try:
        party = candidate.start(directory, upstream.port)
    except (BenchmarkError, OSError) as error:
        known.absent = str(error)
        print(f"  ABSENT: {error}", flush=True)
        return None
    try:
        run_load(party.load(Shape("first", connections=1, requests=1)))
    except BenchmarkError as error:
        known.absent = f"it answers nothing: {error}"
        print(f"  ABSENT: {known.absent}", flush=True)
        stop(party.server)
        return None
    known.start_cpu = cpu_seconds_since_start(party.server.pid)
    return party


def _take_turns(
    turns: Sequence[tuple[Party, Measured]], name: str, shape: Shape, repeats: int, attempts: int, upstream: Server
) -> None:
    warm_up = Shape("warm-up", shape.connections, shape.connections * 2, shape.words, shape.agent)
    for party, known in turns:
        try:
            run_load(party.load(warm_up))
        except BenchmarkError as error:
            known.failed[name] = str(error)
            print(f"  {party.name} ({party.target}) FAILED: {str(error)[:200]}", flush=True)
    for _ in range(repeats):
        for party, known in turns:
            if name in known.failed:
                continue
            helpers = [] if party.server is upstream else [upstream.pid]
            try:
                one = calmest_round(party.server, lambda party=party: party.load(shape), attempts, helpers)
            except BenchmarkError as error:
                known.failed[name] = str(error)
                print(f"  {party.name} ({party.target}) FAILED: {str(error)[:200]}", flush=True)
                continue
            known.rounds.setdefault(name, []).append(one)
            print(_describe(party, one, shape), flush=True)


def _describe(party: Party, one: Round, shape: Shape) -> str:
    cpu = f"{one.cpu_us_per_event:8.2f} µs/event" if shape.words else f"{one.cpu_us_per_request:8.0f} µs/request"
    times = f"p50 {one.load.p50:7.3f} ms, first {one.load.first_p50:7.3f} ms"
    busy = " (too busy for a fair figure)" if one.foreign > FOREIGN_LIMIT else ""
    return (
        f"  {party.name:<18} {party.target:<6} {cpu}, {times}, {one.load.rps:7.0f}/s, others {one.foreign:4.0%}{busy}"
    )
