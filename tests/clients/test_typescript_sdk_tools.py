"""The official TypeScript SDK's helpers for tools, schemas, thinking and streams."""

from __future__ import annotations

import json

import pytest

from clients.outcomes import ADA, Outcomes, node_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the clients


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return node_outcomes("sdk_tools.mjs", server)


def test_the_tool_runner_calls_a_zod_tool_and_ends_with_its_result(outcomes: Outcomes) -> None:
    outcome = outcomes["tool_runner"]
    assert (outcome["called"], outcome["stops"]) == (["Paris"], ["tool_use", "end_turn"])
    assert "light rain" in outcome["text"]


def test_the_tool_runner_streams_each_turn(outcomes: Outcomes) -> None:
    assert outcomes["streaming_tool_runner"] == {"called": ["Paris"], "stops": ["tool_use", "end_turn"], "starts": 2}


def test_parse_fills_a_zod_object(outcomes: Outcomes) -> None:
    assert outcomes["parsed"] == ADA


@pytest.mark.parametrize("case", ["thinking_budget", "thinking_adaptive"])
def test_the_stream_helper_gives_thinking_then_the_call_and_both_go_back(outcomes: Outcomes, case: str) -> None:
    outcome = outcomes[case]
    message, seen = outcome["message"], outcome["seen"]
    thinking, call = message["content"][0], message["content"][-1]
    assert message["stop_reason"] == "tool_use"
    assert seen["thinking"] == thinking["thinking"] != ""
    assert seen["signature"] == thinking["signature"] != ""
    assert json.loads(seen["json"]) == call["input"] == {"city": "Paris"}
    assert outcome["answer"]["stop_reason"] == "end_turn"
    assert "light rain" in outcome["answer"]["text"]
