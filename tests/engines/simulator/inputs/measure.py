"""Builds the inputs of the expected calls of dialogues and prints what is right. A script, not a test.

The tools are given, so that only the inputs are measured; an ask is the one that `choose` gives where it chose that
tool, else the whole text. Run from the root: python tests/engines/simulator/inputs/measure.py [files …] [-w]
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from understudy.engines.simulator.choosing import Situation, choose
from understudy.engines.simulator.inputs import build_input
from understudy.engines.simulator.seeded import Seeded
from understudy.wire.client_tools import ClientTool, client_tools

_DIALOGUES = Path(__file__).resolve().parents[3] / "simulator" / "dialogues"
_NOTHING = object()


def matches(wanted: Any, made: Any) -> bool:
    if isinstance(wanted, dict):
        if set(wanted) == {"contains"}:
            return isinstance(made, str) and wanted["contains"].lower() in made.lower()
        return isinstance(made, dict) and all(name in made and matches(wanted[name], made[name]) for name in wanted)
    if isinstance(wanted, str):
        return isinstance(made, str) and _plain(wanted) == _plain(made)
    if isinstance(wanted, list):
        same = isinstance(made, list) and len(wanted) == len(made)
        return same and all(any(matches(one, other) for other in made) for one in wanted)
    return isinstance(wanted, bool) == isinstance(made, bool) and wanted == made


def _plain(text: str) -> str:
    return text.strip(" \"'“”\n").removesuffix(".").lower()


class Measure:
    """Counts of right and wrong, by parameter and by call, and the slowest input."""

    def __init__(self, *, wrong: bool) -> None:
        self.wrong = wrong
        self.parameters: Counter[bool] = Counter()
        self.calls: Counter[tuple[str, bool]] = Counter()
        self.slowest = self.spent = 0.0

    def dialogue(self, dialogue: dict[str, Any]) -> None:
        tools = client_tools(dialogue["tools"])
        earlier: list[tuple[str, str]] = []
        for number, turn in enumerate(dialogue["turns"]):
            situation = Situation(turn["user"], list(earlier), [], dialogue.get("system") or "")
            self.turn(f"{dialogue['id']}.{number}", dialogue["kind"], tools, situation, turn)
            said = " ".join(call[2] for call in situation.calls) or "Sure."
            earlier += [("user", turn["user"]), ("assistant", said)]

    def turn(self, name: str, kind: str, tools: list[ClientTool], situation: Situation, turn: dict[str, Any]) -> None:
        left: list[dict[str, Any]] = list(turn["expect"])
        used: Counter[str] = Counter()
        asks: dict[str, list[str]] = {}
        while left:
            if kind != "chain":
                asks = {}
            for choice in choose(tools, situation):
                asks.setdefault(choice.tool.name, []).append(choice.ask)
            # The steps of a chain are one after the other, whatever is chosen.
            ready = left[:1] if kind == "chain" else [call for call in left if call["name"] in asks] or left[:1]
            made: dict[str, list[tuple[str, dict[str, Any]]]] = {}
            for call in ready:
                tool = next(tool for tool in tools if tool.name == call["name"])
                if tool.name not in made:
                    made[tool.name] = [
                        (ask, self.built(tool, ask, situation)) for ask in asks.get(tool.name, [situation.asked])
                    ]
            for call in ready:
                options = made[call["name"]]
                best = max(options, key=lambda one: _right(call["input"], one[1]), default=(situation.asked, {}))
                if len(options) > 1:
                    options.remove(best)
                self.judge(f"{name} {kind}", call, best, situation)
                left.remove(call)
            for call in ready:
                result = (turn.get("results") or {}).get(call["name"], "ok")
                if isinstance(result, list):
                    result = result[min(used[call["name"]], len(result) - 1)] if result else "ok"
                used[call["name"]] += 1
                situation.calls.append((call["name"], call["input"], str(result), False))

    def built(self, tool: ClientTool, ask: str, situation: Situation) -> dict[str, Any]:
        results = [result for _, _, result, _ in reversed(situation.calls)]
        context = [situation.asked, *results, *(text for _, text in reversed(situation.earlier)), situation.system]
        begin = time.perf_counter()
        made = build_input(tool, ask, context, lambda: Seeded(b"measure"))
        spent = time.perf_counter() - begin
        self.slowest = max(self.slowest, spent)
        self.spent += spent
        return made

    def judge(self, name: str, call: dict[str, Any], built: tuple[str, dict[str, Any]], situation: Situation) -> None:
        ask, made = built
        wrong: list[tuple[str, Any, Any]] = []
        for key, value in call["input"].items():
            right = matches(value, made.get(key, _NOTHING))
            self.parameters[right] += 1
            if not right:
                wrong.append((key, value, made.get(key, "—")))
        self.calls[name.rsplit(" ", 1)[1], not wrong] += 1
        if wrong and self.wrong:
            print(
                f"{name} {call['name']}: {ask[:300]!r}" + (f" OF {situation.asked!r}" if ask != situation.asked else "")
            )
            if situation.calls:
                print(f"    after {[(n, r[:300]) for n, _, r, _ in situation.calls]}")
            elif situation.earlier:
                print(f"    earlier {[text[:200] for _, text in situation.earlier[-4:]]}")
            for row in wrong:
                print(f"    {row[0]}: want {row[1]!r} got {row[2]!r}")
            print(f"    all {made}")


def _right(wanted: dict[str, Any], made: dict[str, Any]) -> int:
    return sum(matches(value, made.get(key, _NOTHING)) for key, value in wanted.items())


def _share(right: int, wrong: int) -> str:
    return f"{right}/{right + wrong} {100 * right / max(1, right + wrong):.1f} %"


def main() -> None:
    arguments = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    measure = Measure(wrong="-w" in sys.argv)
    for place in arguments or [_DIALOGUES / "given"]:
        for path in sorted(place.glob("*.json")) if place.is_dir() else [place]:
            for dialogue in json.loads(path.read_text("utf-8")):
                measure.dialogue(dialogue)
    kinds = sorted({kind for kind, _ in measure.calls})
    print("parameters", _share(measure.parameters[True], measure.parameters[False]))
    right = sum(count for (_, good), count in measure.calls.items() if good)
    wrong = sum(count for (_, good), count in measure.calls.items() if not good)
    print("calls", _share(right, wrong))
    for kind in kinds:
        print(" ", kind, _share(measure.calls[kind, True], measure.calls[kind, False]))
    print(f"mean {1000 * measure.spent / max(1, right + wrong):.2f} ms, slowest {1000 * measure.slowest:.2f} ms")


if __name__ == "__main__":
    main()
