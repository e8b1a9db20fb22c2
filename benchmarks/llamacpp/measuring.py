"""Pairs of the same work, done through Understudy and by its worker alone; and what Understudy's own process costs."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import COUNTER_PLACE, Load
from benchmarks.measure import MachineClock
from benchmarks.rounds import FOREIGN_LIMIT, run_load
from benchmarks.servers import BenchmarkError
from tests.gguf.models import model_file

from .asking import PATIENCE, Answers, ask
from .servers import SLOTS, Serving, serving

PAIRS = 9
PREFIXES = 3
PREFIX = 1_200
"""Tokens that a first and a second request have in common."""

LONG = 25_000
"""Tokens of a long prompt."""

# Of which a prompt of any length is made: 10 tokens or so of the models' vocabularies.
_PROSE = "A request travels through a server to its model. "


@dataclass(frozen=True)
class Pair:
    """Tokens per second through Understudy and straight from its worker, and others' share of the machine."""

    ours: float
    straight: float
    foreign: float

    @property
    def ratio(self) -> float:
        return self.ours / self.straight


@dataclass(frozen=True)
class Prefix:
    """Seconds to the first token of a request, and of the next one with the same prefix."""

    first: float
    second: float
    prompt: int
    foreign: float

    @property
    def faster(self) -> float:
        return self.first / self.second


@dataclass(frozen=True)
class Cost:
    """Seconds of CPU of Understudy's process for `count` units of work, beyond what it uses while nobody asks."""

    seconds: float
    count: int
    foreign: float

    @property
    def each(self) -> float:
        return self.seconds / self.count


@dataclass
class LlamaRun:
    """`tokens`: how many each request of a pair asks for, by how many are asked for at once. `idle`: seconds of CPU
    that Understudy's process uses in a second in which nobody asks for anything."""

    pairs: dict[int, list[Pair]] = field(default_factory=dict[int, list[Pair]])
    tokens: dict[int, int] = field(default_factory=dict[int, int])
    prefixes: list[Prefix] = field(default_factory=list[Prefix])
    events: dict[int, list[Cost]] = field(default_factory=dict[int, list[Cost]])
    requests: list[Cost] = field(default_factory=list[Cost])
    long_cold: list[Cost] = field(default_factory=list[Cost])
    long_warm: list[Cost] = field(default_factory=list[Cost])
    long_tokens: int = 0
    idle: float = 0.0
    model_bytes: int = 0

    @property
    def foreign(self) -> list[float]:
        """Others' share of the machine in each round."""
        groups = [*self.pairs.values(), self.prefixes, *self.events.values(), self.requests, self.long_warm]
        return [one.foreign for group in groups for one in group]


def measure_llamacpp(scratch: Path, *, quick: bool) -> LlamaRun:
    """Makes its models in `scratch`. Raises BenchmarkError."""
    run = LlamaRun()
    with serving(_model("tiny", scratch), scratch) as tiny:
        _costs(tiny, run, 3 if quick else 5, quick)
    model = _model("bench", scratch)
    run.model_bytes = model.stat().st_size
    with serving(model, scratch) as bench:
        for at_once, seconds in ((1, 1.5 if quick else 2.5), (SLOTS, 2.0 if quick else 3.5)):
            _rates(bench, run, at_once, 3 if quick else PAIRS, seconds)
        began = time.monotonic()
        while not run.prefixes or (len(run.prefixes) < PREFIXES and not quick and time.monotonic() - began < 60.0):
            run.prefixes.append(_prefix(bench))
            print(_describe_prefix(run.prefixes[-1]), flush=True)
    return run


def _model(preset: str, scratch: Path) -> Path:
    """Under a name of its own, which is the model's."""
    path = scratch / f"{preset}.gguf"
    shutil.move(model_file(preset, scratch / "models"), path)
    return path


# --- tokens per second ---


def _rates(bench: Serving, run: LlamaRun, at_once: int, pairs: int, seconds: float) -> None:
    """Pairs of rounds of about `seconds` of decoding each, their order turning."""
    sample, _ = _ours(bench, at_once, 8), _straight(bench, at_once, 8)
    sample = _straight(bench, at_once, 16)
    _same_prompts(_ours(bench, at_once, 8), sample)
    tokens = min(max(round(sample.rate * seconds / at_once), 16), 128)
    run.tokens[at_once] = tokens
    print(f"bench, {at_once} at once, {tokens} tokens each", flush=True)
    for number in range(pairs):
        clock = _clock(bench)
        if number % 2:
            straight, ours = _straight(bench, at_once, tokens), _ours(bench, at_once, tokens)
        else:
            ours, straight = _ours(bench, at_once, tokens), _straight(bench, at_once, tokens)
        pair = Pair(ours.rate, straight.rate, _foreign(bench, clock))
        run.pairs.setdefault(at_once, []).append(pair)
        print(
            f"  through Understudy {pair.ours:6.2f} tokens/s, its worker alone {pair.straight:6.2f}, "
            f"ratio {pair.ratio:.3f}, {_busy(pair.foreign)}",
            flush=True,
        )


