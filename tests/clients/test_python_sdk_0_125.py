"""The Python SDK of the previous API version (2023-06-01, x-api-key), in an environment of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clients.installs import python_client, run
from servers import RunningServer, clean_environment

SCRIPT = Path(__file__).with_name("old_sdk_script.py")

pytestmark = pytest.mark.slow  # the first run downloads the client


@pytest.fixture(scope="module")
def answers(server: RunningServer) -> dict[str, Any]:
    python = python_client("anthropic-0.125")
    printed = run([str(python), str(SCRIPT), server.url, server.api_key], env=clean_environment(), timeout=180)
    return json.loads(printed)


def check_message(message: dict[str, Any]) -> None:
    assert message["id"].startswith("msg_")
    assert message["role"] == "assistant"
    assert message["model"].startswith("claude-sonnet-4-5")
    assert message["text"].strip()
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["input_tokens"] > 0
    assert message["output_tokens"] > 0


def test_it_is_the_old_sdk(answers: dict[str, Any]) -> None:
    assert answers["version"].startswith("0.125.")


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_create_and_the_stream_helper_give_whole_messages(answers: dict[str, Any], kind: str) -> None:
    check_message(answers[kind]["plain"])
    check_message(answers[kind]["helper"])
    assert answers[kind]["helper_text"] == answers[kind]["helper"]["text"] == answers[kind]["plain"]["text"]


def test_a_raw_stream_follows_the_grammar(answers: dict[str, Any]) -> None:
    types = answers["sync"]["raw_events"]
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(types[2:-3]) == {"content_block_delta"}


def test_headers_carry_the_request_id(answers: dict[str, Any]) -> None:
    assert answers["sync"]["plain_request_id"].startswith("req_")
    assert answers["sync"]["raw_headers"]["request-id"].startswith("req_")
    assert answers["sync"]["raw_headers"]["content-type"] == "application/json"


def test_max_tokens_and_stop_sequences_are_obeyed(answers: dict[str, Any]) -> None:
    cut = answers["sync"]["max_tokens"]
    assert (cut["stop_reason"], cut["output_tokens"]) == ("max_tokens", 3)
    stopped = answers["sync"]["stop_sequence"]
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "e")
    assert "e" not in stopped["text"]


def test_sampling_parameters_are_accepted_in_this_version(answers: dict[str, Any]) -> None:
    check_message(answers["sync"]["sampling"])


def test_a_stream_closed_half_way_leaves_the_server_well(answers: dict[str, Any]) -> None:
    assert answers["sync"]["half_closed"]["first"] == "message_start"
    check_message(answers["sync"]["half_closed"]["after"])


@pytest.mark.parametrize(
    ("case", "name", "status", "error_type"),
    [
        ("no_messages", "BadRequestError", 400, "invalid_request_error"),
        ("unknown_field", "BadRequestError", 400, "invalid_request_error"),
        ("wrong_key", "AuthenticationError", 401, "authentication_error"),
        ("unknown_model", "NotFoundError", 404, "not_found_error"),
        ("too_large", "RequestTooLargeError", 413, "request_too_large"),
        ("no_such_model", "NotFoundError", 404, "not_found_error"),
        ("completion", "BadRequestError", 400, "invalid_request_error"),
    ],
)
def test_errors_raise_their_class(answers: dict[str, Any], case: str, name: str, status: int, error_type: str) -> None:
    error = answers["sync"]["errors"][case]
    assert (error["class"], error["status"]) == (name, status)
    assert error["body"]["error"]["type"] == error_type
    assert error["body"]["request_id"] == error["request_id"]


def test_models_are_listed_over_pages_and_retrieved_by_alias(answers: dict[str, Any]) -> None:
    models = answers["sync"]["models"]
    assert len({model["id"] for model in models}) == len(models) > 16
    assert all(model["capabilities"]["batch"]["supported"] for model in models)
    assert answers["sync"]["model"] == "claude-haiku-4-5-20251001"
