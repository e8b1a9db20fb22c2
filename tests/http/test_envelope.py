"""What every request of the API gets: identity, versions, betas, credentials, CORS, compression."""

from __future__ import annotations

import gzip
import json
from typing import Any

import brotli
import pytest
import zstandard

from asgi import HEADERS, KEY, ORGANIZATION, WORKSPACE, Answer, InProcess
from streams import check_stream, parse_sse

REQUEST = {"model": "claude-sonnet-4-5", "max_tokens": 64, "messages": [{"role": "user", "content": "Hello"}]}
BODY = json.dumps(REQUEST).encode()


@pytest.fixture
def api() -> InProcess:
    return InProcess()


def with_headers(**changes: str | None) -> dict[str, str]:
    """The usual headers, changed: underscores stand for hyphens, None leaves one out."""
    headers = dict(HEADERS)
    for name, value in changes.items():
        name = name.replace("_", "-")
        headers.pop(name, None)
        if value is not None:
            headers[name] = value
    return headers


def message(answer: Answer) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status, error["type"], error["message"]


async def test_an_answer_names_organization_workspace_engine_and_request(api: InProcess) -> None:
    answer = await api.post(REQUEST)
    assert answer.status == 200
    assert answer.headers["anthropic-organization-id"] == ORGANIZATION
    assert answer.headers["anthropic-workspace-id"] == WORKSPACE
    assert answer.headers["understudy-engine"] == "simulator/claude-sonnet-4-5-20250929"
    assert answer.headers["request-id"].startswith("req_011C")
    assert "x-should-retry" not in answer.headers


async def test_the_message_has_the_keys_of_today_in_their_order(api: InProcess) -> None:
    whole = (await api.post(REQUEST)).json()
    assert list(whole) == [
        "model",
        "id",
        "type",
        "role",
        "content",
        "container",
        "stop_reason",
        "stop_sequence",
        "stop_details",
        "usage",
        "diagnostics",
    ]
    assert list(whole["usage"]) == [
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
        "output_tokens",
        "service_tier",
        "inference_geo",
    ]
    assert whole["usage"]["inference_geo"] == "not_available"
    assert list(whole["content"][0]) == ["type", "text"]


async def test_usage_names_thinking_tokens_when_and_only_when_thinking_is_on(api: InProcess) -> None:
    cases = [
        ("claude-sonnet-4-5", None, False),
        ("claude-sonnet-4-5", {"type": "enabled", "budget_tokens": 1024}, True),
        ("claude-sonnet-5", None, True),
        ("claude-sonnet-5", {"type": "disabled"}, False),
        ("claude-opus-4-8", {"type": "adaptive"}, True),
    ]
    for model, thinking, expected in cases:
        request: dict[str, Any] = {**REQUEST, "model": model, "max_tokens": 2000}
        if thinking is not None:
            request["thinking"] = thinking
        answer = await api.post(request)
        assert answer.status == 200, answer.body
        assert ("output_tokens_details" in answer.json()["usage"]) == expected, (model, thinking)


