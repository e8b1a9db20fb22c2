"""The simulator chooses tools as a careful person would: measured on dialogues that it has never been told of.

`given` may be looked at while the simulator is made, and so may `practised`, which others wrote later; `held_out` and
`unseen` may not. They say what the others are worth.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import understudy.engines
from asgi import InProcess

from .dialogue import MAX_ROUNDS, Call, Dialogue, Post, Score, Turn, is_right, load, matches, play, score

DIALOGUES = Path(__file__).parent / "dialogues"
SIMULATOR = Path(understudy.engines.__file__).parent / "simulator"
FOLDERS = ("given", "practised", "held_out", "unseen")
KINDS = {"single", "parallel", "chain", "followup", "none", "ambiguous", "builtin"}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")


GOAL = 0.80
"""Share of turns that should be right in dialogues that nobody saw who made the simulator. It is not reached yet."""

HELD_OUT = 0.62
"""What is reached: raise it with every gain."""


async def measured(folder: str) -> Score:
    api = InProcess()

    async def post(request: dict[str, Any]) -> dict[str, Any]:
        answer = await api.post(request)
        assert answer.status == 200, answer.body
        return answer.json()

    dialogues = load(DIALOGUES / folder)
    assert dialogues, f"no dialogues in {folder}"
    return score([await play(dialogue, post) for dialogue in dialogues])


def assert_sound(result: Score) -> None:
    """What holds for each call and each turn, not only for most."""
    assert not result.not_ended
    assert not result.invalid
    assert not result.repeated


async def test_the_simulator_chooses_tools_as_expected(record_property: Callable[[str, object], None]) -> None:
    result = await measured("given")
    record_property("summary", result.summary())
    assert_sound(result)
    assert float(result.right) >= 0.90
    assert float(result.false_calls) <= 0.05


async def test_the_simulator_chooses_tools_in_dialogues_it_was_not_made_with(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
) -> None:
    # Only numbers, also when it fails: who reads the turns that go wrong begins to work for them. Hence no server log
    # with the requests in it, and nothing in the assertions whose text names a turn.
    try:
        result = await measured("held_out")
    finally:
        capsys.readouterr()
    record_property("summary", f"{result.summary(last=0)}\n(the goal is {GOAL:.0%})")
    right, not_ended, invalid, repeated = (
        float(result.right),
        *(len(found) for found in (result.not_ended, result.invalid, result.repeated)),
    )
    assert (not_ended, invalid, repeated) == (0, 0, 0)
    assert right >= HELD_OUT


async def test_the_simulator_keeps_what_it_practised(record_property: Callable[[str, object], None]) -> None:
    result = await measured("practised")
    record_property("summary", result.summary(last=0))
    assert_sound(result)
    assert float(result.right) >= 0.80
    assert float(result.false_calls) <= 0.05


def test_the_simulator_knows_no_tool_of_the_dialogues_by_name() -> None:
    words = words_of(SIMULATOR)
    assert words, "the simulator has no source"
    given = {name for name in made_up_names(load(DIALOGUES / "given")) if name in words}
    assert not given
    assert sum(name in words for name in made_up_names(load(DIALOGUES / "held_out"))) == 0


def words_of(folder: Path) -> set[str]:
    """All words of all text files of a folder, once with hyphens as part of a word and once without."""
    files = [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    texts = [file.read_text(encoding="utf-8", errors="replace") for file in files]
    return {word for text in texts for pattern in (r"[\w-]+", r"\w+") for word in re.findall(pattern, text)}


def made_up_names(dialogues: list[Dialogue]) -> set[str]:
    """Names of the dialogues' own tools that are no ordinary word: those have an underscore, hyphen or inner capital.

    Tools that the API itself defines carry a type and may be known.
    """
    own = {tool["name"] for one in dialogues for tool in one.tools if tool.get("type", "custom") == "custom"}
    return {name for name in own if len(name) >= 4 and re.search(r"[_-]|.[A-Z]", name)}


def test_ordinary_words_are_not_made_up_names() -> None:
    tools = [{"name": name} for name in ("search", "Search", "get_x", "read-it", "findAll", "a_b")]
    own = Dialogue("x-1", "x", "none", None, [*tools, {"name": "known_to_all", "type": "known_20260101"}], [])
    assert made_up_names([own]) == {"get_x", "read-it", "findAll"}


def test_the_given_dialogues_are_many_and_of_all_kinds() -> None:
    dialogues = load(DIALOGUES / "given")
    kinds = Counter(one.kind for one in dialogues)
    least = {"none": 40, "parallel": 25, "followup": 20, "ambiguous": 15, "chain": 12, "single": 40}
    assert len(dialogues) >= 160
    assert len({one.domain for one in dialogues}) >= 30
    assert {kind: count for kind, count in least.items() if kinds[kind] < count} == {}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_dialogues_are_well_formed(folder: str) -> None:
    dialogues = load(DIALOGUES / folder)
    twice = [one for one, times in Counter(dialogue.id for dialogue in dialogues).items() if times > 1]
    assert not twice
    assert [fault for dialogue in dialogues for fault in faults(dialogue)] == []


def faults(dialogue: Dialogue) -> list[str]:
    """What is wrong with a dialogue itself."""
    tools = {tool["name"]: tool for tool in dialogue.tools}
    found: list[str] = []
    if dialogue.kind not in KINDS:
        found.append(f"kind {dialogue.kind}")
    if not 1 <= len(dialogue.tools) <= 12 or len(tools) != len(dialogue.tools):
        found.append("its tools are none, too many or of the same name")
    if not dialogue.turns:
        found.append("no turn")
    for name, tool in tools.items():
        if not TOOL_NAME.fullmatch(name):
            found.append(f"tool name {name}")
        schema = tool.get("input_schema")
        if schema is None:
            found += [] if tool.get("type", "custom") != "custom" else [f"{name} has no schema"]
        else:
            check_schema(json.dumps(schema))
            found += [] if schema.get("type") == "object" else [f"the schema of {name} is no object"]
    for turn in dialogue.turns:
        for call in turn.expect:
            if call.name not in tools:
                found.append(f"{call.name} is expected but no tool")
                continue
            if call.name not in turn.results:
                found.append(f"no result for {call.name}")
            found += [f"{call.name}: {fault}" for fault in impossible(tools[call.name].get("input_schema"), call)]
    return [f"{dialogue.id}: {fault}" for fault in found]


@cache
def check_schema(schema: str) -> None:
    """Raises when it is no schema; the message says where. Many dialogues share their tools, so once for each."""
    Draft202012Validator.check_schema(json.loads(schema))


def impossible(schema: Mapping[str, Any] | None, call: Call) -> list[str]:
    """Expected values that no valid input can have."""
    if schema is None:
        return []
    found: list[str] = []
    for name, value in call.input.items():
        if name not in schema.get("properties", {}):
            found.append(f"{name} is no parameter")
        elif isinstance(value, str | int | float | bool):
            rule = {**schema["properties"][name], "$defs": schema.get("$defs", {})}
            checker = Draft202012Validator(rule, format_checker=Draft202012Validator.FORMAT_CHECKER)
            found += [f"{name}: {error.message}" for error in checker.iter_errors(value)]
    return found


TOOLS = [
    {"name": "look_up", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}},
    {"name": "ring_bell", "input_schema": {"type": "object", "properties": {}}},
]
SAMPLE = Dialogue(
    "sample-1",
    "sample",
    "followup",
    None,
    TOOLS,
    [
        Turn("Look up ants and bees", [Call("look_up", {"q": "ants"}), Call("look_up", {"q": "bees"})], {}),
        Turn("Thank you", [], {}),
    ],
)


def model(*answers: list[Call]) -> tuple[Post, list[dict[str, Any]]]:
    """A model that makes the given calls, one list for each request; and the requests it gets."""
    requests: list[dict[str, Any]] = []

    async def post(request: dict[str, Any]) -> dict[str, Any]:
        calls = answers[min(len(requests), len(answers) - 1)]
        requests.append(request)
        name = f"toolu_{len(requests)}"
        content: list[dict[str, Any]] = [
            {"type": "tool_use", "id": f"{name}_{place}", "name": call.name, "input": call.input}
            for place, call in enumerate(calls)
        ]
        return {
            "content": content or [{"type": "text", "text": "All right."}],
            "stop_reason": "tool_use" if content else "end_turn",
        }

    return post, requests


async def test_expected_calls_in_any_order_or_round_are_right() -> None:
    post, _ = model([Call("look_up", {"q": "Bees."})], [Call("look_up", {"q": "ants"})], [])
    result = score([await play(SAMPLE, post)])
    assert float(result.right) == 1
    assert not (result.wrong or result.repeated or result.invalid or result.not_ended)
    assert float(result.false_calls) == 0


async def test_each_call_is_answered_in_its_order_and_the_conversation_is_kept() -> None:
    results = {"look_up": ["six legs", "honey"]}
    turns = [Turn(SAMPLE.turns[0].user, SAMPLE.turns[0].expect, results), SAMPLE.turns[1]]
    post, requests = model([Call("look_up", {"q": "ants"}), Call("look_up", {"q": "bees"})], [])
    await play(Dialogue("sample-2", "sample", "followup", "Be brief.", TOOLS, turns), post)
    assert [len(request["messages"]) for request in requests] == [1, 3, 5]
    assert {request["system"] for request in requests} == {"Be brief."}
    assert requests[1]["messages"][2]["content"] == [
        {"type": "tool_result", "tool_use_id": "toolu_1_0", "content": "six legs"},
        {"type": "tool_result", "tool_use_id": "toolu_1_1", "content": "honey"},
    ]
    assert requests[2]["messages"][4] == {"role": "user", "content": "Thank you"}


async def test_a_model_that_never_calls_is_right_only_where_nothing_fits() -> None:
    post, _ = model([])
    result = score([await play(SAMPLE, post)])
    assert (result.right.count, result.right.total) == (1, 2)
    assert float(result.false_calls) == 0


async def test_a_call_where_none_fits_is_a_false_call() -> None:
    both = [Call("look_up", {"q": "ants"}), Call("look_up", {"q": "bees"})]
    post, _ = model(both, [], [Call("ring_bell", {})], [])
    result = score([await play(SAMPLE, post)])
    assert float(result.false_calls) == 1
    assert len(result.wrong) == 1


async def test_a_model_that_calls_for_ever_repeats_itself_and_does_not_end() -> None:
    post, requests = model([Call("look_up", {})])
    result = score([await play(SAMPLE, post)])
    assert len(requests) == MAX_ROUNDS
    assert result.not_ended == ["sample-1, turn 1"]
    assert len(result.invalid) == MAX_ROUNDS
    assert len(result.repeated) == 1
    assert float(result.right) == 0
    assert len(result.wrong) == 2


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ("Paris", ' "paris". ', True),
        ("Paris", "Paris, France", False),
        ({"contains": "paris"}, "Paris, France", True),
        ({"contains": "paris"}, ["Paris"], False),
        (3, 3.0, True),
        (1, True, False),
        (True, 1, False),
        (3, "3", False),
        (["a", "b"], ["B", "a"], True),
        (["a"], ["a", "b"], False),
        ({"city": "Rome"}, {"city": "rome", "zip": "1"}, True),
        ({"city": "Rome"}, {"zip": "1"}, False),
    ],
)
def test_values_match_as_the_format_says(expected: object, actual: object, same: bool) -> None:
    assert matches(expected, actual) is same


def test_each_expectation_needs_a_call_of_its_own() -> None:
    both = [Call("look_up", {"q": {"contains": "an"}}), Call("look_up", {"q": "ants"})]
    assert is_right(both, [Call("look_up", {"q": "ants"}), Call("look_up", {"q": "antics"})])
    assert not is_right(both, [Call("look_up", {"q": "ants"}), Call("look_up", {"q": "bees"})])
