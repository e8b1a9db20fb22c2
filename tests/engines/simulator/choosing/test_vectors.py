"""Words and tools as directions: what is near in meaning lies near, and nothing is read before it is needed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from understudy.engines.simulator.choosing import Situation, choose
from understudy.engines.simulator.choosing.meanings import direction_of_tool, direction_of_turn
from understudy.engines.simulator.choosing.turn_signs import marks_of
from understudy.engines.simulator.choosing.vectors import direction, direction_of, likeness
from understudy.wire.client_tools import client_tools

TOOLS = client_tools(
    [
        {"name": "read_wind", "description": "Speed of the wind at a mast", "input_schema": {"type": "object"}},
        {"name": "pay_bill", "description": "Transfers money for an invoice", "input_schema": {"type": "object"}},
    ]
)


@pytest.mark.parametrize(
    ("word", "near", "far"),
    [
        ("gusty", "wind", "invoice"),
        ("puppy", "dog", "salary"),
        ("rash", "allergy", "train"),
        ("undo", "cancel", "soup"),
    ],
)
def test_words_of_one_matter_are_nearer_than_others(word: str, near: str, far: str) -> None:
    assert likeness(direction_of(word), direction_of(near)) > likeness(direction_of(word), direction_of(far)) + 0.2


def test_a_word_is_wholly_like_itself_and_like_its_forms() -> None:
    assert likeness(direction_of("harbour"), direction_of("harbour")) == pytest.approx(1.0, abs=1e-5)
    assert likeness(direction_of("berths"), direction_of("berth")) > 0.5


def test_words_that_nobody_knows_say_nothing() -> None:
    assert len(direction([("xqzzt", 1.0), ("", 1.0)])) == 0
    assert likeness(direction_of("xqzzt"), direction_of("wind")) == 0
    assert likeness(direction_of_turn("これは何ですか"), direction_of_tool(TOOLS[0])) == 0


def test_a_turn_lies_nearest_to_the_tool_it_is_about() -> None:
    windy, costly = (direction_of_tool(tool) for tool in TOOLS)
    said = direction_of_turn("is it too gusty up there for the crane?")
    assert likeness(said, windy) > likeness(said, costly) + 0.1


def test_a_tool_is_found_by_words_that_it_does_not_have() -> None:
    assert [choice.tool.name for choice in choose(TOOLS, Situation("how gusty is it up there right now?"))] == [
        "read_wind"
    ]


def test_the_marks_of_a_turn_are_its_words_its_beginning_and_its_end() -> None:
    assert marks_of("Don’t stop, it's 5!") >= {"don't", "stop", "it's", "first don't", "first don't stop", "end !", ","}
    assert "numbers 1" in marks_of("Don’t stop, it's 5!")
    assert marks_of("") == {"end ", "numbers 0", "length 0"}


def test_nothing_is_read_until_a_tool_is_to_be_chosen() -> None:
    code = (
        "from understudy.engines.simulator.choosing import vectors, choose\n"
        "assert vectors._file.cache_info().currsize == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
