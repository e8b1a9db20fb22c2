"""What passes between a client of the Messages API and Claude on Vertex AI."""

from __future__ import annotations

import json
from typing import Any

import pytest

from asgi import KEY
from engines.clouds.fakes import (
    MODEL,
    REQUEST,
    STREAM,
    VERTEX_TOKEN,
    say_events,
    say_json,
    say_whole,
    through,
    vertex,
)
from fake_claude import EVENTS, MESSAGE, error, frame
from streams import parse_sse
from understudy.engines.vertex import VertexSettings
from understudy.engines.vertex.models import vertex_name

MODELS = "/projects/a-project/locations/us-east5/publishers/anthropic/models/"


async def test_a_request_is_translated_and_bears_only_our_credentials() -> None:
    async with through(vertex, say_whole) as (gateway, fake):
        headers = {
            "x-api-key": KEY,
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "files-api-2025-04-14,context-1m-2025-08-07",
            "user-agent": "claude-cli/2",
        }
        body = json.dumps({**REQUEST, "service_tier": "auto", "stream": False}).encode()
        answer = await gateway.call(headers=headers, body=body, query=b"beta=true")
    assert answer.status == 200, answer.body
    asked = fake.asked[0]
    assert asked.path == MODELS + "claude-haiku-4-5@20251001:rawPredict"
    assert json.loads(asked.body) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 9,
        "messages": REQUEST["messages"],
        "stream": False,
    }
    assert asked.headers["anthropic-beta"] == "context-1m-2025-08-07"
    assert asked.headers["authorization"] == f"Bearer {VERTEX_TOKEN}"
    assert asked.headers["user-agent"] == "claude-cli/2" and KEY not in str(asked.headers)
    assert answer.json() == {**MESSAGE, "model": "claude-haiku-4-5-20251001"}


async def test_a_stream_passes_byte_for_byte() -> None:
    async with through(vertex, say_events) as (gateway, fake):
        answer = await gateway.post(STREAM)
    assert fake.asked[0].path == MODELS + "claude-haiku-4-5@20251001:streamRawPredict"
    assert json.loads(fake.asked[0].body)["stream"] is True
    assert answer.body == b"".join(map(frame, EVENTS)).replace(b"up-model-20260101", b"claude-haiku-4-5-20251001")
    assert gateway.records.kept[0].output_tokens == 42


async def test_tokens_are_counted_by_the_clouds_own_route() -> None:
    async with through(vertex, say_json({"input_tokens": 17})) as (gateway, fake):
        answer = await gateway.post({"model": MODEL, "messages": REQUEST["messages"]}, "/v1/messages/count_tokens")
    assert (answer.status, answer.json()) == (200, {"input_tokens": 17})
    assert fake.asked[0].path == MODELS + "count-tokens:rawPredict"
    assert json.loads(fake.asked[0].body)["model"] == "claude-haiku-4-5@20251001"


def google(code: int, status: str) -> dict[str, Any]:
    return {"error": {"code": code, "status": status, "message": "Of `projects/a-project/x`: too bad."}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, google(400, "INVALID_ARGUMENT"), (400, "invalid_request_error")),
        (400, google(400, "FAILED_PRECONDITION"), (400, "invalid_request_error")),
        (401, google(401, "UNAUTHENTICATED"), (401, "authentication_error")),
        (403, google(403, "PERMISSION_DENIED"), (403, "permission_error")),
        (404, google(404, "NOT_FOUND"), (404, "not_found_error")),
        (429, google(429, "RESOURCE_EXHAUSTED"), (429, "rate_limit_error")),
        (429, [google(429, "RESOURCE_EXHAUSTED")], (429, "rate_limit_error")),
        (500, google(500, "INTERNAL"), (500, "api_error")),
        (503, google(503, "UNAVAILABLE"), (529, "overloaded_error")),
        (504, google(504, "DEADLINE_EXCEEDED"), (504, "timeout_error")),
        (502, [], (502, "api_error")),
        (499, {"error": "odd"}, (400, "invalid_request_error")),
        (529, error("overloaded_error"), (529, "overloaded_error")),
        (413, error("request_too_large"), (413, "request_too_large")),
    ],
)
@pytest.mark.parametrize("request_", [REQUEST, STREAM])
async def test_its_errors_are_the_apis_under_our_request_id(
    status: int, body: Any, expected: tuple[int, str], request_: dict[str, Any]
) -> None:
    async with through(vertex, say_json(body, status)) as (gateway, _):
        answer = await gateway.post(request_)
    answered = answer.json()
    assert (answer.status, answered["error"]["type"]) == expected
    assert answered["request_id"] == answer.headers["request-id"]
    assert b"a-project" not in answer.body


async def test_a_refusal_does_not_repeat_the_token() -> None:
    async with through(vertex, say_json(error("invalid_request_error", f"what is {VERTEX_TOKEN}?"), 400)) as (one, _):
        answer = await one.post(REQUEST)
    assert answer.status == 400 and VERTEX_TOKEN.encode() not in answer.body


async def test_an_error_in_the_stream_is_told() -> None:
    def say(talk: Any) -> None:
        talk.begin()
        for event in (*EVENTS[:3], error("overloaded_error")):
            talk.chunk(frame(event))
        talk.end()

    async with through(vertex, say) as (gateway, _):
        events = parse_sse((await gateway.post(STREAM)).body)
    assert events[-1]["error"]["type"] == "overloaded_error"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("global", "aiplatform.googleapis.com"),
        ("eu", "aiplatform.eu.rep.googleapis.com"),
        ("europe-west1", "europe-west1-aiplatform.googleapis.com"),
    ],
)
def test_each_region_has_an_address(region: str, host: str) -> None:
    assert VertexSettings(region).url == f"https://{host}/v1"


def test_models_are_called_as_vertex_calls_them() -> None:
    assert vertex_name("claude-opus-5-5") == "claude-opus-5-5"
    assert vertex_name("claude-haiku-4-5") == vertex_name("claude-haiku-4-5-20251001") == "claude-haiku-4-5@20251001"
    assert vertex_name("claude-haiku-4-5@20251001") == "claude-haiku-4-5@20251001"
