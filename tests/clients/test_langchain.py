"""langchain-anthropic, in an environment of its own."""

from __future__ import annotations

import pytest

from clients.outcomes import ADA, Outcomes, python_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return python_outcomes("langchain", server)


def test_bound_tools_are_called_and_their_results_answered(outcomes: Outcomes) -> None:
    outcome = outcomes["tool_loop"]
    assert outcome["calls"] == [["get_weather", {"city": "Paris"}]]
    assert "light rain" in outcome["text"]
    assert outcome["usage"]["input_tokens"] > 0
    assert outcome["usage"]["output_tokens"] > 0


def test_a_streamed_call_after_thinking_is_put_together_and_goes_back(outcomes: Outcomes) -> None:
    outcome = outcomes["streamed_call"]
    assert (outcome["kinds"], outcome["calls"]) == (["reasoning", "tool_call"], [["get_weather", {"city": "Paris"}]])
    assert outcome["pieces"] > 1
    assert "light rain" in outcome["text"]


def test_a_stream_gives_the_text_of_the_whole(outcomes: Outcomes) -> None:
    outcome = outcomes["streamed_text"]
    assert outcome["streamed"] == outcome["whole"] != ""


@pytest.mark.parametrize("case", ["structured_by_tool", "structured_by_schema"])
def test_structured_output_fills_a_pydantic_model(outcomes: Outcomes, case: str) -> None:
    assert outcomes[case] == ADA


def test_what_it_counts_is_what_is_used(outcomes: Outcomes) -> None:
    outcome = outcomes["counted"]
    assert outcome["counted"] == outcome["used"] > 0
