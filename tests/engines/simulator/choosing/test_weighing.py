"""The learned part of the choice: its signs, its weights, and how many calls the values of a turn make."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from understudy.engines.simulator.choosing import Situation, choose, weighing
from understudy.engines.simulator.choosing.clauses import clauses_of
from understudy.engines.simulator.choosing.evidence import TOOL
from understudy.engines.simulator.choosing.kindred import kindred
from understudy.engines.simulator.choosing.lexicon import lexicon
from understudy.engines.simulator.choosing.offers import Offer, offer_of
from understudy.engines.simulator.choosing.profiles import profile_of
from understudy.engines.simulator.choosing.slots import asks_by_slots
from understudy.engines.simulator.choosing.turn_signs import TURN
from understudy.engines.simulator.choosing.weighing import Scales, Weighed
from understudy.engines.simulator.choosing.whole import heard_whole
from understudy.engines.simulator.choosing.words import tokens_of
from understudy.wire.client_tools import ClientTool, client_tools

from .written import dialogues_in

WRITTEN = Path(__file__).parent / "written"
# What is reached on dialogues that the weights were learned from, too; it only guards against losing it.
LEAST_RIGHT = 0.72
MOST_FALSE = 0.09


def tool(name: str, description: str, required: tuple[str, ...] = (), **parameters: dict[str, Any]) -> ClientTool:
    schema = {"type": "object", "properties": parameters, "required": list(required)}
    return client_tools([{"name": name, "description": description, "input_schema": schema}])[0]


TEXT: dict[str, Any] = {"type": "string"}
NUMBER: dict[str, Any] = {"type": "number"}
REPORT = tool("theft_note", "Declare a thing lost or stolen.", ("serial_no",), serial_no=TEXT)
HOURS = tool("counter_hours", "Opening times of a counter.", ("counter",), counter=TEXT)
DOSE = tool("basin_dose", "Adds a medicine to a basin.", ("basin", "drug", "ml"), basin=TEXT, drug=TEXT, ml=NUMBER)


def odds(text: str, *tools: ClientTool, made: tuple[tuple[str, dict[str, Any], str], ...] = ()) -> Weighed:
    offer = offer_of(tools)
    clauses = clauses_of(text, offer.verbs)
    whole = heard_whole(clauses)
    assert whole is not None
    return Scales(offer, made).weighed(text, clauses, whole)


def test_there_is_a_weight_for_each_sign_and_no_other() -> None:
    data = json.loads(Path(weighing.__file__).with_name("weights.json").read_text("utf-8"))
    assert list(data["tool"]) == list(TOOL)
    assert list(data["turn"]) == list(TURN)
    assert len(set(TOOL)) == len(TOOL)
    assert len(set(TURN)) == len(TURN)


def test_shares_add_up_to_one() -> None:
    shares, none = odds("my bag was snatched, number C01X77F", REPORT, HOURS).shares()
    assert sum(shares) + none == pytest.approx(1.0)


def test_words_of_one_matter_speak_for_a_tool_that_uses_others() -> None:
    assert {"snatch", "stolen"} <= {*kindred().words} or lexicon().stem("stolen") in kindred().words
    found = odds("my bag was snatched this morning, number C01X77F", REPORT, HOURS)
    assert found.tools[0] > found.tools[1]


def test_a_result_that_brought_an_id_speaks_for_the_tool_that_takes_it() -> None:
    cancel = tool("ride_cancel", "Calls a ride off.", ("ride_id",), ride_id=TEXT)
    made = (("ride_create", {"pickup": "Opera"}, '{"ride": "T-5512"}'),)
    assert (
        odds("never mind, call it off", cancel, HOURS, made=made).tools[0]
        > odds("never mind, call it off", cancel, HOURS).tools[0]
    )


def test_far_tools_are_not_looked_at_closely() -> None:
    tools = [tool(f"thing{number}_list", f"Lists things of sort {number}.") for number in range(20)]
    offer = offer_of(tools)
    clauses = clauses_of("list the things of sort 3", offer.verbs)
    whole = heard_whole(clauses)
    assert whole is not None
    signs = Scales(offer, ()).signs("list the things of sort 3", clauses, whole)
    assert len(signs.near) < len(tools)


def test_the_matters_of_tools_are_worked_out_once_for_the_same_tools() -> None:
    first: Offer = offer_of([REPORT, HOURS])
    assert offer_of([REPORT, HOURS]).matters() is first.matters()


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        ("15 ml of iodine for R4 and 8 ml for R7", ["15 ml of iodine for R4", "8 ml of iodine for R7"]),
        ("15 ml of iodine for R4", ["15 ml of iodine for R4"]),
        (
            "20 ml of iodine for R4, R5 and R6",
            ["20 ml of iodine for R4", "20 ml of iodine for R5", "20 ml of iodine for R6"],
        ),
    ],
)
def test_more_values_than_one_call_takes_are_as_many_calls(text: str, asks: list[str]) -> None:
    assert asks_by_slots(text, tokens_of(text), profile_of(DOSE)) == asks


def test_the_ends_of_a_span_are_one_call() -> None:
    day: dict[str, Any] = {"type": "string", "format": "date"}
    plan = tool("rota_view", "Who works on a day.", ("day",), day=day)
    text = "who works from 2026-02-01 to 2026-02-07?"
    assert asks_by_slots(text, tokens_of(text), profile_of(plan)) == [text]


def test_the_choice_is_the_same_each_time() -> None:
    situation = Situation("my bag was snatched, number C01X77F. what now?", tenant="one")
    other = Situation("my bag was snatched, number C01X77F. what now?", tenant="two")
    assert choose([HOURS, REPORT], situation) == choose([HOURS, REPORT], other)


def test_the_tools_are_right_in_most_of_the_written_dialogues() -> None:
    right = turns = silent = false = 0
    for path in sorted(WRITTEN.glob("*.txt")):
        for dialogue in dialogues_in(path):
            tools = client_tools(dialogue["tools"])
            made: list[tuple[str, dict[str, Any], str]] = []
            earlier: list[tuple[str, str]] = []
            for turn in dialogue["turns"]:
                wanted = {call["name"] for call in turn["expect"]}
                chosen = choose(tools, Situation(turn["user"], list(earlier), made=list(made)))
                named = Counter(choice.tool.name for choice in chosen)
                turns += 1
                # What must be called after a result is not chosen yet.
                right += bool(named) == bool(wanted) and set(named) <= wanted
                silent += not wanted
                false += not wanted and bool(named)
                earlier += [("user", turn["user"]), ("assistant", "Sure.")]
                for call in turn["expect"]:
                    result = turn["results"][call["name"]]
                    made.append((call["name"], call["input"], result if isinstance(result, str) else result[0]))
    assert turns > 400
    assert right / turns >= LEAST_RIGHT
    assert false / silent <= MOST_FALSE


def test_what_was_weighed_before_changes_nothing() -> None:
    text = "my bag was snatched, number C01X77F. When does the counter open?"
    offer = offer_of([REPORT, HOURS])
    made = (("theft_note", {"serial_no": "C01X77F"}, '{"counter": "T-5512"}'),)
    clauses = clauses_of(text, offer.verbs)
    turned = [[clause] for clause in clauses] + [clauses]
    assert len(turned) > 2
    once, alone = Scales(offer, made), list[Weighed]()
    together = list[Weighed]()
    for some in turned:
        whole = heard_whole(some)
        assert whole is not None
        together.append(once.weighed(text, some, whole))
        alone.append(Scales(offer, made).weighed(text, some, whole))
    assert together == alone
    assert len({one.none for one in alone}) > 1
