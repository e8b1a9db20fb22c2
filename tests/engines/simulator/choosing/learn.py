"""Learns the weights by which tools are chosen from the dialogues that may be seen. A script, not a test.

Run from the root: python tests/engines/simulator/choosing/learn.py [files …] [-s to save them]
It prints how many turns each writer's dialogues have right when the weights are learned from all the others'.
"""

from __future__ import annotations

import json
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from written import dialogues_in

from understudy.engines.simulator.choosing import weighing
from understudy.engines.simulator.choosing.clauses import clauses_of
from understudy.engines.simulator.choosing.evidence import TOOL
from understudy.engines.simulator.choosing.moods import forbids_tools, is_social
from understudy.engines.simulator.choosing.offers import offer_of
from understudy.engines.simulator.choosing.past import Made
from understudy.engines.simulator.choosing.turn_signs import TURN
from understudy.engines.simulator.choosing.weighing import Scales
from understudy.engines.simulator.choosing.whole import heard_whole, likeliest
from understudy.engines.simulator.choosing.words import STOP
from understudy.wire.client_tools import ClientTool, client_tools

_ROOT = Path(__file__).resolve().parents[4]
_SEEN = [_ROOT / "tests" / "simulator" / "dialogues" / name for name in ("given", "practised")]
_OWN = Path(__file__).parent
_ROUNDS = 400
_RATE = 0.05
_DECAY = 0.015
# What the rules and word lists were made with says too much for them.
_MADE_WITH = frozenset(("given", "a", "b", "c", "d", "choosing"))
_COUNTS = 0.3
# A word or mark of a turn counts that stands in so many turns.
_OFTEN = 12


@dataclass
class Example:
    """A turn and its tools as signs; `right` are the places of the tools it asks for, or the one after the last."""

    writer: str
    tools: np.ndarray
    turn: np.ndarray
    right: list[int]
    text: str = ""
    names: list[str] = field(default_factory=list[str])
    said: frozenset[str] = frozenset()


def writer_of(path: Path) -> str:
    """Who wrote a file, as far as its name tells."""
    if path.parent.name == "practised":
        return path.stem.split("-")[0]
    return path.stem if path.suffix == ".txt" else path.parent.name


def example(writer: str, text: str, tools: list[ClientTool], wanted: set[str], made: Made) -> Example | None:
    if is_social(text) or forbids_tools(text):
        return None
    offer = offer_of(tools)
    clauses = likeliest(clauses_of(text, offer.verbs))
    whole = heard_whole(clauses)
    if whole is None:
        return None
    signs = Scales(offer, made).signs(text, clauses, whole)
    right = [place for place, tool in enumerate(tools) if tool.name in wanted] or [len(tools)]
    names = [tool.name for tool in tools]
    return Example(writer, np.array(signs.tools), np.array(signs.turn), right, text, names, signs.said)


def examples_of(paths: list[Path]) -> list[Example]:
    found: list[Example] = []
    for path in paths:
        for dialogue in dialogues_in(path):
            tools = client_tools(dialogue["tools"])
            made: list[tuple[str, dict[str, Any], str]] = []
            for turn in dialogue["turns"]:
                wanted = {call["name"] for call in turn["expect"]}
                one = example(writer_of(path), turn["user"], tools, wanted, list(made))
                if one is not None:
                    found.append(one)
                made += _made_in(turn)
    return found


def _made_in(turn: dict[str, Any]) -> list[tuple[str, dict[str, Any], str]]:
    """The calls of a turn as they should be, with what the tools answer."""
    made: list[tuple[str, dict[str, Any], str]] = []
    used: Counter[str] = Counter()
    for call in turn["expect"]:
        result = (turn.get("results") or {}).get(call["name"], "ok")
        if isinstance(result, list):
            result = result[min(used[call["name"]], len(result) - 1)] if result else "ok"
        used[call["name"]] += 1
        made.append((call["name"], call["input"], str(result)))
    return made


def marks_in(examples: list[Example]) -> list[str]:
    """The words and marks that may say whether something is to be done: no word of any one matter."""
    often = Counter(mark for one in examples for mark in one.said)
    return sorted(
        mark for mark, times in often.items() if times >= _OFTEN and (mark in STOP or not mark.isalpha() or "'" in mark)
    )


