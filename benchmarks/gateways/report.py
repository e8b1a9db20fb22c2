"""The gateways' section of RESULTS.md."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.node_packages import node_version
from benchmarks.rounds import Round
from benchmarks.servers import BenchmarkError

from .measuring import DIRECT, SHAPES, GatewayRun, Measured
from .parties import Target

_PINS = Path(__file__).with_name("pins")


@dataclass(frozen=True)
class Goal:
    what: str
    unit: str
    value: float | None
    most: float

    @property
    def verdict(self) -> str:
        if self.value is None:
            return "no figure"
        return "met" if self.value <= self.most else "MISSED"


def _per_request(one: Round) -> float:
    return one.cpu_us_per_request


def _per_event(one: Round) -> float:
    return one.cpu_us_per_event


def _added(run: GatewayRun, party: Measured, shape: str, value: Callable[[Round], float]) -> float | None:
    own, alone = party.median(shape, value), run.of(DIRECT, "Claude").median(shape, value)
    return None if own is None or alone is None else own - alone


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def goals(run: GatewayRun) -> list[Goal]:
    """What a gateway of ours may cost, by target; peers are compared where they have the same target."""
    found: list[Goal] = []
    floor = run.of("byte proxy", "Claude")
    router = run.of("claude-code-router", "OpenAI")
    targets: tuple[Target, ...] = ("Claude", "OpenAI")
    for target in targets:
        own, lite, portkey = (run.of(name, target) for name in ("Understudy", "LiteLLM", "Portkey"))
        for shape, what, most_lite, most_portkey, most_floor in (
            ("small", "small request: CPU", 50, 5, 4.0),
            ("agent", "120 KB: CPU", 30, 4, 3.0),
        ):
            cpu = own.median(shape, _per_request)
            of_lite = _ratio(cpu, lite.median(shape, _per_request))
            of_portkey = _ratio(cpu, portkey.median(shape, _per_request))
            found.append(Goal(f"{what}, {target} target", "of LiteLLM's", of_lite, 1 / most_lite))
            found.append(Goal(f"{what}, {target} target", "of Portkey's", of_portkey, 1 / most_portkey))
            of_floor = _ratio(cpu, floor.median(shape, _per_request))
            found.append(Goal(f"{what}, {target} target", "× the byte proxy's", of_floor, most_floor))
        event = own.median("stream", _per_event)
        of_lite = _ratio(event, lite.median("stream", _per_event))
        found.append(Goal(f"stream event: CPU, {target} target", "of LiteLLM's", of_lite, 1 / 20))
        of_router = _ratio(event, router.median("stream", _per_event))
        found.append(Goal(f"stream event: CPU, {target} target", "of claude-code-router's", of_router, 1 / 4))
        added = _added(run, own, "one", lambda r: r.load.p50)
        found.append(Goal(f"added p50, {target} target", "ms", added, 0.7))
        added = _added(run, own, "one stream", lambda r: r.load.first_p50)
        found.append(Goal(f"added time to first token, {target} target", "ms", added, 2.0))
        memory = None if own.memory is None else own.memory / 1e6
        found.append(Goal(f"memory after load, {target} target", "MB", memory, 160))
    return found


def goals_table(run: GatewayRun) -> str:
    lines = ["| what | unit | Understudy | goal | |", "|---|---|---:|---:|---|"]
    for goal in goals(run):
        lines.append(f"| {goal.what} | {goal.unit} | {_figure(goal.value)} | ≤ {goal.most:.3g} | {goal.verdict} |")
    return "\n".join(lines)


def figures_table(run: GatewayRun) -> str:
    head = (
        "| gateway | target | small: µs | 120 KB: µs | stream: µs/event | added p50: ms | added first token: ms "
        "| memory: MB | start: s |"
    )
    lines = [head, "|---|---|---:|---:|---:|---:|---:|---:|---:|"]
    for party in run.measured:
        if party.name == DIRECT:
            continue
        if party.absent is not None:
            lines.append(f"| {party.name} | {party.target} | ABSENT | | | | | | |")
            continue
        cells = [
            party.median("small", _per_request),
            party.median("agent", _per_request),
            party.median("stream", _per_event),
            _added(run, party, "one", lambda r: r.load.p50),
            _added(run, party, "one stream", lambda r: r.load.first_p50),
            None if party.memory is None else party.memory / 1e6,
            party.start_cpu,
        ]
        target = "either" if party.name == "byte proxy" else party.target
        shown = " | ".join(
            "FAILED" if shape in party.failed else _figure(cell)
            for shape, cell in zip([*SHAPES, "memory", "start"], cells, strict=True)
        )
        lines.append(f"| {party.name} | {target} | {shown} |")
    return "\n".join(lines)


def _figure(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def complaints(run: GatewayRun) -> str:
    """Who could not be measured, and why."""
    lines: list[str] = []
    for party in run.measured:
        who = f"{party.name}, {party.target} target"
        if party.absent is not None:
            lines.append(f"* ABSENT: {who}: {_one_line(party.absent)}")
        lines += [
            f"* FAILED: {who}, {SHAPES[shape].name}: {_one_line(said)}" for shape, said in sorted(party.failed.items())
        ]
    return "\n".join(lines)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:160]


def section(run: GatewayRun) -> str:
    direct = run.of(DIRECT, "Claude")
    alone, first = direct.median("one", lambda r: r.load.p50), direct.median("one stream", lambda r: r.load.first_p50)
    return (
        f"""## As a gateway

