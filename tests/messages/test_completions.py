"""POST /v1/complete: what is left of the API before Messages."""

from __future__ import annotations

from typing import Any

import pytest

from asgi import InProcess

PROMPT = {"prompt": "\n\nHuman: Hello\n\nAssistant:", "max_tokens_to_sample": 16}


@pytest.fixture
def api() -> InProcess:
    return InProcess(names=["my-model"])


@pytest.mark.parametrize(
    "model", ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-3-opus-20240229", "my-model"]
)
async def test_every_model_is_sent_to_the_messages_api(api: InProcess, model: str) -> None:
    """The words are those of a recorded answer of 2026-08; the model is named as the request does."""
    answer = await api.post({"model": model, **PROMPT}, "/v1/complete")
    error = answer.json()["error"]
    assert (answer.status, error["type"]) == (400, "invalid_request_error")
    assert error["message"] == f'"{model}" is not supported on this API. Please use the Messages API instead.'


async def test_an_unknown_model_is_not_found(api: InProcess) -> None:
    answer = await api.post({"model": "claude-2.1", **PROMPT, "stream": True}, "/v1/complete")
    assert (answer.status, answer.json()["error"]["message"]) == (404, "model: claude-2.1")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "model: Field required"),
        ({"model": "claude-haiku-4-5"}, "prompt: Field required"),
        ({"model": "claude-haiku-4-5", "prompt": "Hi"}, "max_tokens_to_sample: Field required"),
        ({"model": 4, **PROMPT}, "model: Input should be a valid string"),
        ([], "Input should be an object"),
    ],
)
async def test_what_is_missing_is_named(api: InProcess, request_: Any, message: str) -> None:
    answer = await api.post(request_, "/v1/complete")
    assert (answer.status, answer.json()["error"]["message"]) == (400, message)
