"""The official TypeScript SDK (API version 2026-10-21, Bearer) under Node.js."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clients.installs import run
from clients.nodejs import NODE_DIRECTORY, node, node_modules
from servers import RunningServer, clean_environment

pytestmark = pytest.mark.slow  # the first run downloads the clients


@pytest.fixture(scope="module")
def answers(server: RunningServer) -> dict[str, Any]:
    node_modules()
    script = NODE_DIRECTORY / "sdk.mjs"
    return json.loads(run([str(node()), str(script), server.url, server.api_key], env=clean_environment(), timeout=180))


def check_message(message: dict[str, Any], model: str = "claude-sonnet-4-5") -> None:
    assert message["id"].startswith("msg_")
    assert message["role"] == "assistant"
    assert message["model"].startswith(model)
    assert message["text"].strip()
    assert (message["stop_reason"], message["stop_sequence"]) == ("end_turn", None)
    assert message["input_tokens"] > 0
    assert message["output_tokens"] > 0


def test_create_answers_with_a_message(answers: dict[str, Any]) -> None:
    check_message(answers["plain"])
    check_message(answers["newest"], "claude-opus-5-5")


def test_headers_carry_the_request_id(answers: dict[str, Any]) -> None:
    assert answers["headers"]["request-id"].startswith("req_")
    assert answers["headers"]["request-id"] == answers["plain_request_id"]


def test_a_raw_stream_follows_the_grammar_and_gives_the_same_text_as_the_whole(answers: dict[str, Any]) -> None:
    types = answers["raw"]["types"]
    assert types[:2] == ["message_start", "content_block_start"]
    assert types[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(types[2:-3]) == {"content_block_delta"}
    assert answers["raw"]["text"] == answers["plain"]["text"]


def test_the_stream_helper_gathers_the_message(answers: dict[str, Any]) -> None:
    check_message(answers["helper"]["message"])
    assert answers["helper"]["text"] == answers["helper"]["message"]["text"]


def test_max_tokens_and_stop_sequences_are_obeyed(answers: dict[str, Any]) -> None:
    assert (answers["max_tokens"]["stop_reason"], answers["max_tokens"]["output_tokens"]) == ("max_tokens", 3)
    stopped = answers["stop_sequence"]
    assert (stopped["stop_reason"], stopped["stop_sequence"]) == ("stop_sequence", "e")
    assert "e" not in stopped["text"]


def test_a_stream_closed_half_way_leaves_the_server_well(answers: dict[str, Any]) -> None:
    assert answers["half_closed"]["first"] == "message_start"
    check_message(answers["half_closed"]["after"])


def test_models_are_listed_over_pages_and_retrieved_by_alias(answers: dict[str, Any]) -> None:
    ids = answers["models"]["ids"]
    assert len(set(ids)) == len(ids) > 16
    model = answers["models"]["retrieved"]
    assert (model["id"], model["lifecycle"], model["line"]) == ("claude-haiku-4-5-20251001", "active", "haiku")


@pytest.mark.parametrize(
    ("case", "name", "status", "error_type"),
    [
        ("no_messages", "BadRequestError", 400, "invalid_request_error"),
        ("unknown_field", "BadRequestError", 400, "invalid_request_error"),
        ("wrong_key", "AuthenticationError", 401, "authentication_error"),
        ("unknown_model", "NotFoundError", 404, "not_found_error"),
        ("too_large", "ContentTooLargeError", 413, "request_too_large"),
        ("no_such_model", "NotFoundError", 404, "not_found_error"),
    ],
)
def test_errors_raise_their_class(answers: dict[str, Any], case: str, name: str, status: int, error_type: str) -> None:
    error = answers["errors"][case]
    assert error["is_api_error"]
    assert (error["class"], error["status"], error["type"]) == (name, status, error_type)
    assert error["request_id"] == error["body_request_id"]