def _ours(bench: Serving, at_once: int, tokens: int) -> Answers:
    return ask(bench.ours, [bench.message(tokens) for _ in range(at_once)])


def _straight(bench: Serving, at_once: int, tokens: int) -> Answers:
    return ask(bench.straight, [bench.completion(tokens) for _ in range(at_once)])


def _same_prompts(ours: Answers, straight: Answers) -> None:
    found = {one.prompt for one in ours.each}, {one.prompt for one in straight.each}
    if found[0] != found[1]:
        raise BenchmarkError(f"prompts are not equally long: {found[0]} tokens here, {found[1]} there")


# --- the second request with the same prefix ---


def _prefix(bench: Serving) -> Prefix:
    shared = f"{time.time_ns()}. " + _prose(bench, PREFIX)
    clock = _clock(bench)
    first = ask(bench.ours, [bench.message(8, system=shared)]).each[0]
    second = ask(bench.ours, [bench.message(8, system=shared)]).each[0]
    return Prefix(first.first, second.first, first.prompt, _foreign(bench, clock))


def _describe_prefix(one: Prefix) -> str:
    return (
        f"bench, a prefix of {one.prompt} tokens: first token after {one.first:.3f} s, then after {one.second:.3f} s, "
        f"{one.faster:.0f} times faster, {_busy(one.foreign)}"
    )


def _prose(server: Serving, tokens: int) -> str:
    """Text of about so many tokens of the model."""
    sample = ask(server.ours, [server.message(1, text=_PROSE * 20)]).each[0].prompt
    bare = ask(server.ours, [server.message(1)]).each[0].prompt
    return _PROSE * round(20 * tokens / (sample - bare))


# --- our own CPU ---


def _costs(tiny: Serving, run: LlamaRun, rounds: int, quick: bool) -> None:
    prose = _prose(tiny, LONG)
    tokens, requests = (500, 40) if quick else (1_000, 200)
    ask(tiny.ours, [tiny.message(64) for _ in range(SLOTS)])
    before, began = tiny.own_cpu(), time.monotonic()
    time.sleep(2.0 if quick else 5.0)
    run.idle = (tiny.own_cpu() - before) / (time.monotonic() - began)
    print(f"tiny: {run.idle * 1e3:.1f} ms of CPU in a second at rest", flush=True)
    for number in range(rounds):
        for at_once in (1, SLOTS):
            each = tokens if at_once == 1 else tokens // 4
            cost = _cost(tiny, run, lambda each=each, at_once=at_once: _ours(tiny, at_once, each).tokens)
            run.events.setdefault(at_once, []).append(cost)
        run.requests.append(_cost(tiny, run, lambda: _small(tiny, requests)))
        if number < (1 if quick else 2):
            kept = f"{time.time_ns()} {prose}"
            run.long_cold.append(_cost(tiny, run, lambda kept=kept: _long(tiny, run, kept)))
            run.long_warm.append(_cost(tiny, run, lambda kept=kept: sum(_long(tiny, run, kept) for _ in range(10))))
        print(
            f"tiny: {run.events[1][-1].each * 1e6:.0f} µs/token, {SLOTS} at once "
            f"{run.events[SLOTS][-1].each * 1e6:.0f} µs/token, {run.requests[-1].each * 1e3:.2f} ms/request, "
            f"{run.long_tokens} tokens new {run.long_cold[-1].each * 1e3:.2f} ms, "
            f"known {run.long_warm[-1].each * 1e3:.2f} ms, {_busy(run.requests[-1].foreign)}",
            flush=True,
        )


def _cost(server: Serving, run: LlamaRun, work: Callable[[], int]) -> Cost:
    clock = _clock(server)
    before, began = server.own_cpu(), time.monotonic()
    count = work()
    used = server.own_cpu() - before
    at_rest = run.idle * (time.monotonic() - began)
    return Cost(max(used - at_rest, 0.0), count, _foreign(server, clock))


def _small(tiny: Serving, requests: int) -> int:
    """Requests one after the other, over one connection, each for one token."""
    body = json.dumps(tiny.message(1, stream=False, text=f" {COUNTER_PLACE.decode()}"))
    result = run_load(Load(tiny.server.host, tiny.server.port, body, tiny.server.headers, 1, requests, PATIENCE))
    return result.requests


def _long(tiny: Serving, run: LlamaRun, system: str) -> int:
    run.long_tokens = ask(tiny.ours, [tiny.message(1, stream=False, system=system)]).each[0].prompt
    return 1


def _clock(server: Serving) -> MachineClock:
    return MachineClock.now([server.server.pid])


def _foreign(server: Serving, since: MachineClock) -> float:
    return since.foreign_share(_clock(server))


def _busy(foreign: float) -> str:
    return f"others used {foreign:4.0%}" + (" (much)" if foreign > FOREIGN_LIMIT else "")
