"""The official OpenAI SDK for Python, in an environment of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from clients.installs import ROOT, python_client, run
from clients.outcomes import ADA, Outcomes, python_outcomes
from servers import RunningServer, clean_environment

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def outcomes(server: RunningServer) -> Outcomes:
    return python_outcomes("openai", server)


def test_a_completion_is_read(outcomes: Outcomes) -> None:
    answer = outcomes["completion"]
    assert (answer["text"], answer["refusal"], answer["finish_reason"]) == ("noon", None, "stop")
    assert answer["id"].startswith("msg_")
    assert answer["request_id"].startswith("req_")
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_a_stream_is_read_to_its_usage(outcomes: Outcomes) -> None:
    answer = outcomes["stream"]
    assert [number for number in range(1, 21) if str(number) not in answer["text"]] == []
    assert answer["pieces"] > 3
    assert (answer["finish_reason"], answer["ids"]) == ("stop", 1)
    assert answer["tokens"] > 20


def test_the_sdk_s_own_accumulator_parses_a_streamed_call(outcomes: Outcomes) -> None:
    answer = outcomes["stream_of_events"]
    assert answer["city"] == "Paris"
    assert "tool_calls.function.arguments.done" in answer["kinds"]


@pytest.mark.parametrize("case", ["tool_loop", "tool_loop_one_at_a_time"])
def test_a_tool_loop_ends_with_the_answer(outcomes: Outcomes, case: str) -> None:
    answer = outcomes[case]
    assert answer["calls"] == [["get_weather", {"city": "Paris"}], ["get_weather", {"city": "Rome"}]]
    assert "18" in answer["text"]


def test_a_forced_tool_is_called(outcomes: Outcomes) -> None:
    assert outcomes["forced_tool"] == {"parsed": "GetWeather", "reason": "tool_calls"}


@pytest.mark.parametrize("case", ["parsed", "parsed_stream"])
def test_structured_output_is_parsed(outcomes: Outcomes, case: str) -> None:
    assert outcomes[case] == ADA


def test_a_picture_is_seen(outcomes: Outcomes) -> None:
    answer = outcomes["picture"]
    assert answer["text"]
    assert answer["tokens"] > 8


def test_thinking_is_asked_for_and_not_shown(outcomes: Outcomes) -> None:
    assert "391" in outcomes["thinking"]


def test_max_tokens_and_stop_sequences_end_an_answer(outcomes: Outcomes) -> None:
    assert outcomes["cut"] == ["length", 5]
    reason, text = outcomes["stopped"]
    assert reason == "stop"
    assert "6" in text
    assert "7" not in text


def test_the_documented_classes_are_raised(outcomes: Outcomes) -> None:
    assert outcomes["errors"] == [
        ["AuthenticationError", 401, "authentication_error", "invalid_request_error", None],
        ["NotFoundError", 404, "not_found_error", "invalid_request_error", None],
        ["BadRequestError", 400, "invalid_request_error", "invalid_request_error", "n"],
        ["BadRequestError", 400, "invalid_request_error", "invalid_request_error", None],
        ["BadRequestError", 400, "invalid_request_error", "invalid_request_error", None],
    ]


def test_the_example_of_the_documentation_runs(server: RunningServer, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "openai.md").read_text("utf-8"), re.DOTALL | re.M)
    program = tmp_path / "example.py"
    filled = code.replace("http://127.0.0.1:8484", server.url).replace("sk-understudy-api-…", server.api_key)
    program.write_text(filled, "utf-8")
    greeting, counted = run([str(python_client("openai")), str(program)], env=clean_environment()).splitlines()
    assert greeting
    assert counted == ", ".join(str(number) for number in range(1, 21))
