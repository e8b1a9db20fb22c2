"""Dialogues with tools: reading them, playing them against the Messages API, and counting what went right.

A dialogue says which calls a careful person would expect for each turn of a user, and what the tools answer. Nothing
here knows how the answers come about.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

MODEL = "claude-sonnet-4-5"
MAX_TOKENS = 4096
MAX_ROUNDS = 25
"""Answers of the model to one turn of the user; who still calls tools then is taken to go round in circles."""

UNEXPECTED = "Done."
"""What a tool answers for which the dialogue has no result, since nobody was to call it."""

Post = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Sends a Messages request and returns the Message; raises when the answer is an error."""


@dataclass(frozen=True)
class Call:
    """A tool's name and its input; as an expectation the input is the part that is clear from the words."""

    name: str
    input: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.name}({json.dumps(self.input, ensure_ascii=False)})"


@dataclass(frozen=True)
class Turn:
    """What the user says, the calls to expect, and by tool the results in the order of its calls."""

    user: str
    expect: Sequence[Call]
    results: Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Dialogue:
    """`tools` as the API takes them."""

    id: str
    domain: str
    kind: str
    system: str | None
    tools: Sequence[dict[str, Any]]
    turns: Sequence[Turn]


@dataclass
class PlayedTurn:
    """The calls of a turn in their order; `invalid` says what is wrong with their inputs."""

    turn: Turn
    calls: list[Call] = field(default_factory=list[Call])
    invalid: list[str] = field(default_factory=list[str])
    ended: bool = False

    @property
    def right(self) -> bool:
        return self.ended and is_right(self.turn.expect, self.calls)

    @property
    def repeated(self) -> list[str]:
        """Calls that stand twice or more in this turn, with the very same input."""
        counted = Counter(f"{call.name}({json.dumps(call.input, sort_keys=True)})" for call in self.calls)
        return [call for call, times in counted.items() if times > 1]


@dataclass
class Played:
    """A dialogue and its turns as far as they were reached."""

    dialogue: Dialogue
    turns: list[PlayedTurn]


def load(folder: Path) -> list[Dialogue]:
    """The dialogues of all JSON files of a folder, by file name."""
    rows = [row for file in sorted(folder.glob("*.json")) for row in json.loads(file.read_text(encoding="utf-8"))]
    return [_dialogue(row) for row in rows]


def _dialogue(row: dict[str, Any]) -> Dialogue:
    turns = [
        Turn(
            user=turn["user"],
            expect=[Call(call["name"], call.get("input", {})) for call in turn["expect"]],
            results={
                name: [result] if isinstance(result, str) else result
                for name, result in turn.get("results", {}).items()
            },
        )
        for turn in row["turns"]
    ]
    return Dialogue(row["id"], row["domain"], row["kind"], row.get("system"), row["tools"], turns)


async def play(dialogue: Dialogue, post: Post) -> Played:
    """Leads the conversation: answers each call with the given result, and speaks on when the model has ended.

    Stops after a turn that did not end. An exception of `post` passes through, with the dialogue's id as a note.
    """
    messages: list[dict[str, Any]] = []
    played = Played(dialogue, [])
    try:
        for turn in dialogue.turns:
            messages.append({"role": "user", "content": turn.user})
            done = PlayedTurn(turn)
            played.turns.append(done)
            await _play_turn(dialogue, done, messages, post)
            if not done.ended:
                break
    except Exception as error:
        error.add_note(f"in dialogue {dialogue.id}, turn {len(played.turns)}")
        raise
    return played


async def _play_turn(dialogue: Dialogue, done: PlayedTurn, messages: list[dict[str, Any]], post: Post) -> None:
    request: dict[str, Any] = {"model": MODEL, "max_tokens": MAX_TOKENS, "tools": list(dialogue.tools)}
    if dialogue.system is not None:
        request["system"] = dialogue.system
    given: Counter[str] = Counter()
    for _ in range(MAX_ROUNDS):
        message = await post({**request, "messages": list(messages)})
        # An answer may be empty after tool results, and the API takes no empty content in the middle.
        if message["content"]:
            messages.append({"role": "assistant", "content": message["content"]})
        answers: list[dict[str, Any]] = []
        for block in message["content"]:
            if block["type"] not in ("tool_use", "server_tool_use"):
                continue
            call = Call(block["name"], block["input"])
            done.calls.append(call)
            done.invalid += complaints(dialogue.tools, call)
            if block["type"] == "tool_use":
                results = done.turn.results.get(call.name) or [UNEXPECTED]
                result = results[given[call.name] % len(results)]
                given[call.name] += 1
                answers.append({"type": "tool_result", "tool_use_id": block["id"], "content": result})
        if message["stop_reason"] != "tool_use":
            done.ended = True
            return
        messages.append({"role": "user", "content": answers})