def learned(examples: list[Example], marks: list[str]) -> np.ndarray:
    """Weights of a choice among the tools and none, by gradient descent with decay, on signs of equal spread."""
    count_tool, count = len(TOOL), len(TOOL) + len(TURN) + len(marks)
    turns = np.array([_turn(one, marks) for one in examples])
    spread = np.concatenate([np.concatenate([one.tools for one in examples]).std(0), turns.std(0)])
    spread = np.maximum(spread, 0.05)
    spread[count_tool] = 1.0
    most = max(len(one.tools) for one in examples) + 1
    signs = np.zeros((len(examples), most, count))
    absent = np.full((len(examples), most), -1e9)
    right = np.zeros((len(examples), most))
    for number, one in enumerate(examples):
        many = len(one.tools)
        signs[number, :many, :count_tool] = one.tools
        signs[number, -1, count_tool:] = turns[number]
        absent[number, :many] = absent[number, -1] = 0
        for place in one.right:
            right[number, place if place < many else most - 1] = 1
    signs /= spread
    counts = np.array([_count_of(one) for one in examples])[:, None]
    counts /= counts.sum()
    weights = np.zeros(count)
    drift, swing = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, _ROUNDS + 1):
        odds = signs @ weights + absent
        odds = np.exp(odds - odds.max(1, keepdims=True))
        odds /= odds.sum(1, keepdims=True)
        goal = odds * right
        goal /= np.maximum(goal.sum(1, keepdims=True), 1e-12)
        slope = np.tensordot((odds - goal) * counts, signs, ((0, 1), (0, 1))) + _DECAY * weights
        drift = 0.9 * drift + 0.1 * slope
        swing = 0.999 * swing + 0.001 * slope * slope
        weights -= _RATE * (drift / (1 - 0.9**step)) / (np.sqrt(swing / (1 - 0.999**step)) + 1e-8)
    return weights / spread


def _count_of(one: Example) -> float:
    """Turns that ask for no tool are no easier where the word lists were made with them."""
    return _COUNTS if one.writer in _MADE_WITH and one.right != [len(one.tools)] else 1.0


def _turn(one: Example, marks: list[str]) -> np.ndarray:
    return np.append(one.turn, [float(mark in one.said) for mark in marks])


def chosen(weights: np.ndarray, one: Example, marks: list[str]) -> np.ndarray:
    count = len(TOOL)
    return np.append(one.tools @ weights[:count], _turn(one, marks) @ weights[count:])


def weights_by_name(weights: np.ndarray, marks: list[str]) -> dict[str, dict[str, float]]:
    names = {"tool": list(TOOL), "turn": list(TURN), "said": marks}
    numbers = iter(weights)
    return {part: {name: round(float(next(numbers)), 4) for name in found} for part, found in names.items()}


def report(title: str, examples: list[Example], odds: list[np.ndarray], *, wrong: str = "") -> None:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    for one, found in zip(examples, odds, strict=True):
        row, best, none = rows[one.writer], int(found.argmax()), len(one.tools)
        row["all"] += 1
        row["right"] += best in one.right
        row["silent"] += one.right == [none]
        row["false"] += one.right == [none] and best != none
        row["mute"] += one.right != [none] and best == none
        if wrong and one.writer in wrong and best not in one.right:
            names = [*one.names, "NONE"]
            print(f"  {one.text[:120]!r} wants {[names[k] for k in one.right]} got {names[best]}")
    for writer, row in sorted(rows.items()):
        print(
            f"{title} {writer:10} right {row['right']}/{row['all']} {100 * row['right'] / row['all']:.1f} %,"
            f" false {row['false']}/{row['silent']}, none where one fits {row['mute']}/{row['all'] - row['silent']}"
        )


def main() -> None:
    paths = [Path(argument) for argument in sys.argv[1:] if not argument.startswith("-")]
    for folder in _SEEN:
        paths += sorted(folder.glob("*.json"))
    paths += [*sorted(_OWN.glob("own*.json")), *sorted((_OWN / "written").glob("*.txt"))]
    examples = examples_of(paths)
    marks = marks_in(examples)
    odds: list[np.ndarray] = [np.zeros(0)] * len(examples)
    for writer in sorted({one.writer for one in examples}):
        weights = learned([one for one in examples if one.writer != writer], marks)
        for number, one in enumerate(examples):
            if one.writer == writer:
                odds[number] = chosen(weights, one, marks)
    report("left out", examples, odds, wrong=next((a[2:] for a in sys.argv if a.startswith("-w")), ""))
    weights = learned(examples, marks)
    report("all", examples, [chosen(weights, one, marks) for one in examples])
    if "-s" in sys.argv:
        place = Path(weighing.__file__).parent / "weights.json"
        place.write_text(json.dumps(weights_by_name(weights, marks), indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
