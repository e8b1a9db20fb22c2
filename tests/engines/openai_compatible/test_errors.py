"""What upstreams say when something is wrong, and what the caller is told."""

from __future__ import annotations

from typing import Any

import pytest

from understudy.engines.openai_compatible.errors import PromptTooLongError, api_error, read_error
from understudy.wire.errors import ApiError

SECRET = "local-key-0123456789"


def error(status: int, body: Any, headers: dict[str, str] | None = None, max_tokens: int = 1_000) -> ApiError:
    return api_error(
        status,
        read_error(body),
        headers or {},
        model="my-model",
        max_tokens=max_tokens,
        secrets=(SECRET, "10.0.0.9:80"),
    )


def said(message: str, **more: Any) -> dict[str, Any]:
    return {"error": {"message": message, **more}}


TABLE: list[tuple[int, Any, int, str, str]] = [
    (400, said("temperature: too hot"), 400, "invalid_request_error", "temperature: too hot"),
    (422, {"detail": "no such field"}, 400, "invalid_request_error", "no such field"),
    (400, {"object": "error", "message": "bad", "code": 400}, 400, "invalid_request_error", "bad"),
    (400, {"error": "plain"}, 400, "invalid_request_error", "plain"),
    (400, None, 400, "invalid_request_error", "Invalid request"),
    (
        401,
        said(f"Incorrect API key: {SECRET}"),
        500,
        "api_error",
        "The model's server refused this server's credentials.",
    ),
    (403, said("no"), 500, "api_error", "The model's server refused this server's credentials."),
    (404, said("The model `x` does not exist"), 404, "not_found_error", "model: my-model"),
    (
        404,
        {"detail": "Not Found"},
        500,
        "api_error",
        "The model's server has no chat completions at its configured address.",
    ),
    (408, None, 504, "timeout_error", "The model did not answer in time."),
    (413, None, 413, "request_too_large", "Request exceeds the maximum size"),
    (429, said("slow down"), 429, "rate_limit_error", "slow down"),
    (500, said("CUDA error at 10.0.0.9:80"), 500, "api_error", "The model's server failed."),
    (502, b"<html>", 500, "api_error", "The model's server failed."),
    (503, said("loading"), 529, "overloaded_error", "Overloaded"),
    (529, None, 529, "overloaded_error", "Overloaded"),
    (302, None, 500, "api_error", "The model's server failed."),
    # In a stream, or in a 200, the body alone tells.
    (200, said("slow down", code=429), 429, "rate_limit_error", "slow down"),
    (200, said("slow down", type="rate_limit_error"), 429, "rate_limit_error", "slow down"),
    (200, said("bad", code="400"), 400, "invalid_request_error", "bad"),
    (200, said("died"), 500, "api_error", "The model's server failed."),
]


@pytest.mark.parametrize(("status", "body", "expected", "kind", "message"), TABLE)
def test_an_upstreams_error_is_one_of_the_apis(status: int, body: Any, expected: int, kind: str, message: str) -> None:
    made = error(status, body)
    assert (made.status, made.type, made.message) == (expected, kind, message)


TOO_LONG = "prompt is too long: 5000 tokens > 4096 maximum"
NO_ROOM = (
    "input length and `max_tokens` exceed context limit: 4000 + 1000 > 4096, decrease input length or `max_tokens` and "
    "try again"
)
LENGTHS: list[tuple[Any, str]] = [
    (
        said(
            "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens.",
            code="context_length_exceeded",
        ),
        TOO_LONG,
    ),
    (
        said(
            "This model's maximum context length is 4096 tokens. However, you requested 6000 tokens (5000 in the "
            "messages, 1000 in the completion). "
        ),
        TOO_LONG,
    ),
    (
        said(
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens (4000 in the "
            "messages, 1000 in the completion). "
        ),
        NO_ROOM,
    ),
    (
        {
            "object": "error",
            "message": "This model's maximum context length is 4096 tokens. However, your request has "
            "5000 input tokens. ",
            "code": 400,
        },
        TOO_LONG,
    ),
    (
        said(
            "'max_tokens' or 'max_completion_tokens' is too large: 1000. This model's maximum context length is 4096 "
            "tokens and your request has 4000 input tokens (1000 > 4096 - 4000)."
        ),
        NO_ROOM,
    ),
    (
        said(
            "You passed 5000 input tokens and requested 1000 output tokens. However, the model's context length is "
            "only 4096 tokens."
        ),
        TOO_LONG,
    ),
    (said("The input (5000 tokens) is longer than the model's context length (4096 tokens)."), TOO_LONG),
    (
        said(
            "Requested token count exceeds the model's maximum context length of 4096 tokens. You requested a total of "
            "5000 tokens: 4000 tokens from the input messages and 1000 tokens for the completion."
        ),
        NO_ROOM,
    ),
    (said("Input tokens exceed the configured limit of 4096 tokens. Your messages resulted in 5000 tokens."), TOO_LONG),
    (
        said(
            "request (5000 tokens) exceeds the available context size (4096 tokens)",
            code=400,
            type="exceed_context_size_error",
            n_prompt_tokens=5000,
            n_ctx=4096,
        ),
        TOO_LONG,
    ),
    (
        said(
            "Trying to keep the first 5000 tokens when context the overflows. However, the model is loaded with "
            "context length of only 4096 tokens."
        ),
        TOO_LONG,
    ),
    (said("too much", code="context_length_exceeded"), "prompt is too long: too much"),
]


@pytest.mark.parametrize(("body", "message"), LENGTHS)
@pytest.mark.parametrize("status", [200, 400])
def test_a_prompt_that_is_too_long_is_told_with_both_numbers(status: int, body: Any, message: str) -> None:
    made = error(status, body | {"error": body["error"] | {"code": 400}} if status == 200 and "error" in body else body)
    if message.endswith("too much") and status == 200:
        return
    assert isinstance(made, PromptTooLongError)
    assert made.message == message
    assert made.answer == (96 if message == NO_ROOM else 0)


@pytest.mark.parametrize("value", ["30", "0.5", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_when_to_come_again_is_kept(value: str) -> None:
    for status in (429, 503, 500):
        assert error(status, None, {"retry-after": value}).headers == {"retry-after": value}


@pytest.mark.parametrize("value", ["", "soon", "1\r\nx: y", "-1"])
def test_what_is_no_time_is_not_kept(value: str) -> None:
    assert error(429, None, {"retry-after": value}).headers == {}


@pytest.mark.parametrize(
    "message",
    [
        f"key {SECRET} at 10.0.0.9:80",
        "Bearer abcdefghijkl was bad",
        "sk-proj-abc123def456 is wrong",
        "see http://inner.host:8000/v1/x?key=1",
    ],
)
def test_nothing_secret_is_repeated(message: str) -> None:
    shown = error(400, said(message)).message
    for secret in (SECRET, "10.0.0.9", "abcdefghijkl", "abc123def456", "inner.host"):
        assert secret not in shown


def test_a_flood_is_cut_and_control_characters_go() -> None:
    shown = error(400, said("\x1b[31m" + "a" * 10_000)).message
    assert len(shown) <= 2_000
    assert "\x1b" not in shown


@pytest.mark.parametrize("body", [None, 3, [], {}, {"choices": []}, {"error": None, "choices": []}, {"error": ""}])
def test_what_is_no_error_is_none(body: Any) -> None:
    assert read_error(body) is None
