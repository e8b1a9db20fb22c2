"""The section of RESULTS.md about models that run on this machine."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Literal

from understudy import __version__

from .measuring import PREFIX, Cost, LlamaRun
from .servers import SLOTS


@dataclass(frozen=True)
class Figure:
    """The values of all rounds; their median is judged."""

    what: str
    unit: str
    values: list[float]
    side: Literal["≤", "≥", ""] = ""
    goal: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        if self.goal is None:
            return ""
        met = self.median <= self.goal if self.side == "≤" else self.median >= self.goal
        return "met" if met else "MISSED"

    def line(self) -> str:
        spread = f"{_shown(min(self.values))} to {_shown(max(self.values))}" if len(self.values) > 1 else ""
        goal = "" if self.goal is None else f"{self.side} {_shown(self.goal)}"
        return (
            f"| {self.what} | {self.unit} | {_shown(self.median)} | {spread} | {len(self.values)} | {goal} "
            f"| {self.verdict} |"
        )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _each(costs: Sequence[Cost], scale: float) -> list[float]:
    return [cost.each * scale for cost in costs]


def figures(run: LlamaRun) -> list[Figure]:
    found: list[Figure] = []
    for at_once, pairs in run.pairs.items():
        what = f"{at_once} at once"
        found.append(Figure(f"{what}: worker alone", "tokens/s", [pair.straight for pair in pairs]))
        found.append(Figure(f"{what}: through Understudy", "tokens/s", [pair.ours for pair in pairs]))
        found.append(Figure(f"{what}: share, by pairs", "ratio", [pair.ratio for pair in pairs], "≥", 0.93))
    found.append(Figure("new prompt: first token", "s", [one.first for one in run.prefixes]))
    found.append(Figure("the same prefix again: first token", "s", [one.second for one in run.prefixes]))
    found.append(Figure("the same prefix again", "times faster", [one.faster for one in run.prefixes], "≥", 20))
    for at_once, costs in run.events.items():
        found.append(Figure(f"our CPU for a token, {at_once} at once", "µs", _each(costs, 1e6), "≤", 100))
    found.append(Figure("our CPU for a small request", "ms", _each(run.requests, 1e3), "≤", 3))
    long = f"our CPU for a request of {run.long_tokens:,} tokens"
    found.append(Figure(f"{long}, known but for its end", "ms", _each(run.long_warm, 1e3), "≤", 3))
    found.append(Figure(f"{long}, new", "ms", _each(run.long_cold, 1e3)))
    found.append(Figure("our CPU in a second without a request", "ms", [run.idle * 1e3]))
    return found


def section(run: LlamaRun) -> str:
    lengths = ", ".join(f"{tokens} tokens each at {at_once}" for at_once, tokens in run.tokens.items())
    foreign = run.foreign
    busy = f"{statistics.median(foreign):.0%} (median; {min(foreign):.0%} to {max(foreign):.0%})"
    rows = "\n".join(figure.line() for figure in figures(run))
    return f"""## With a model on this machine

* `understudy serve --model`, Understudy {__version__}, xllamacpp {version("xllamacpp")}: {SLOTS} slots and
  one thread for the engine, everything else on and by default. The value is the median of the rounds. Others used
  {busy} of the machine meanwhile.
* Tokens per second: a model of {run.model_bytes / 1e6:.0f} MB (Q8_0, random weights). A pair is the same work done
  through the Messages API, streamed over TCP, and by Understudy's own worker asked at its Unix socket
  (`/completion`, the rendered prompt): new prompts of the same number of tokens,
  {lengths} at once. From the first byte sent to the last that came; who goes first alternates.
* The prefix is a system prompt of about {PREFIX:,} tokens; the second request has another question behind it.
* CPU is that of Understudy's process without its worker, on a model of a few MB that writes some thousand tokens per
  second. What the process uses at rest is not in it; all that a request has to pay for else is, down to its usage row.
  A request is whole, over a connection that stays, for one token. A new prompt of that length is read in about a
  hundred batches, each with a sign of progress, by which a client that went away is noticed.

| what | unit | value | spread | rounds | goal | |
|---|---|---:|---:|---:|---:|---|
{rows}
"""