def complaints(tools: Iterable[Mapping[str, Any]], call: Call) -> list[str]:
    """What is wrong with a call's input by its tool's schema. Tools that the API defines itself have none to check."""
    tool = next((tool for tool in tools if tool["name"] == call.name), None)
    if tool is None:
        return [f"{call}: no such tool"]
    if "input_schema" not in tool:
        return []
    validator = Draft202012Validator(tool["input_schema"], format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{call}: {error.message}" for error in validator.iter_errors(call.input)]


def is_right(expect: Sequence[Call], calls: Sequence[Call]) -> bool:
    """True when the names are the very same, as often, and each expectation has a call of its own that meets it."""
    if Counter(call.name for call in expect) != Counter(call.name for call in calls):
        return False
    return _pairs(list(expect), list(calls))


def _pairs(expect: list[Call], calls: list[Call]) -> bool:
    if not expect:
        return True
    first, rest = expect[0], expect[1:]
    return any(
        call.name == first.name
        and matches(first.input, call.input)
        and _pairs(rest, calls[:place] + calls[place + 1 :])
        for place, call in enumerate(calls)
    )


def matches(expected: Any, actual: Any) -> bool:
    """True when a value of a call is the expected one.

    Strings are equal but for case, surrounding space and quotes, and a final full stop; `{"contains": …}` asks for a
    part of the text; arrays are equal as sets; of an object the named keys count.
    """
    if isinstance(expected, Mapping):
        if list(expected) == ["contains"]:
            return isinstance(actual, str) and expected["contains"].casefold() in actual.casefold()
        return isinstance(actual, Mapping) and all(
            key in actual and matches(value, actual[key]) for key, value in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(actual, list)
            and all(any(matches(one, other) for other in actual) for one in expected)
            and all(any(matches(one, other) for one in expected) for other in actual)
        )
    if isinstance(expected, str):
        return isinstance(actual, str) and _bare(expected) == _bare(actual)
    # To Python, true is 1; to JSON it is not.
    return isinstance(expected, bool) == isinstance(actual, bool) and expected == actual


def _bare(text: str) -> str:
    around = " \t\r\n\"'`“”„‘’«»"
    return text.strip(around).removesuffix(".").strip(around).casefold()


@dataclass(frozen=True)
class Share:
    """`count` of `total`; of nothing, the share is nought."""

    count: int
    total: int

    def __float__(self) -> float:
        return self.count / self.total if self.total else 0.0

    def __str__(self) -> str:
        return f"{float(self):.1%} ({self.count} of {self.total})"


@dataclass(frozen=True)
class Score:
    """`false_calls`: of the turns that expect no call, those in which one was made. The lists name dialogues."""

    right: Share
    by_kind: Mapping[str, Share]
    false_calls: Share
    wrong: Sequence[str]
    repeated: Sequence[str]
    invalid: Sequence[str]
    not_ended: Sequence[str]

    def summary(self, last: int = 400) -> str:
        """The numbers for a reader, then at most `last` of the turns that went wrong."""
        faults = {"repeated": self.repeated, "invalid": self.invalid, "not ended": self.not_ended}
        lines = [
            f"right turns {self.right}, false calls {self.false_calls}",
            *(f"  {kind}: {share}" for kind, share in self.by_kind.items()),
            *(f"  {name}: {len(found)}" for name, found in faults.items()),
            *(f"  {name}: {one}" for name, found in faults.items() for one in found[:last]),
            *(f"  wrong: {one}" for one in self.wrong[:last]),
        ]
        return "\n".join(lines)


def score(played: Sequence[Played]) -> Score:
    """Counts over all turns. A turn that was not reached, since one before it did not end, is wrong."""
    right: Counter[str] = Counter()
    turns: Counter[str] = Counter()
    silent = false = 0
    wrong: list[str] = []
    repeated: list[str] = []
    invalid: list[str] = []
    not_ended: list[str] = []
    for one in played:
        kind = one.dialogue.kind
        turns[kind] += len(one.dialogue.turns)
        wrong += [
            f"{one.dialogue.id}: turn {n + 1} not reached" for n in range(len(one.turns), len(one.dialogue.turns))
        ]
        for number, done in enumerate(one.turns, 1):
            place = f"{one.dialogue.id}, turn {number}"
            if done.right:
                right[kind] += 1
            else:
                called, expected = _listed(done.calls), _listed(done.turn.expect)
                wrong.append(f"{place}: {done.turn.user!r} expects {expected}, called {called}")
            if not done.turn.expect:
                silent += 1
                false += bool(done.calls)
            repeated += [f"{place}: {call}" for call in done.repeated]
            invalid += [f"{place}: {fault}" for fault in done.invalid]
            if not done.ended:
                not_ended.append(place)
    return Score(
        right=Share(right.total(), turns.total()),
        by_kind={kind: Share(right[kind], turns[kind]) for kind in sorted(turns)},
        false_calls=Share(false, silent),
        wrong=wrong,
        repeated=repeated,
        invalid=invalid,
        not_ended=not_ended,
    )


def _listed(calls: Sequence[Call]) -> str:
    return ", ".join(map(str, calls)) or "nothing"
