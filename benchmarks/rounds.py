"""One round of load against one server, repeated when others kept the machine too busy."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .load import COUNTER_PLACE, GRACE, Load, LoadResult
from .measure import MachineClock, cpu_seconds
from .servers import BenchmarkError, Server, load_cores, pinned

FOREIGN_LIMIT = 0.25
"""Share of the machine that others may use during a round; above it the round is repeated."""

ATTEMPTS = 4
"""Rounds that are tried where nobody is in haste."""

PAUSE = 3.0
"""Seconds between two attempts, in which what the others do may end."""

_ROOT = Path(__file__).resolve().parents[1]
_PROSE = "Explain in your own words, for a reader who is new to the subject, how a request travels through a server. "


_series = itertools.count(1)
"""Numbers the loads of a run: with it no request of a run equals another."""


@dataclass(frozen=True)
class Shape:
    """A kind of load. `requests` is a round's number of requests; no new ones begin after `seconds`.

    `words` is 0 for whole answers, else the length of the streams that are asked for. With `agent`, the request is one
    of an agent in the middle of its work: the same tools, system prompt and history of 120 KB before a new last turn;
    with `breakpoints` it marks three places for the prompt cache, with `cold` every text in it is new each time.
    """

    name: str
    connections: int
    requests: int
    words: int = 0
    agent: bool = False
    breakpoints: bool = False
    cold: bool = False
    seconds: float = 20.0


@dataclass(frozen=True)
class Round:
    server: str
    load: LoadResult
    cpu_seconds: float
    foreign: float

    @property
    def cpu_us_per_request(self) -> float:
        return self.cpu_seconds * 1e6 / self.load.requests

    @property
    def cpu_us_per_event(self) -> float:
        return self.cpu_seconds * 1e6 / self.load.events


def body(words: int, *, agent: bool = False, breakpoints: bool = False, cold: bool = False) -> str:
    """A request of about one kilobyte: for a stream of so many words, or with 0 for a whole answer of a few.

    It differs from all others by its numbers only.
    """
    number = f"q{next(_series):04}n{COUNTER_PLACE.decode()}"
    ending = f"Write an essay of {words} words." if words else "Be brief."
    request: dict[str, Any] = {
        "model": "claude-sonnet-4-5",
        "max_tokens": 4_096 if words else 50,
        "system": "You are a patient teacher.",
        "messages": [{"role": "user", "content": f"Question {number}. {_PROSE * 7}{ending}"}],
    }
    if words:
        request["stream"] = True
    if agent:
        last = {"role": "user", "content": f"Question {number}. What did the last result say about it? Be brief."}
        request |= _agent(last, f"{number} {_PROSE}" if cold else _PROSE)
    if breakpoints:
        _mark(request)
    return json.dumps(request, separators=(",", ":"))


def _mark(request: dict[str, Any]) -> None:
    """Breakpoints behind the tools, the system prompt and the last message, as agents set them."""
    mark = {"cache_control": {"type": "ephemeral"}}
    request["tools"][-1] |= mark
    request["system"] = [{"type": "text", "text": request["system"], **mark}]
    last = request["messages"][-1]
    last["content"] = [{"type": "text", "text": last["content"], **mark}]


def _agent(last: dict[str, Any], prose: str) -> dict[str, Any]:
    """Tools, system and messages of about 120 KB around the last turn."""
    properties = {f"argument_{number}": {"type": "string", "description": prose} for number in range(8)}
    schema = {"type": "object", "properties": properties, "required": ["argument_0"]}
    tools = [{"name": f"tool_{number}", "description": prose * 6, "input_schema": schema} for number in range(20)]
    history: list[dict[str, Any]] = []
    for number in range(20):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "tool_1", "input": {"argument_0": prose * 2}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": f"{number}: {prose * 22}"}
        history.append({"role": "user", "content": prose})
        history.append({"role": "assistant", "content": [{"type": "text", "text": prose}, call]})
        history.append({"role": "user", "content": [result]})
        history.append({"role": "assistant", "content": prose})
    return {"system": prose * 150, "tools": tools, "messages": [*history, last]}


def make_load(server: Server, shape: Shape, *, hold: bool = False) -> Load:
    return Load(
        host=server.host,
        port=server.port,
        body=body(shape.words, agent=shape.agent, breakpoints=shape.breakpoints, cold=shape.cold),
        headers=server.headers,
        connections=shape.connections,
        requests=shape.requests,
        seconds=shape.seconds,
        stream=shape.words > 0,
        hold=hold,
    )


def start_generator() -> subprocess.Popen[str]:
    with pinned(load_cores()):
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )


def run_load(load: Load) -> LoadResult:
    process = start_generator()
    try:
        printed, _ = process.communicate(json.dumps(asdict(load)) + "\n", timeout=load.seconds + GRACE + 30)
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return read_result(printed)


def read_result(printed: str) -> LoadResult:
    lines = printed.splitlines()
    if not lines:
        raise BenchmarkError("the load generator ended without a result")
    result = LoadResult(**json.loads(lines[-1]))
    if result.failures:
        raise BenchmarkError("; ".join(result.failures))
    return result


def measured_round(server: Server, shape: Shape, attempts: int) -> Round:
    """The calmest of at most so many rounds; the first that was calm enough ends the search."""
    return calmest_round(server, lambda: make_load(server, shape), attempts)


def calmest_round(server: Server, next_load: Callable[[], Load], attempts: int, helpers: Sequence[int] = ()) -> Round:
    """As `measured_round`. `helpers` are further processes whose use of the machine is not foreign."""
    best: Round | None = None
    for attempt in range(attempts):
        if attempt:
            time.sleep(PAUSE)
        done = _one_round(server, next_load(), helpers)
        if best is None or done.foreign < best.foreign:
            best = done
        if best.foreign <= FOREIGN_LIMIT:
            break
    assert best is not None
    return best


def _one_round(server: Server, load: Load, helpers: Sequence[int]) -> Round:
    clock = MachineClock.now([server.pid, *helpers])
    before = cpu_seconds(server.pid)
    result = run_load(load)
    after = settled_cpu(server)
    later = MachineClock.now([server.pid, *helpers])
    return Round(server.name, result, after - before, clock.foreign_share(later, ended_own=result.cpu_seconds))


def settled_cpu(server: Server, step: float = 0.25, limit: float = 10.0) -> float:
    """CPU time once the server rests: rows it writes behind a request's back belong to the request."""
    deadline = time.monotonic() + limit
    last = cpu_seconds(server.pid)
    while time.monotonic() < deadline:
        time.sleep(step)
        now = cpu_seconds(server.pid)
        if now - last < 0.02 * step:
            return now
        last = now
    return last


def words_for_deltas(server: Server, wanted: int = 100) -> int:
    """How many words to ask for so that a stream has about `wanted` deltas: an engine may send several words in one."""
    words = 2 * wanted
    for _ in range(4):
        sample = run_load(make_load(server, Shape("calibration", connections=1, requests=20, words=words)))
        deltas = sample.deltas / sample.requests
        if not deltas or 0.95 * wanted <= deltas <= 1.05 * wanted:
            break
        words = max(1, round(words * wanted / deltas))
    return words