async def test_context_management_and_iterations_appear_with_their_betas(api: InProcess) -> None:
    plain = (await api.post(REQUEST)).json()
    assert "context_management" not in plain
    assert "iterations" not in plain["usage"]
    betas = "context-management-2025-06-27, advisor-tool-2026-03-01"
    whole = (await api.post(REQUEST, anthropic_beta=betas)).json()
    assert whole["context_management"] == {"applied_edits": []}
    assert whole["usage"]["iterations"][0]["type"] == "message"
    assert whole["usage"]["iterations"][0]["output_tokens"] == whole["usage"]["output_tokens"]


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("credential", ["x-api-key", "bearer", "both"])
async def test_both_versions_take_both_credentials(api: InProcess, version: str, credential: str) -> None:
    headers = with_headers(
        anthropic_version=version,
        x_api_key=KEY if credential != "bearer" else None,
        authorization=f"Bearer {KEY}" if credential != "x-api-key" else None,
    )
    assert (await api.call(headers=headers, body=BODY)).status == 200


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"x_api_key": None}, "x-api-key header is required"),
        ({"x_api_key": "nope"}, "invalid x-api-key"),
        ({"x_api_key": ""}, "invalid x-api-key"),
        ({"x_api_key": None, "authorization": "Bearer sk-nope"}, "API key is invalid."),
        ({"x_api_key": None, "authorization": "Bearer nope"}, "Invalid bearer token"),
        (
            {"x_api_key": None, "authorization": "Bearer sk-ant-oat01-x"},
            "OAuth authentication is currently not supported.",
        ),
        ({"x_api_key": None, "authorization": "Basic abc"}, "API key is invalid."),
        ({"x_api_key": None, "authorization": "Bearer"}, "API key is invalid."),
        ({"authorization": "Bearer other"}, "invalid x-api-key"),
        ({"x_api_key": "other", "authorization": f"Bearer {KEY}"}, "invalid x-api-key"),
        ({"x_api_key": f"{KEY},{KEY}"}, "invalid x-api-key"),
    ],
)
async def test_abuse_06_bad_missing_and_differing_credentials_are_401(
    api: InProcess, changes: dict[str, str | None], expected: str
) -> None:
    answer = await api.call(headers=with_headers(**changes), body=BODY)
    assert message(answer) == (401, "authentication_error", expected)
    assert "anthropic-organization-id" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        (None, "anthropic-version: header is required"),
        ("", "anthropic-version: unknown version. Supported versions: 2023-06-01, 2026-10-21"),
        ("2023-01-01", "anthropic-version: unknown version. Supported versions: 2023-06-01, 2026-10-21"),
        ("2099-01-01", "anthropic-version: unknown version. Supported versions: 2023-06-01, 2026-10-21"),
    ],
)
async def test_a_missing_or_unknown_version_is_a_400(api: InProcess, version: str | None, expected: str) -> None:
    answer = await api.call(headers=with_headers(anthropic_version=version), body=BODY)
    assert message(answer) == (400, "invalid_request_error", expected)


async def test_sampling_parameters_belong_to_the_old_version(api: InProcess) -> None:
    for name, value in (("temperature", 1.0), ("top_p", 0.9), ("top_k", 5)):
        old = await api.post({**REQUEST, name: value})
        new = await api.post({**REQUEST, name: value}, anthropic_version="2026-10-21")
        assert old.status == 200
        assert message(new) == (400, "invalid_request_error", f"{name}: Extra inputs are not permitted")


async def test_an_unknown_beta_is_refused_except_for_claude_code(api: InProcess) -> None:
    answer = await api.post(REQUEST, anthropic_beta="prompt-caching-2024-07-31,made-up-2030-01-01")
    assert message(answer) == (
        400,
        "invalid_request_error",
        "Unexpected value(s) `made-up-2030-01-01` for the `anthropic-beta` header. Please consult our documentation at "
        "platform.claude.com/docs or try again without the header.",
    )
    agent = "claude-cli/2.1.330 (external, sdk-cli)"
    assert (await api.post(REQUEST, anthropic_beta="made-up-2030-01-01", user_agent=agent)).status == 200


async def test_repeated_beta_headers_are_one_list(api: InProcess) -> None:
    body = json.dumps({**REQUEST, "context_management": {"edits": []}, "fallbacks": "default"}).encode()
    usual = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
    betas = [b"context-management-2025-06-27", b" server-side-fallback-2026-07-01 ,  "]
    both = await api.call(headers=[*usual, *((b"anthropic-beta", beta) for beta in betas)], body=body)
    one = await api.call(headers=[*usual, (b"anthropic-beta", betas[0])], body=body)
    assert both.status == 200, both.body
    assert message(one)[2] == "fallbacks: Extra inputs are not permitted"


async def test_the_beta_query_is_ignored(api: InProcess) -> None:
    assert (await api.call(headers=HEADERS, body=BODY, query=b"beta=true")).status == 200


async def test_a_model_that_does_not_exist_is_a_404_also_for_streams(api: InProcess) -> None:
    for stream in (False, True):
        answer = await api.post({**REQUEST, "model": "no-such-model", "stream": stream})
        assert message(answer) == (404, "not_found_error", "model: no-such-model")


async def test_aliases_lead_to_dated_ids(api: InProcess) -> None:
    for alias, dated in (
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-3-opus-latest", "claude-3-opus-20240229"),
        ("claude-opus-5-5", "claude-opus-5-5"),
    ):
        assert (await api.post({**REQUEST, "model": alias})).json()["model"] == dated


