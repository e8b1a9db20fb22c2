"""instructor, in an environment of its own, over the anthropic release it pins (API version 2023-06-01)."""

from __future__ import annotations

import pytest

from clients.outcomes import ADA, Outcomes, python_outcomes
from servers import RunningServer

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return python_outcomes("instructor", server)


@pytest.mark.parametrize("case", ["tools", "asynchronous"])
def test_a_response_model_is_filled(outcomes: Outcomes, case: str) -> None:
    assert outcomes[case] == ADA


def test_a_nested_response_model_is_filled(outcomes: Outcomes) -> None:
    outcome = outcomes["nested"]
    assert outcome["status"] == "open"
    assert outcome["items"] == [{"name": "apples", "count": 3}, {"name": "pears", "count": 2}]


def test_a_partial_model_grows_to_the_whole(outcomes: Outcomes) -> None:
    outcome = outcomes["partial"]
    assert outcome["parts"] > 1
    assert outcome["last"] == ADA
