"""The table of a run, for the terminal and for RESULTS.md."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .lifecycle import Start
from .measure import cpu_model
from .rounds import Round


@dataclass(frozen=True)
class Row:
    """A line of the table. `judged` is the figure that the goal is about: a ratio, or Understudy's own value."""

    what: str
    unit: str
    echo: float | None
    understudy: float
    ratio: float | None = None
    goal: float | None = None
    judged: float | None = None

    @property
    def verdict(self) -> str:
        if self.goal is None or self.judged is None:
            return ""
        return "met" if self.judged <= self.goal else "MISSED"


def median_of(rounds: Sequence[Round], server: str, value: Callable[[Round], float]) -> float:
    return statistics.median(value(one) for one in rounds if one.server == server)


def compared(
    what: str, unit: str, rounds: Sequence[Round], value: Callable[[Round], float], goal: float | None = None
) -> Row:
    """A row of medians over the rounds, with the ratio of Understudy to the echo."""
    echo = median_of(rounds, "echo", value)
    understudy = median_of(rounds, "understudy", value)
    ratio = understudy / echo if echo else None
    return Row(what, unit, echo, understudy, ratio, goal, ratio)


def alone(
    what: str, unit: str, rounds: Sequence[Round], value: Callable[[Round], float], goal: float | None = None
) -> Row:
    """A row of Understudy's own figure."""
    own = median_of(rounds, "understudy", value)
    return Row(what, unit, None, own, None, goal, own)


def beside(
    what: str, unit: str, rounds: Sequence[Round], value: Callable[[Round], float], least: float, server: str
) -> Row:
    """A row about aimock: how many times dearer it is than Understudy, which is to be at least `least`."""
    own, peer = median_of(rounds, server, value), median_of(rounds, "aimock", value)
    return Row(what, unit, peer, own, own / peer, 1 / least, own / peer)


def load_rows(rounds: Mapping[str, Sequence[Round]]) -> list[Row]:
    small64, small1, agent16 = rounds["small64"], rounds["small1"], rounds["agent16"]
    sse16, sse1 = rounds["sse16"], rounds["sse1"]
    return [
        compared("small request, 64 connections: CPU", "µs/request", small64, lambda r: r.cpu_us_per_request, 2.5),
        compared("small request, 1 connection: CPU", "µs/request", small1, lambda r: r.cpu_us_per_request, 2.5),
        compared("120 KB agent request: CPU", "µs/request", agent16, lambda r: r.cpu_us_per_request, 3.0),
        alone(
            "120 KB, 3 cache breakpoints: CPU", "µs/request", rounds["cached16"], lambda r: r.cpu_us_per_request, 3_000
        ),
        alone("120 KB, all of it new: CPU", "µs/request", rounds["cold16"], lambda r: r.cpu_us_per_request),
        compared("stream, 16 connections: CPU", "µs/event", sse16, lambda r: r.cpu_us_per_event, 2.0),
        compared("stream: events in each", "events", sse16, lambda r: r.load.events / r.load.requests),
        compared("stream: text deltas in each", "deltas", sse16, lambda r: r.load.deltas / r.load.requests),
        compared("small request, 64 connections", "requests/s", small64, lambda r: r.load.rps),
        compared("small request, 64 connections: p50", "ms", small64, lambda r: r.load.p50),
        compared("small request, 64 connections: p99", "ms", small64, lambda r: r.load.p99),
        compared("small request, 1 connection: p50", "ms", small1, lambda r: r.load.p50),
        compared("small request, 1 connection: p99", "ms", small1, lambda r: r.load.p99),
        compared("stream, 16 connections", "events/s", sse16, lambda r: r.load.events / r.load.wall_seconds),
        compared("stream, 1 connection: first token p50", "ms", sse1, lambda r: r.load.first_p50),
        compared("stream, 1 connection: first token p99", "ms", sse1, lambda r: r.load.first_p99),
    ]


def peer_rows(rounds: Mapping[str, Sequence[Round]]) -> list[Row]:
    """Next to aimock; `quiet` is Understudy without its request log."""
    small64, sse16 = rounds["small64"], rounds["sse16"]
    return [
        beside("small request: CPU", "µs/request", small64, lambda r: r.cpu_us_per_request, 1.5, "understudy"),
        beside("the same, request log off", "µs/request", small64, lambda r: r.cpu_us_per_request, 2.0, "quiet"),
        beside("stream: CPU", "µs/event", sse16, lambda r: r.cpu_us_per_event, 1.0, "understudy"),
    ]


def lifecycle_rows(start: Start, bytes_per_stream: float) -> list[Row]:
    idle = start.idle_bytes / 1e6
    stream = bytes_per_stream / 1e3
    return [
        Row("start to first answer, existing data: CPU", "s", None, start.cpu_existing, None, 1.5, start.cpu_existing),
        Row("start to first answer, new data: CPU", "s", None, start.cpu_new, None, 2.5, start.cpu_new),
        Row("resident memory, idle", "MB", None, idle, None, 130, idle),
        Row("resident memory of an open stream", "KB", None, stream, None, 100, stream),
    ]


def table(rows: Sequence[Row], beside: str = "echo") -> str:
    lines = [f"| what | unit | {beside} | Understudy | ratio | goal | |", "|---|---|---:|---:|---:|---:|---|"]
    for row in rows:
        goal = "" if row.goal is None else f"≤ {_figure(row.goal)}" + ("×" if row.ratio is not None else "")
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}×"
        lines.append(
            f"| {row.what} | {row.unit} | {_figure(row.echo)} | {_figure(row.understudy)} "
            f"| {ratio} | {goal} | {row.verdict} |"
        )
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine() -> str:
    return f"{cpu_model()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def simulator_section(rows: Sequence[Row], peers: Sequence[Row], worst_foreign: float, repeats: int) -> str:
    return f"""## With the simulator

* Medians of {repeats} rounds; rounds of the two servers took turns. In the busiest round that counts, others used
  {worst_foreign:.0%} of the machine.
* echo: a raw ASGI app under uvicorn (uvloop, httptools) that reads the body and sends fixed bytes, 100 events with one
  send each for a stream. Understudy: one worker, everything on (authentication, validation, token counts, usage rows,
  request log), the simulator as engine.
* CPU is that of the server's processes, rows written after the answer included; the load comes from another process.

{table(rows)}

### Next to aimock

aimock 1.43.0 (npm `@copilotkit/aimock`) mocks the same API from fixtures: answers as long as the simulator's, chunks of
6 characters, its log silent. It looks up no key, checks no rule, and writes no row. The ratio is what Understudy costs
for each unit that aimock costs.

{table(peers, "aimock")}
"""


_TITLE = "# Results"


def page_with(page: str, part: str, section: str) -> str:
    """The page with a part's section in place of the one it has. What other parts wrote stays as it is."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    heading, _, text = section.partition("\n")
    written = f"Written by `python -m benchmarks.run {part} --write` on {today}.\n\n* Machine: {machine()}."
    begin, end = f"<!-- {part} -->", f"<!-- end of {part} -->"
    block = f"{begin}\n{heading}\n\n{written}\n{text.lstrip()}{end}"
    if begin in page:
        before, _, rest = page.partition(begin)
        return before + block + rest.partition(end)[2]
    kept = page.rstrip() if page.startswith(_TITLE) else _TITLE
    return f"{kept}\n\n{block}\n"