async def test_405_names_the_methods_that_are_allowed(api: InProcess) -> None:
    answer = await api.call("GET", "/v1/messages", headers=HEADERS)
    assert answer.status == 405
    assert answer.headers["allow"] == "POST"
    assert answer.json()["error"]["type"] == "invalid_request_error"


# --- browsers ---

_OPT_IN = "anthropic-dangerous-direct-browser-access"
_ORIGIN = "https://example.com"


async def test_a_browser_must_opt_in(api: InProcess) -> None:
    answer = await api.call(headers=with_headers(origin=_ORIGIN), body=BODY)
    assert message(answer) == (
        401,
        "authentication_error",
        "CORS requests must set 'anthropic-dangerous-direct-browser-access' header",
    )
    assert "access-control-allow-origin" not in answer.headers


async def test_a_browser_that_opted_in_may_read_answers_and_errors(api: InProcess) -> None:
    headers = {**with_headers(origin=_ORIGIN), _OPT_IN: "true"}
    for body in (BODY, b"{"):
        answer = await api.call(headers=headers, body=body)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "request-id" in answer.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answer.headers


async def test_a_preflight_is_answered_when_it_announces_the_opt_in(api: InProcess) -> None:
    asked = f"x-api-key,{_OPT_IN},content-type,anthropic-version"
    headers = {
        "origin": _ORIGIN,
        "access-control-request-method": "POST",
        "access-control-request-headers": asked,
    }
    answer = await api.call("OPTIONS", headers=headers)
    assert answer.status == 204
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-headers"] == asked.replace(",", ", ")
    headers["access-control-request-headers"] = "x-api-key"
    assert (await api.call("OPTIONS", headers=headers)).status == 401


# --- compression of answers ---


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip, br", "br"),
        ("gzip", "gzip"),
        ("GZIP;q=0.5", "gzip"),
        ("gzip;q=0", None),
        ("identity", None),
        ("", None),
    ],
)
async def test_a_long_answer_is_compressed_as_the_client_accepts(
    api: InProcess, accepted: str, coding: str | None
) -> None:
    request = {
        **REQUEST,
        "max_tokens": 4000,
        "messages": [{"role": "user", "content": "Write 400 words about compression."}],
    }
    plain = await api.post(request)
    packed = await api.post(request, accept_encoding=accepted)
    assert packed.headers.get("content-encoding") == coding
    assert int(packed.headers["content-length"]) == len(packed.body)
    unpack = {"gzip": gzip.decompress, "br": brotli.decompress, "zstd": zstandard.decompress}.get(coding or "", bytes)
    assert json.loads(unpack(packed.body))["content"] == plain.json()["content"]
    if coding:
        assert len(packed.body) < len(plain.body)
        assert packed.headers["vary"] == "accept-encoding"


async def test_short_answers_and_streams_are_not_compressed(api: InProcess) -> None:
    short = await api.post(REQUEST, accept_encoding="gzip")
    assert "content-encoding" not in short.headers
    long = {**REQUEST, "stream": True, "max_tokens": 4000}
    long["messages"] = [{"role": "user", "content": "Write 400 words about streams."}]
    streamed = await api.post(long, accept_encoding="gzip, br, zstd")
    assert "content-encoding" not in streamed.headers
    check_stream(parse_sse(streamed.body))


async def test_a_body_in_many_pieces_is_one_body(api: InProcess) -> None:
    pieces = [BODY[place : place + 7] for place in range(0, len(BODY), 7)]
    assert (await api.call(headers=HEADERS, body=pieces)).status == 200


async def test_each_request_is_recorded_once_with_what_it_cost(api: InProcess) -> None:
    answered = (await api.post(REQUEST)).json()
    await api.post({**REQUEST, "model": "nope"})
    await api.call("GET", "/nowhere")
    answer, refused, lost = api.records.kept
    assert (answer.status, answer.model, answer.engine) == (200, "claude-sonnet-4-5-20250929", "simulator")
    assert answer.input_tokens == answered["usage"]["input_tokens"]
    assert answer.output_tokens == answered["usage"]["output_tokens"]
    assert answer.message_id == answered["id"]
    assert answer.duration > 0
    assert (refused.status, refused.error_type, refused.input_tokens) == (404, "not_found_error", None)
    assert (lost.status, lost.path) == (404, "/nowhere")
