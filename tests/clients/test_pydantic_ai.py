"""pydantic-ai, in an environment of its own. It always streams, even where it gives a whole answer."""

from __future__ import annotations

import pytest

from clients.outcomes import ADA, Outcomes, python_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return python_outcomes("pydantic-ai", server)


def test_an_agent_calls_its_tool_and_answers(outcomes: Outcomes) -> None:
    outcome = outcomes["tools"]
    assert (outcome["called"], outcome["requests"]) == (["Paris"], 2)
    assert "light rain" in outcome["text"]


def test_an_agent_thinks_before_it_calls(outcomes: Outcomes) -> None:
    outcome = outcomes["tools_after_thinking"]
    assert outcome["called"] == ["Paris"]
    assert outcome["kinds"][:4] == ["user-prompt", "thinking", "tool-call", "tool-return"]
    assert outcome["kinds"][-1] == "text"


@pytest.mark.parametrize("case", ["output_by_tool", "output_by_schema"])
def test_an_agent_fills_its_output_type(outcomes: Outcomes, case: str) -> None:
    assert outcomes[case] == ADA


def test_an_agent_fills_its_output_type_from_what_a_tool_said(outcomes: Outcomes) -> None:
    assert outcomes["output_after_a_tool"] == {"called": ["Paris"], "output": {"city": "Paris", "temperature": 18}}


def test_a_streamed_run_ends_with_the_answer(outcomes: Outcomes) -> None:
    outcome = outcomes["streamed"]
    assert outcome["called"] == ["Paris"]
    assert "light rain" in outcome["text"]