* Medians of {run.repeats} rounds, in which all took turns. In the busiest round that counts, others used
  {run.worst_foreign():.0%} of the machine.
* One fake upstream for all: fixed answers of 50 tokens, streams of 100 deltas with a write each and no delay, in a
  process of its own on the load generator's core. Alone it answers a small request in {_figure(alone)} ms (p50), and
  its first token is there after {_figure(first)} ms; "added" is beyond that, at one connection.
* CPU is that of the gateway's processes; 64 connections for small requests (1 KB), 16 for those of 120 KB (an agent's
  tools, system prompt and history) and for streams. Memory is resident, after all rounds; start is CPU up to the first
  answer, once.
* byte proxy: a raw ASGI app of ours under uvicorn that hands bytes on and looks at nothing.
* Understudy: one worker, everything on (authentication, usage rows, request log), default settings but for its model
  map; the Claude target by `kind = "claude"`, the other by `kind = "openai"`.
* LiteLLM {_pinned_python("litellm")} (PyPI `litellm[proxy]`): one worker of uvicorn, a master key, no database, no
  callbacks, no retries, no cooldowns, LITELLM_MODE=PRODUCTION, LITELLM_LOG=ERROR, local cost map; models of its
  providers anthropic and hosted_vllm, asked at /v1/messages.
* Portkey {_pinned_node("portkey", "@portkey-ai/gateway")} (npm `@portkey-ai/gateway`): headless, provider and host by
  headers; asked at /v1/messages for the Claude target, at /v1/chat/completions, in that API's own form, for the other.
  Where its streams are answered with 500, that is its issue 1550.
* claude-code-router {_pinned_node("claude-code-router", "@musistudio/claude-code-router")} (npm
  `@musistudio/claude-code-router`; 3.1.1 needs a package that the registry does not have): no log, no key, one
  provider, no transformer. It has an OpenAI-compatible target only.
* Programs of npm ran on Node.js {_node_version()}.

{figures_table(run)}

{goals_table(run)}

{complaints(run)}
""".rstrip()
        + "\n"
    )


def _pinned_python(name: str) -> str:
    pins = (_PINS / name / "requirements.txt").read_text(encoding="utf-8")
    found = re.search(rf"^{name}==(\S+)", pins, re.MULTILINE)
    return found.group(1) if found else "?"


def _pinned_node(folder: str, package: str) -> str:
    return json.loads((_PINS / folder / "package.json").read_bytes())["dependencies"][package]


def _node_version() -> str:
    try:
        return node_version()
    except BenchmarkError:
        return "(absent)"
