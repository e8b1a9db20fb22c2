"""Plays dialogues by choosing tools and building inputs, and prints how many turns are right. A script, not a test.

Run from the root: python tests/engines/simulator/choosing/measure.py [files …] [-v]
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from written import dialogues_in

from understudy.engines.simulator.choosing import Choice, Situation, choose
from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool, client_tools

_ROOT = Path(__file__).resolve().parents[4]
_GIVEN = _ROOT / "tests" / "simulator" / "dialogues" / "given"
_MOST_ROUNDS = 25


def _inputs(choice: Choice, situation: Situation) -> dict[str, Any]:
    results = [result for _, _, result, _ in reversed(situation.calls)]
    context = [situation.asked, *results, *(text for _, text in reversed(situation.earlier)), situation.system]
    return build_input(choice.tool, choice.ask, context, lambda: Seeded(b"measure"))


def _matches(wanted: Any, made: Any) -> bool:
    if isinstance(wanted, dict):
        if set(wanted) == {"contains"}:
            return isinstance(made, str) and wanted["contains"].lower() in made.lower()
        return isinstance(made, dict) and all(
            name in made and _matches(value, made[name]) for name, value in wanted.items()
        )
    if isinstance(wanted, str):
        return isinstance(made, str) and _plain(wanted) == _plain(made)
    if isinstance(wanted, list):
        return (
            isinstance(made, list)
            and len(wanted) == len(made)
            and all(any(_matches(one, other) for other in made) for one in wanted)
        )
    return (type(wanted) is type(made) and wanted == made) or (
        not isinstance(wanted, bool) and isinstance(made, int | float) and wanted == made
    )


def _plain(text: str) -> str:
    return text.strip(" \"'“”\n").removesuffix(".").lower()


def _inputs_right(expected: list[dict[str, Any]], calls: list[tuple[str, Any, str]]) -> bool:
    left = list(calls)
    for call in expected:
        found = next((made for made in left if made[0] == call["name"] and _matches(call["input"], made[1])), None)
        if found is None:
            return False
        left.remove(found)
    return True


def play(
    tools: list[ClientTool], situation: Situation, results: dict[str, Any]
) -> tuple[list[tuple[str, Any, str]], float]:
    """The calls of one turn, and the seconds the choices took."""
    calls: list[tuple[str, Any, str]] = []
    used: Counter[str] = Counter()
    spent = 0.0
    for _ in range(_MOST_ROUNDS):
        begin = time.perf_counter()
        choices = choose(tools, situation)
        spent = max(spent, time.perf_counter() - begin)
        added = False
        for choice in choices:
            made = _inputs(choice, situation)
            name = choice.tool.name
            if any(call[0] == name and call[1] == made for call in calls):
                continue
            result = results.get(name, "ok")
            if isinstance(result, list):
                result = result[min(used[name], len(result) - 1)] if result else "ok"
            used[name] += 1
            calls.append((name, made, choice.ask))
            situation.calls.append((name, made, str(result), False))
            added = True
        if not added:
            return calls, spent
    raise AssertionError("the turn does not end")


def _line(kind: str, right: int, filled: int, whole: int) -> str:
    shares = f"{100 * right / whole:5.1f} %   with inputs {100 * filled / whole:5.1f} %"
    return f"{kind:10} {right:4}/{whole:4} {shares}"


def main() -> None:
    arguments = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    verbose = "-v" in sys.argv
    paths = [Path(argument) for argument in arguments] or sorted(_GIVEN.glob("*.json"))
    right: Counter[str] = Counter()
    filled: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    none = false = 0
    slowest = 0.0
    for path in paths:
        for dialogue in dialogues_in(path):
            tools = client_tools(dialogue["tools"])
            earlier: list[tuple[str, str]] = []
            made: list[tuple[str, dict[str, Any], str]] = []
            for number, turn in enumerate(dialogue["turns"]):
                situation = Situation(turn["user"], list(earlier), [], dialogue.get("system", ""), made=list(made))
                calls, spent = play(tools, situation, turn.get("results") or {})
                slowest = max(slowest, spent)
                earlier += [
                    ("user", turn["user"]),
                    ("assistant", " ".join(call[2] for call in situation.calls) or "Sure."),
                ]
                made += [(name, given, result) for name, given, result, _ in situation.calls]
                expected = Counter(call["name"] for call in turn["expect"])
                names = Counter(call[0] for call in calls)
                good = expected == names
                kind = dialogue["kind"]
                whole[kind] += 1
                right[kind] += good
                fits = good and _inputs_right(turn["expect"], calls)
                filled[kind] += fits
                if not expected:
                    none += 1
                    false += bool(names)
                if good and not fits and ("-i" in sys.argv or verbose):
                    print(f"INPUT {dialogue['id']}.{number}: {turn['user'][:200]!r}")
                    print(f"      want {turn['expect']}")
                    print(f"      got  {calls}")
                if not good or verbose:
                    print(f"{'ok ' if good else 'BAD'} {dialogue['id']}.{number} {kind}: {turn['user'][:200]!r}")
                    print(f"      want {dict(expected)}  got {[(call[0], call[2]) for call in calls]}")
    for kind in sorted(whole):
        print(_line(kind, right[kind], filled[kind], whole[kind]))
    print(_line("all", sum(right.values()), sum(filled.values()), sum(whole.values())))
    print(f"false calls in {false} of {none} turns where none fits; slowest choice {1000 * slowest:.2f} ms")


if __name__ == "__main__":
    main()
