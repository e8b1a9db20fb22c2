"""Turns that ask without saying so, and tool sets whose descriptions are long."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.engines.simulator.choosing import Situation, choose
from understudy.wire.client_tools import ClientTool

TEXT = {"type": "string"}
NUMBER = {"type": "integer"}


def tool(called: str, description: str, /, *required: str, **properties: Any) -> ClientTool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ClientTool(called, None, description, schema)


FARM = [
    tool("irrigate", "Water a field for some minutes.", "field", "minutes", field=TEXT, minutes=NUMBER),
    tool("soil_moisture", "Moisture of the soil in a field.", "field", field=TEXT),
    tool("treat_animal", "Record a treatment.", "cow_tag", "drug", "dose_ml", cow_tag=TEXT, drug=TEXT, dose_ml=NUMBER),
    tool("find_cow", "Find a cow by its name, gives its tag number.", "name", name=TEXT),
    tool("sell_cow", "Sell a cow.", "tag_number", tag_number=TEXT),
    tool("pause_pump", "Pause the pump.", "pump", pump=TEXT),
]
MAILS = [
    tool("send_mail", "Sends an email at once.", "to", "body", to={"type": "string", "format": "email"}, body=TEXT),
    tool(
        "draft_mail",
        "Saves an email as a draft for the user to look over.",
        "to",
        "body",
        to={"type": "string", "format": "email"},
        body=TEXT,
    ),
]
_LONG = (
    "Prefer the tools of their own where there are some. Do not use it to read, write, edit, search or list files. "
    "Quote paths with spaces. When asked to commit, look at the status and the diff first and report the result. "
    "Examples may say hello, do sums, fix bugs, install packages, plan work and open pull requests. "
) * 12
AGENT = [
    tool("Terminal", "Runs a shell command and returns its output.\n" + _LONG, "command", command=TEXT),
    tool("Look", "Reads a file from disk.\n" + _LONG, "file_path", file_path=TEXT),
    tool("Store", "Writes a file to disk.\n" + _LONG, "file_path", "content", file_path=TEXT, content=TEXT),
    tool(
        "Change", "Replaces strings in a file.\n" + _LONG, "file_path", "old", "new", file_path=TEXT, old=TEXT, new=TEXT
    ),
    tool("Names", "Finds files by a pattern of their names.\n" + _LONG, "pattern", pattern=TEXT),
    tool("Inside", "Searches file contents with a regex.\n" + _LONG, "pattern", pattern=TEXT),
    tool("Fetch", "Fetches a page from a URL.\n" + _LONG, "url", url=TEXT),
    tool("Steps", "Keeps a list of the steps of a task.\n" + _LONG, "steps", steps={"type": "array", "items": TEXT}),
]


def names(tools: list[ClientTool], asked: str, *results: str) -> list[str]:
    made: list[tuple[str, dict[str, Any], str, bool]] = []
    for result in [*results, "ok", "ok", "ok"]:
        made += [(choice.tool.name, {}, result, False) for choice in choose(tools, Situation(asked, [], list(made)))]
    return [call[0] for call in made]


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("DE-4471 got 15 ml of Metacam", ["treat_animal"]),
        ("North meadow looks parched, give it 40 minutes", ["irrigate"]),
        ("How is the soil in the orchard and the vineyard?", ["soil_moisture", "soil_moisture"]),
        ("Sell Bella. I don't know her tag number.", ["find_cow", "sell_cow"]),
        ("the filter is clogged - pause the pump north-2 so I can clean it", ["pause_pump"]),
        ("Our dog Bello turned 7 today!", []),
        ("I've been working from 8 to 6 all week, exhausted.", []),
        ("Is soil good for the skin?", []),
        ("Irrigate the field, but first tell me what you need.", []),
    ],
)
def test_what_is_meant_is_called(asked: str, called: list[str]) -> None:
    assert names(FARM, asked, "tag T-12") == called


def test_a_second_thought_chooses_another_way_for_the_same_thing() -> None:
    asked = "Write to ann@example.com that the lift is stuck. Put it in my drafts."
    chosen = choose(MAILS, Situation(asked))
    assert [choice.tool.name for choice in chosen] == ["draft_mail"]
    assert "ann@example.com" in chosen[0].ask


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("hello", []),
        ("What is 2+2?", []),
        ("what model are you?", []),
        ("list the files here", ["Names"]),
        ("search for TODO comments in src/", ["Inside"]),
        ("fix the bug in app.py", ["Change"]),
        ("show me notes.md", ["Look"]),
        ("git status", ["Terminal"]),
        ("delete the file tmp.txt", ["Terminal"]),
        ("run `echo hello`", ["Terminal"]),
        ("commit the changes", ["Terminal"]),
        ("Write a file hello.txt with the text hi, run cat hello.txt and report the output", ["Store", "Terminal"]),
        ("Is this a new topic? Extract a title of two words.", []),
    ],
)
def test_a_long_description_does_not_win_by_its_length(asked: str, called: list[str]) -> None:
    assert names(AGENT, asked) == called


def test_amounts_are_asked_for_one_by_one() -> None:
    convert = tool(
        "convert", "Converts an amount of money.", "amount", "source", "target", amount=NUMBER, source=TEXT, target=TEXT
    )
    asks = [
        choice.ask for choice in choose([convert], Situation("Convert 120 francs, 4500 yen and 89 dollars to euros"))
    ]
    assert asks == ["Convert 120 francs to euros", "Convert 4500 yen to euros", "Convert 89 dollars to euros"]
