"""Tool sets of coding agents, what is denied, what is looked up first, and things spoken of before."""

from __future__ import annotations

import time
from typing import Any

import pytest

from understudy.engines.simulator.choosing import Situation, choose
from understudy.wire.client_tools import ClientTool

TEXT = {"type": "string"}
WHOLE = {"type": "integer"}


def tool(called: str, description: str, /, *required: str, **properties: Any) -> ClientTool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ClientTool(called, None, description, schema)


AGENT = [
    tool(
        "Helper",
        "Start a helper for a large task of its own.",
        "prompt",
        prompt=TEXT,
        subagent_type=TEXT,
    ),
    tool("Shell", "Executes a command and returns its output.", "command", command=TEXT),
    tool(
        "Edit",
        "Replaces text in a file.",
        "file_path",
        "old_string",
        "new_string",
        file_path=TEXT,
        old_string=TEXT,
        new_string=TEXT,
    ),
    tool("Read", "Reads a file.", "file_path", file_path=TEXT),
    tool("Write", "Writes a file.", "file_path", "content", file_path=TEXT, content=TEXT),
    tool("Grep", "Search file contents with a regular expression.", "pattern", pattern=TEXT, path=TEXT),
    tool(
        "ReportFindings",
        "Report the findings of a code review as a list.",
        "findings",
        findings={"type": "array", "items": {"type": "object"}},
    ),
]
SHOP = [
    tool("refund_order", "Pay the money for an order back.", "order_id", order_id=TEXT),
    tool("issue_voucher", "Give the customer a voucher for an order.", "order_id", order_id=TEXT),
    tool("cancel_order", "Cancel an order that was not sent.", "order_id", order_id=TEXT),
    tool("get_order", "An order with its tracking number.", "order_number", order_number=TEXT),
    tool("track_parcel", "Where a parcel is.", "tracking_number", tracking_number=TEXT),
]
VALVES = [
    tool("open_valve", "Open a valve for some minutes.", "valve", "minutes", valve=WHOLE, minutes=WHOLE),
    tool("close_valve", "Close a valve.", "valve", valve=WHOLE),
]


def names(
    tools: list[ClientTool], asked: str, *results: str, earlier: list[tuple[str, str]] | None = None
) -> list[str]:
    """The names of the calls of a turn whose calls bring `results` one after another."""
    situation = Situation(asked, earlier or [])
    given = iter(results)
    for _ in range(6):
        made = choose(tools, situation)
        if not made:
            break
        situation.calls += [
            (choice.tool.name, {"n": len(situation.calls) + number}, next(given, "ok"), False)
            for number, choice in enumerate(made)
        ]
    return [name for name, _, _, _ in situation.calls]


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ('Write a file a.txt with the text "one, two", run `cat a.txt` and report the output', ["Write", "Shell"]),
        ("Run `echo $((2 + 3))` and tell me what it printed", ["Shell"]),
        ('Read b.txt, then replace "red" with "blue" in it', ["Read", "Edit"]),
        ("What is in b.txt?", ["Read"]),
        ("Use the Explore agent to find where parse_date is defined", ["Helper"]),
        ("where is parse_date defined?", ["Grep"]),
        ("which files import numpy?", ["Grep"]),
        ("where do we call parse_date? just file and line", ["Grep"]),
    ],
)
def test_an_agent_uses_the_tool_that_is_meant(asked: str, called: list[str]) -> None:
    assert names(AGENT, asked) == called


@pytest.mark.parametrize(
    ("asked", "called"),
    [
        ("I don't want the money back for order 5512, just give me a voucher for it", ["issue_voucher"]),
        ("Order 5512 arrived broken. Give me a voucher for it please", ["issue_voucher"]),
        ("Don't cancel order 5512, refund it", ["refund_order"]),
    ],
)
def test_what_is_denied_or_only_told_is_not_called(asked: str, called: list[str]) -> None:
    assert names(SHOP, asked) == called


def test_an_id_of_another_kind_is_turned_into_the_one_that_is_needed() -> None:
    asked = "where is my parcel? order number is A-7091, I have no tracking number"
    assert names(SHOP, asked, '{"tracking_number": "TR99"}') == ["get_order", "track_parcel"]


def test_both_means_each_of_the_things_spoken_of_before() -> None:
    earlier = [
        ("user", "Open valve 3 for 10 minutes"),
        ("assistant", "Done."),
        ("user", "same for valve 5 but 25 minutes"),
        ("assistant", "Done."),
    ]
    asks = [choice.ask for choice in choose(VALVES, Situation("close both", earlier))]
    assert asks == ["close valve 3", "close valve 5"]


@pytest.mark.parametrize(
    "asked",
    [
        "Why do parcels take so long at Christmas, and what can I do about it?",
        "What's the usual time for a parcel to Spain?",
        "Is Spain worth visiting?",
        "write a short, friendly birthday message for me",
        "Is an order supposed to be signed for when you get it?",
    ],
)
def test_talk_calls_nothing(asked: str) -> None:
    assert names(SHOP, asked) == []


def test_a_long_ask_with_many_tools_is_no_burden() -> None:
    tools = [tool(f"{one.name}_{number}", one.description, *[]) for number in range(2) for one in AGENT + SHOP]
    asked = ". ".join(f"Read file{number}.txt and tell me what it says about order {number}" for number in range(16))
    choose(tools, Situation("hello"))
    spent: list[float] = []
    for _ in range(5):
        begin = time.process_time()
        choose(tools, Situation(asked))
        spent.append(time.process_time() - begin)
    assert min(spent) < 0.03
