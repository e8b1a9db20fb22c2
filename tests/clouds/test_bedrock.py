"""Bedrock's form of requests, answers, streams and errors."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import Answer
from clouds.chat_requests import quick
from clouds.served import BEDROCK_MODEL, HELLO, TO_BEDROCK, Clouds, events_of
from generated import json_values
from streams import check_stream
from understudy.clouds.bedrock.framing import BedrockFraming
from understudy.clouds.bedrock.models import BedrockModels
from understudy.engines.engine import EngineEvent, EngineTurn, TextDelta
from understudy.engines.routing import Backend, Mapped, MappedTarget, Routing
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.http.framing import Framing
from understudy.settings import SimulatorSettings
from understudy.wire import sse
from understudy.wire.errors import ApiError, InternalError, InvalidRequestError, OverloadedError, RateLimitError

STREAM = "invoke-with-response-stream"


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> Clouds:
    return Clouds()


def check_error(answer: Answer, status: int, exception: str, part: str = "") -> None:
    assert (answer.status, answer.headers["x-amzn-errortype"]) == (status, exception), answer.body
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"message"}
    assert part in answer.json()["message"], answer.body


# --- answers ---


async def test_a_message_is_as_bedrock_has_it(api: Clouds) -> None:
    answer = await api.bedrock()
    message = answer.json()
    assert message["id"].startswith("msg_bdrk_")
    assert (message["model"], message["type"]) == ("claude-sonnet-4-5-20250929", "message")
    assert "inference_geo" not in message["usage"]
    assert "service_tier" not in message["usage"]
    UUID(answer.headers["x-amzn-requestid"])
    usage = message["usage"]
    for name, member in (("input", "input_tokens"), ("output", "output_tokens")):
        assert answer.headers[f"x-amzn-bedrock-{name}-token-count"] == str(usage[member])
    assert answer.headers["x-amzn-bedrock-cache-read-input-token-count"] == "0"
    assert answer.headers["x-amzn-bedrock-cache-write-input-token-count"] == "0"
    assert int(answer.headers["x-amzn-bedrock-invocation-latency"]) >= 0
    assert not any(name.startswith("anthropic-ratelimit") for name in answer.headers)


async def test_models_of_the_newer_kind_name_a_service_tier(api: Clouds) -> None:
    message = (await api.bedrock(model="us.anthropic.claude-opus-4-8")).json()
    assert message["usage"]["service_tier"] == "standard"


async def test_a_stream_is_the_message_in_frames(api: Clouds) -> None:
    whole = (await api.bedrock()).json()
    answer = await api.bedrock(action=STREAM)
    assert answer.headers["content-type"] == "application/vnd.amazon.eventstream"
    assert answer.headers["x-amzn-bedrock-content-type"] == "application/json"
    events = events_of(answer.body)
    assert [event["type"] for event in events if event["type"] == "ping"] == []
    metrics = events[-1].pop("amazon-bedrock-invocationMetrics")
    check_stream(events)
    text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
    assert text == whole["content"][0]["text"]
    usage = whole["usage"]
    assert (metrics["inputTokenCount"], metrics["outputTokenCount"]) == (usage["input_tokens"], usage["output_tokens"])
    assert metrics["invocationLatency"] >= metrics["firstByteLatency"] >= 0
    start = events[0]["message"]
    assert start["id"].startswith("msg_bdrk_")
    assert "service_tier" not in start["usage"]


async def test_the_metrics_of_a_cached_prompt_count_the_cache(api: Clouds) -> None:
    system = [{"type": "text", "text": "Be brief. " * 2_000, "cache_control": {"type": "ephemeral"}}]
    body = {**TO_BEDROCK, "system": system}
    first = events_of((await api.bedrock(body, action=STREAM)).body)[-1]["amazon-bedrock-invocationMetrics"]
    second = events_of((await api.bedrock(body, action=STREAM)).body)[-1]["amazon-bedrock-invocationMetrics"]
    assert first["cacheWriteInputTokenCount"] == second["cacheReadInputTokenCount"] > 1_000
    assert "cacheReadInputTokenCount" not in first


async def test_thinking_and_tools_go_through(api: Clouds) -> None:
    tool = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}
    body: dict[str, Any] = {**TO_BEDROCK, "max_tokens": 3_000, "tools": [tool], "tool_choice": {"type": "any"}}
    message = (await api.bedrock(body)).json()
    assert message["stop_reason"] == "tool_use"
    body = {**TO_BEDROCK, "max_tokens": 3_000, "thinking": {"type": "enabled", "budget_tokens": 1_024}}
    events = events_of((await api.bedrock(body, action=STREAM)).body)
    assert {"thinking_delta", "signature_delta", "text_delta"} <= {
        event["delta"]["type"] for event in events if event["type"] == "content_block_delta"
    }
    # What was signed there is taken back.
    message = (await api.bedrock(body)).json()
    turn = {"role": "assistant", "content": message["content"]}
    again = {**body, "messages": [*body["messages"], turn, {"role": "user", "content": "And now?"}]}
    assert (await api.bedrock(again)).status == 200


# --- count tokens ---


def invoked(body: Any) -> Any:
    return {"input": {"invokeModel": {"body": base64.b64encode(json.dumps(body).encode()).decode()}}}


async def test_tokens_are_counted_as_they_are_used(api: Clouds) -> None:
    model = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    body = {**TO_BEDROCK, "system": "Be brief.", "metadata": {"user_id": "me"}, "anthropic_beta": []}
    used = (await api.bedrock(body)).json()["usage"]["input_tokens"]
    assert (await api.bedrock(invoked(body), model, "count-tokens")).json() == {"inputTokens": used}
    converse = {
        "messages": [{"role": "user", "content": [{"text": "Hello"}]}],
        "system": [{"text": "Be brief."}],
        "additionalModelRequestFields": {"anthropic_beta": ["context-1m-2025-08-07"]},
    }
    answer = await api.bedrock({"input": {"converse": converse}}, model, "count-tokens")
    assert answer.json() == {"inputTokens": used}


async def test_a_conversation_with_tools_pictures_and_documents_is_counted(api: Clouds) -> None:
    from pictures import base64_of, png

    picture = {"image": {"format": "png", "source": {"bytes": base64_of(png(64, 64))}}}
    call = {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"at": "it"}}}
    result = {"toolResult": {"toolUseId": "tooluse_1", "content": [{"json": {"seen": True}}, picture]}}
    converse = {
        "messages": [
            {"role": "user", "content": [{"text": "Look"}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [call]},
            {"role": "user", "content": [result]},
        ],
        "toolConfig": {
            "tools": [
                {"toolSpec": {"name": "look", "description": "Looks", "inputSchema": {"json": {"type": "object"}}}}
            ],
            "toolChoice": {"tool": {"name": "look"}},
        },
    }
    answer = await api.bedrock({"input": {"converse": converse}}, "anthropic.claude-opus-4-8", "count-tokens")
    assert (answer.status, answer.json()["inputTokens"] > 300) == (200, True), answer.body


@pytest.mark.parametrize(
    ("body", "part"),
    [
        ({}, "input"),
        ({"input": {}}, "input"),
        ({"input": {"invokeModel": {"body": "*"}}}, "base64"),
        ({"input": {"invokeModel": {"body": ""}}}, "JSON"),
        ({"input": {"converse": {}}}, "messages"),
        ({"input": {"converse": {"messages": [{"role": "user", "content": [{"video": {}}]}]}}}, "video"),
        ({"input": {"converse": {"messages": [{"role": "user", "content": [{}]}]}}}, "exactly one"),
        ({"input": {"converse": {"messages": [], "toolConfig": {"tools": [], "toolChoice": {}}}}}, "messages"),
    ],
)
async def test_what_cannot_be_counted_is_refused(api: Clouds, body: Any, part: str) -> None:
    answer = await api.bedrock(body, "anthropic.claude-sonnet-4-5-20250929-v1:0", "count-tokens")
    check_error(answer, 400, "ValidationException", part)


async def test_inference_profiles_do_not_count_tokens(api: Clouds) -> None:
    answer = await api.bedrock(invoked(TO_BEDROCK), action="count-tokens")
    check_error(answer, 400, "ValidationException", "doesn't support counting tokens")


# --- models ---

GOOD_MODELS = {
    "anthropic.claude-3-haiku-20240307-v1:0": "claude-3-haiku-20240307",
    "anthropic.claude-3-haiku-20240307-v1:0:48k": "claude-3-haiku-20240307",
    "anthropic.claude-3-5-sonnet-20241022-v2:0": "claude-3-5-sonnet-20241022",
    "anthropic.claude-opus-4-6-v1": "claude-opus-4-6",
    "anthropic.claude-opus-4-8": "claude-opus-4-8",
    "anthropic.claude-haiku-4-5": "claude-haiku-4-5",
    "us.anthropic.claude-sonnet-4-20250514-v1:0": "claude-sonnet-4-20250514",
    "global.anthropic.claude-opus-4-5-20251101-v1:0": "claude-opus-4-5-20251101",
    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-4-8": "claude-opus-4-8",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-8": "claude-opus-4-8",
    "arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/anthropic.claude-opus-4-8": "claude-opus-4-8",
    "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123": "my-model",
    "my-model": "my-model",
}


async def test_betas_of_a_body_are_no_more_than_a_header_may_hold(api: Clouds) -> None:
    known = ["context-1m-2025-08-07"]
    assert (await api.bedrock({**TO_BEDROCK, "anthropic_beta": known * 100})).status == 200
    many = await api.bedrock({**TO_BEDROCK, "anthropic_beta": known * 101})
    check_error(many, 400, "ValidationException", "invalid beta flag")


async def test_results_within_results_are_refused_however_deep(api: Clouds) -> None:
    block = '{"toolResult":{"toolUseId":"t","content":[' * 330 + '{"text":"x"}' + "]}}" * 330
    body = '{"input":{"converse":{"messages":[{"role":"user","content":[' + block + "]}]}}}"
    answer = await api.bedrock(body.encode(), "anthropic.claude-opus-4-8", "count-tokens")
    check_error(answer, 400, "ValidationException", "must be one of text, json, image and document")


def test_where_any_name_is_taken_an_arn_of_bedrock_s_is_still_its_model_and_of_its_region() -> None:
    engine = SimulatorEngine(SimulatorSettings())
    every = Mapped("*", (MappedTarget("here", "m"),))
    models = BedrockModels(Routing(engine, [], mapped=[every], backends={"here": Backend(engine=engine)}))
    arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-opus-4-8"
    assert models.resolve(arn, "us-east-1") == "claude-opus-4-8"
    with pytest.raises(InvalidRequestError):
        models.resolve(arn, "us-west-2")
    assert models.resolve("arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc", None) == "abc"


def routing() -> Routing:
    arn = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    engine = SimulatorEngine(SimulatorSettings())
    mapped = [Mapped(name, (MappedTarget("here", "m"),)) for name in (arn, "abc123")]
    return Routing(engine, ["my-model"], mapped=mapped, backends={"here": Backend(engine=engine)})


@pytest.mark.parametrize(("name", "model"), GOOD_MODELS.items())
def test_bedrock_s_names_lead_to_the_models(name: str, model: str) -> None:
    models = BedrockModels(routing())
    found = models.resolve(name, None)
    assert found == (name if "application" in name else model)


@pytest.mark.parametrize(
    ("name", "region"),
    [
        ("claude-sonnet-4-5", None),
        ("claude-sonnet-4-5-20250929", None),
        ("xx.anthropic.claude-opus-4-8", None),
        ("us.eu.anthropic.claude-opus-4-8", None),
        ("amazon.nova-pro-v1:0", None),
        ("anthropic.claude-9", None),
        ("anthropic.", None),
        ("eu.anthropic.claude-opus-4-8", "us-east-1"),
        ("us.anthropic.claude-opus-4-8", "eu-west-1"),
        ("arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-opus-4-8", "us-east-1"),
        ("arn:aws:s3:us-east-1::foundation-model/anthropic.claude-opus-4-8", None),
        ("arn:aws:bedrock:us-east-1::foundation-model/other/anthropic.claude-opus-4-8", None),
    ],
)
def test_names_that_are_none_on_bedrock_or_of_another_region_are_refused(name: str, region: str | None) -> None:
    with pytest.raises(InvalidRequestError, match="model identifier is invalid"):
        BedrockModels(routing()).resolve(name, region)


@pytest.mark.parametrize(
    "model",
    ["", ".", "..", "%2e", "%2E%2E", ";", "x;y", BEDROCK_MODEL + ";v=1", "a/../b", "a%2F..%2Fb", "./" + BEDROCK_MODEL,
     BEDROCK_MODEL + "/", "%00", "%ff", "%250a", "a b", "x" * 3_000, "?", "é"],
)  # fmt: skip
async def test_a_path_that_names_no_model_is_refused(api: Clouds, model: str) -> None:
    for action in ("invoke", STREAM, "count-tokens"):
        check_error(await api.bedrock(model=model, action=action), 400, "ValidationException", "identifier is invalid")


async def test_a_region_of_the_signature_bounds_the_models(api: Clouds) -> None:
    answer = await api.signed("/bedrock/model/eu.anthropic.claude-opus-4-8/invoke")
    check_error(answer, 400, "ValidationException", "identifier is invalid")
    answer = await api.signed("/bedrock/model/eu.anthropic.claude-opus-4-8/invoke", region="eu-central-1")
    assert answer.status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/bedrock/"), ("GET", "/bedrock/x"), ("POST", "/bedrock/model/x"), ("DELETE", "/bedrock/model/x/y"),
     ("POST", f"/bedrock/model/{BEDROCK_MODEL}/converse"), ("POST", "/bedrock/guardrail/x/version/1/apply")],
)  # fmt: skip
async def test_an_unknown_path_is_an_unknown_operation(api: Clouds, method: str, path: str) -> None:
    check_error(await api.call(method, path, {}), 404, "UnknownOperationException")


async def test_another_method_is_405(api: Clouds) -> None:
    check_error(await api.call("GET", f"/bedrock/model/{BEDROCK_MODEL}/invoke", {}), 405, "ValidationException")


# --- bodies ---


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"", "JSON"),
        (b"[]", "shape"),
        (b"{", "JSON"),
        (HELLO, "anthropic_version: Field required"),
        ({**HELLO, "anthropic_version": "2023-06-01"}, "anthropic_version"),
        ({**HELLO, "anthropic_version": 5}, "anthropic_version"),
        ({**HELLO, "anthropic_version": "vertex-2023-10-16"}, "anthropic_version"),
        ({**TO_BEDROCK, "model": "claude-opus-4-8"}, "model: Extra inputs are not permitted"),
        ({**TO_BEDROCK, "stream": True}, "stream: Extra inputs are not permitted"),
        ({**TO_BEDROCK, "anthropic_beta": ["no-such-beta-2020-01-01"]}, "invalid beta flag"),
        ({**TO_BEDROCK, "anthropic_beta": ["a\r\nx-injected: 1"]}, "invalid beta flag"),
        ({**TO_BEDROCK, "anthropic_beta": [1]}, "anthropic_beta"),
        ({**TO_BEDROCK, "anthropic_beta": {}}, "anthropic_beta"),
        ({**TO_BEDROCK, "fallbacks": [{"model": "x"}]}, "fallbacks: Extra inputs are not permitted"),
        ({**TO_BEDROCK, "mcp_servers": []}, "mcp_servers: Extra inputs are not permitted"),
        ({**TO_BEDROCK, "zzz": 1}, "zzz: Extra inputs are not permitted"),
        ({**TO_BEDROCK, "tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0: Input tag"),
        ({**TO_BEDROCK, "max_tokens": 0, "messages": []}, "messages"),
    ],
)
async def test_a_bad_body_is_a_validation_exception(api: Clouds, body: Any, part: str) -> None:
    for action in ("invoke", STREAM):
        check_error(await api.bedrock(body, action=action), 400, "ValidationException", part)


@pytest.mark.parametrize("kind", ["image", "document"])
@pytest.mark.parametrize("source", [{"type": "url", "url": "https://example.com/a"}, {"type": "file", "file_id": "f"}])
async def test_sources_that_bedrock_lacks_are_refused_wherever_they_stand(
    api: Clouds, kind: str, source: dict[str, str]
) -> None:
    block = {"type": kind, "source": source}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": [block]}
    inner = {"type": "document", "source": {"type": "content", "content": [block]}}
    for content in ([block], [result], [inner]):
        body = {**TO_BEDROCK, "messages": [{"role": "user", "content": content}]}
        check_error(await api.bedrock(body), 400, "ValidationException", f"Input tag '{source['type']}'")


async def test_a_guardrail_is_never_ignored(api: Clouds) -> None:
    path = f"/bedrock/model/{BEDROCK_MODEL}/invoke"
    answer = await api.signed(path, extra={"x-amzn-bedrock-guardrailidentifier": "gr-1"})
    check_error(answer, 400, "ValidationException", "guardrails are not available")


async def test_the_body_may_have_any_type_and_20_mb(api: Clouds) -> None:
    data = json.dumps(TO_BEDROCK).encode()
    path = f"/bedrock/model/{BEDROCK_MODEL}/invoke"
    for content_type in ("application/octet-stream", "", "text/plain"):
        assert (await api.signed(path, data, headers={"content-type": content_type})).status == 200
    large = b" " * (20 * 1024 * 1024 + 1)
    check_error(await api.bedrock(large), 413, "RequestEntityTooLargeException")


async def test_both_versions_are_told_apart(api: Clouds) -> None:
    older = {**TO_BEDROCK, "temperature": 0.5}
    assert (await api.bedrock(older)).status == 200
    newer = {**older, "anthropic_version": "2026-10-21"}
    check_error(await api.bedrock(newer, "us.anthropic.claude-opus-5-5"), 400, "ValidationException", "temperature")
    assert api.records.kept[-1].anthropic_version == "2026-10-21"


@given(body=st.one_of(st.binary(max_size=100), json_values.map(lambda value: json.dumps(value).encode())))
@quick
def test_10_any_body_is_answered_in_bedrock_s_form(runner: asyncio.Runner, api: Clouds, body: bytes) -> None:
    answer = runner.run(api.bedrock(body))
    check_error(answer, 400, "ValidationException")


@given(name=st.sampled_from([*TO_BEDROCK, "anthropic_beta", "tools", "system", "stream"]), value=json_values)
@quick
def test_10_any_value_in_any_place_is_answered_in_bedrock_s_form(
    runner: asyncio.Runner, api: Clouds, name: str, value: Any
) -> None:
    for action in ("invoke", STREAM):
        answer = runner.run(api.bedrock({**TO_BEDROCK, name: value}, action=action))
        if answer.status != 200:
            check_error(answer, 400, "ValidationException")


# --- what fails ---


class Failing:
    """An engine that fails, after a word if it is told so."""

    name = "failing"

    def __init__(self, error: Exception, *, late: bool) -> None:
        self._error, self._late = error, late

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        if self._late:
            yield [TextDelta("Word", 1)]
        raise self._error


@pytest.mark.parametrize(
    ("error", "status", "exception"),
    [
        (RateLimitError("slow down"), 429, "ThrottlingException"),
        (OverloadedError("too much"), 503, "ServiceUnavailableException"),
        (InternalError("broken"), 500, "InternalServerException"),
        (ValueError("a secret of the engine"), 500, "InternalServerException"),
    ],
)
async def test_what_fails_is_an_exception_or_ends_the_stream_with_one(
    error: Exception, status: int, exception: str
) -> None:
    answer = await Clouds(Failing(error, late=False)).bedrock(action=STREAM)
    check_error(answer, status, exception)
    assert b"secret" not in answer.body
    answer = await Clouds(Failing(error, late=True)).bedrock(action=STREAM)
    *events, (member, payload) = events_of(answer.body)
    assert answer.status == 200
    assert member == exception[0].lower() + exception[1:]
    assert payload == {"message": error.message if isinstance(error, ApiError) else "Internal server error"}
    assert events[-1]["type"] == "content_block_delta"


def test_a_stream_that_is_none_of_the_api_is_an_error_and_no_crash() -> None:
    for body in (b"data: nonsense\n\n", b"data: []\n\n", b'event: message_start\ndata: {"message":1}\n\n'):
        with pytest.raises(ApiError):
            BedrockFraming().piece(body)
    with pytest.raises(ApiError):
        BedrockFraming().whole(b"nonsense")


def test_frames_that_others_write_are_read_alike() -> None:
    ours = sse.encode([{"type": "content_block_stop", "index": 0}])
    theirs = b'data: {"type":"content_block_stop",\r\ndata: "index":0}\r\n\r\n'
    assert events_of(BedrockFraming().piece(ours)) == events_of(BedrockFraming().piece(theirs))


# --- what it costs ---


def test_framing_adds_less_than_ten_microseconds_an_event() -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "an otter swims"}}
    piece = sse.encode([delta])
    framing: Framing = BedrockFraming()
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000):
            framing.piece(piece)
        best = min(best, time.process_time() - began)
    assert best < 0.010, f"{best * 1e3:.1f} µs an event"


# --- inference profiles ---


async def test_inference_profiles_are_listed_and_found(api: Clouds) -> None:
    answer = await api.call(
        "GET", "/bedrock/inference-profiles", {"authorization": "Bearer sk-understudy-api-in-process"}
    )
    profiles = {one["inferenceProfileId"]: one for one in answer.json()["inferenceProfileSummaries"]}
    assert {BEDROCK_MODEL, "global.anthropic.claude-opus-5-5"} <= profiles.keys()
    for id_ in list(profiles)[:3]:
        found = await api.call(
            "GET", f"/bedrock/inference-profiles/{id_}", {"authorization": "Bearer sk-understudy-api-in-process"}
        )
        assert found.json() == profiles[id_]
    missing = await api.call(
        "GET", "/bedrock/inference-profiles/no", {"authorization": "Bearer sk-understudy-api-in-process"}
    )
    check_error(missing, 404, "ResourceNotFoundException")
