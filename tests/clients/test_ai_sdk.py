"""The AI SDK (`ai` with `@ai-sdk/anthropic`, API version 2023-06-01) under Node.js."""

from __future__ import annotations

import pytest

from clients.outcomes import ADA, Outcomes, node_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the clients


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return node_outcomes("ai_sdk.mjs", server)


def test_generate_text_goes_through_the_tool_loop(outcomes: Outcomes) -> None:
    outcome = outcomes["tool_loop"]
    assert (outcome["called"], outcome["steps"], outcome["finishReason"]) == (["Paris"], ["tool-calls", "stop"], "stop")
    assert "light rain" in outcome["text"]
    assert outcome["totalUsage"]["inputTokens"] > 0


def test_stream_text_gives_thinking_calls_and_text(outcomes: Outcomes) -> None:
    outcome = outcomes["streamed_tool_loop"]
    assert (outcome["called"], outcome["steps"]) == (["Paris"], 2)
    assert {"reasoning-delta", "tool-input-delta", "tool-call", "tool-result", "text-delta"} <= set(outcome["types"])
    assert "light rain" in outcome["text"]


def test_generate_object_fills_the_schema(outcomes: Outcomes) -> None:
    assert outcomes["object"] == ADA


def test_stream_object_grows_to_the_whole_object(outcomes: Outcomes) -> None:
    outcome = outcomes["streamed_object"]
    assert outcome["last"] == outcome["object"] == ADA


def test_an_output_schema_is_filled_after_a_tool_was_called(outcomes: Outcomes) -> None:
    assert outcomes["output_beside_tools"] == {"called": ["Paris"], "output": {"city": "Paris", "temperature": 18}}
