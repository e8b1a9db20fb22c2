"""claude-agent-sdk, in an environment of its own. It runs the Claude Code it brings along."""

from __future__ import annotations

import pytest

from clients.outcomes import ADA, Outcomes, python_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def outcomes(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    return python_outcomes("agent-sdk", server, str(tmp_path_factory.mktemp("agent-home")))


def test_a_tool_of_the_calling_process_is_called(outcomes: Outcomes) -> None:
    outcome = outcomes["tool_of_this_process"]
    assert outcome["called"] == ["Paris"]
    assert (outcome["subtype"], outcome["is_error"]) == ("success", False)
    assert "light rain" in outcome["texts"][-1]


def test_the_answer_fills_the_schema(outcomes: Outcomes) -> None:
    assert outcomes["output_by_schema"] == {"output": ADA, "subtype": "success", "is_error": False}
