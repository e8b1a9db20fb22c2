"""What passes between a client of the Messages API and Claude on Bedrock."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest

from asgi import KEY, InProcess
from engines.clouds.fakes import (
    BEDROCK_EVENTS,
    BEDROCK_KEY,
    FRAMES,
    MODEL,
    REQUEST,
    STREAM,
    bedrock,
    begin_frames,
    say_frames,
    say_json,
    say_whole,
    through,
)
from fake_claude import MESSAGE, Talk, fake_claude, frame, hang_up
from streams import check_stream, parse_sse
from understudy.engines.bedrock.models import bedrock_name, counted_name
from understudy.engines.claude import ClaudeEngine
from understudy.wire.event_stream import encode_exception, encode_headers, encode_message

PROFILE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = "arn:aws:bedrock:us-east-1:1:inference-profile/x"
SSE = b"".join(
    frame({name: value for name, value in event.items() if not name.startswith("amazon")}) for event in BEDROCK_EVENTS
)


async def test_a_request_is_translated_and_bears_only_our_credentials() -> None:
    async with through(bedrock, say_whole) as (gateway, fake):
        headers = {
            "x-api-key": KEY,
            "anthropic-version": "2023-06-01",
            "anthropic-beta": "files-api-2025-04-14, context-1m-2025-08-07,advanced-tool-use-2025-11-20,x-2099-01-01",
            "user-agent": "claude-cli/2",
            "cookie": "secret=1",
        }
        body = json.dumps({**REQUEST, "service_tier": "auto", "metadata": {"user_id": "u"}, "top_k": 3}).encode()
        answer = await gateway.call(headers=headers, body=body, query=b"beta=true")
    assert answer.status == 200, answer.body
    asked = fake.asked[0]
    assert asked.path == "/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"
    assert json.loads(asked.body) == {
        "anthropic_version": "bedrock-2023-05-31",
        "anthropic_beta": ["context-1m-2025-08-07", "tool-search-tool-2025-10-19"],
        "max_tokens": 9,
        "messages": REQUEST["messages"],
        "metadata": {"user_id": "u"},
        "top_k": 3,
    }
    assert asked.headers["authorization"] == f"Bearer {BEDROCK_KEY}"
    assert asked.headers["user-agent"] == "claude-cli/2"
    assert KEY not in str(asked.headers) and "cookie" not in asked.headers and "anthropic-beta" not in asked.headers


async def test_betas_that_the_operator_names_are_sent_too() -> None:
    async with through(bedrock, say_whole, betas=("x-2099-01-01",)) as (gateway, fake):
        answer = await gateway.call(
            headers={
                "x-api-key": KEY,
                "anthropic-version": "2023-06-01",
                "anthropic-beta": "x-2099-01-01",
                "user-agent": "claude-cli/2",
            },
            body=json.dumps(REQUEST).encode(),
            query=b"beta=true",
        )
    assert answer.status == 200, answer.body
    assert json.loads(fake.asked[0].body)["anthropic_beta"] == ["x-2099-01-01"]


async def test_a_whole_answer_passes_and_is_recorded() -> None:
    async with through(bedrock, say_whole) as (gateway, _):
        answer = await gateway.post(REQUEST)
    assert answer.status == 200
    assert answer.json() == {**MESSAGE, "model": "claude-haiku-4-5-20251001"}
    assert answer.headers["understudy-engine"] == "aws/claude-haiku-4-5"
    record = gateway.records.kept[0]
    assert (record.input_tokens, record.output_tokens, record.upstream_request_id) == (11, 42, "of-aws")


@pytest.mark.parametrize("size", [1, 7, 100, 1 << 20])
async def test_a_stream_of_frames_becomes_one_of_server_sent_events(size: int) -> None:
    async with through(bedrock, say_frames(size=size)) as (gateway, fake):
        answer = await gateway.post(STREAM)
    assert fake.asked[0].path.endswith("/invoke-with-response-stream")
    assert "stream" not in json.loads(fake.asked[0].body)
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    events = parse_sse(answer.body)
    check_stream(events)
    expected = parse_sse(SSE)
    expected[0]["message"]["model"] = "claude-haiku-4-5-20251001"
    assert [event for event in events if event["type"] != "ping"] == expected
    record = gateway.records.kept[0]
    assert (record.input_tokens, record.output_tokens, record.stop_reason) == (11, 42, "end_turn")


async def test_tokens_are_counted_by_bedrocks_own_route() -> None:
    async with through(bedrock, say_json({"inputTokens": 17})) as (gateway, fake):
        prompt = {
            "model": MODEL,
            "messages": REQUEST["messages"],
            "thinking": {"type": "enabled", "budget_tokens": 5000},
        }
        answer = await gateway.post(prompt, "/v1/messages/count_tokens")
    assert (answer.status, answer.json()) == (200, {"input_tokens": 17})
    # An inference profile cannot count.
    assert fake.asked[0].path == "/model/anthropic.claude-haiku-4-5-20251001-v1%3A0/count-tokens"
    inner = json.loads(base64.b64decode(json.loads(fake.asked[0].body)["input"]["invokeModel"]["body"]))
    assert inner == {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5001,
        "messages": REQUEST["messages"],
        "thinking": prompt["thinking"],
    }


@pytest.mark.parametrize("answered", [{}, {"inputTokens": "many"}, [], "x"])
async def test_a_count_that_is_none_is_an_error(answered: Any) -> None:
    async with through(bedrock, say_json(answered)) as (gateway, _):
        answer = await gateway.post({"model": MODEL, "messages": REQUEST["messages"]}, "/v1/messages/count_tokens")
    assert (answer.status, answer.json()["error"]["type"]) == (502, "api_error")


@pytest.mark.parametrize(
    ("status", "name", "expected"),
    [
        (400, "ValidationException", (400, "invalid_request_error")),
        (400, "ServiceQuotaExceededException", (429, "rate_limit_error")),
        (403, "AccessDeniedException", (403, "permission_error")),
        (403, "UnrecognizedClientException", (401, "authentication_error")),
        (403, "ExpiredTokenException:http://internal.example/", (401, "authentication_error")),
        (403, "com.amazon#InvalidSignatureException", (401, "authentication_error")),
        (404, "ResourceNotFoundException", (404, "not_found_error")),
        (408, "ModelTimeoutException", (504, "timeout_error")),
        (413, "", (413, "request_too_large")),
        (424, "ModelErrorException", (500, "api_error")),
        (429, "ThrottlingException", (429, "rate_limit_error")),
        (429, "ModelNotReadyException", (529, "overloaded_error")),
        (503, "ServiceUnavailableException", (529, "overloaded_error")),
        (503, "", (529, "overloaded_error")),
        (500, "SomethingNewException", (500, "api_error")),
        (302, "", (502, "api_error")),
    ],
)
@pytest.mark.parametrize("request_", [REQUEST, STREAM])
async def test_its_errors_are_the_apis_under_our_request_id(
    status: int, name: str, expected: tuple[int, str], request_: dict[str, Any]
) -> None:
    say = say_json({"message": "Too bad."}, status, f"x-amzn-errortype: {name}", "retry-after: 7")
    async with through(bedrock, say) as (gateway, _):
        answer = await gateway.post(request_)
    body = answer.json()
    assert (answer.status, body["error"]["type"]) == expected
    assert body["request_id"] == answer.headers["request-id"]
    assert answer.headers["retry-after"] == "7"
    # What AWS says of our own credentials is not the client's business.
    assert ("Too bad." in body["error"]["message"]) == (expected[0] not in {401, 403, 502})
    assert gateway.records.kept[0].error_type == expected[1]


async def test_a_refusal_tells_nothing_of_the_operators_account() -> None:
    text = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc: not with this key"
    async with through(bedrock, say_json({"message": text}, 400)) as (gateway, _):
        answer = await gateway.post(REQUEST)
    assert answer.json()["error"]["message"] == "the model not with this key"


async def test_a_proxys_page_is_an_error_without_its_text() -> None:
    async with through(bedrock, lambda talk: talk.whole(502, b"<html>secret</html>")) as (gateway, _):
        answer = await gateway.post(REQUEST)
    assert answer.status == 502 and b"secret" not in answer.body


def damaged(frame_: bytes) -> bytes:
    return frame_[:-6] + bytes((frame_[-6] ^ 1,)) + frame_[-5:]


GARBAGE = {
    "a wrong checksum": damaged(FRAMES[0]),
    "no frame at all": b"event: message_start\ndata: {}\n\n" * 3,
    "a chunk without bytes": encode_message(
        encode_headers({":event-type": "chunk", ":message-type": "event"}), b'{"p":"abc"}'
    ),
    "a chunk without an event": encode_message(
        encode_headers({":event-type": "chunk", ":message-type": "event"}),
        json.dumps({"bytes": base64.b64encode(b'{"completion":" The"}').decode()}).encode(),
    ),
    "a frame of no type": encode_message(b"", b"{}"),
    "half a frame": FRAMES[0][:40],
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_damaged_frames_are_a_clear_error_before_the_first_event_and_after_it(name: str) -> None:
    async with through(bedrock, say_frames(GARBAGE[name])) as (gateway, _):
        before = await gateway.post(STREAM)
    assert (before.status, before.json()["error"]["type"]) == (502, "api_error")

    def later(talk: Talk) -> None:
        begin_frames(talk)
        talk.chunk(b"".join(FRAMES[:3]))
        # What comes together with a fault is lost with it.
        time.sleep(0.05)
        talk.chunk(GARBAGE[name])
        talk.end()

    async with through(bedrock, later) as (gateway, _):
        after = await gateway.post(STREAM)
    assert after.status == 200
    events = parse_sse(after.body)
    assert events[0]["type"] == "message_start"
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", "api_error")
    assert gateway.records.kept[0].error_type == "api_error"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("throttlingException", (429, "rate_limit_error")),
        ("serviceUnavailableException", (529, "overloaded_error")),
        ("modelStreamErrorException", (500, "api_error")),
        ("modelTimeoutException", (504, "timeout_error")),
        ("validationException", (400, "invalid_request_error")),
        ("newException", (500, "api_error")),
    ],
)
async def test_an_exception_in_a_stream_is_an_error_event_or_a_plain_error_before_it(
    name: str, expected: tuple[int, str]
) -> None:
    exception = encode_exception(name, b'{"message":"Wait."}')
    async with through(bedrock, say_frames(exception)) as (gateway, _):
        answer = await gateway.post(STREAM)
    assert (answer.status, answer.json()["error"]["type"]) == expected
    async with through(bedrock, say_frames(*FRAMES[:3], exception)) as (gateway, _):
        events = parse_sse((await gateway.post(STREAM)).body)
    assert events[-1]["error"] == {"type": expected[1], "message": "Wait."}


async def test_a_stream_that_breaks_off_between_frames_ends_with_an_error_event() -> None:
    def say(talk: Talk) -> None:
        begin_frames(talk)
        talk.chunk(b"".join(FRAMES[:4]))
        hang_up()

    async with through(bedrock, say) as (gateway, _):
        events = parse_sse((await gateway.post(STREAM)).body)
    assert events[-1]["type"] == "error"


@pytest.mark.parametrize(
    ("model", "region", "area", "expected"),
    [
        ("claude-haiku-4-5", "us-west-2", None, PROFILE),
        ("claude-haiku-4-5-20251001", "eu-west-1", None, "eu" + PROFILE[2:]),
        ("claude-haiku-4-5", "us-gov-west-1", None, "us-gov" + PROFILE[2:]),
        ("claude-haiku-4-5", "ap-northeast-1", None, "apac" + PROFILE[2:]),
        ("claude-haiku-4-5", "ap-northeast-1", "jp", "jp" + PROFILE[2:]),
        ("claude-haiku-4-5", "sa-east-1", None, "global" + PROFILE[2:]),
        ("claude-haiku-4-5", "us-east-1", "", PROFILE[3:]),
        ("claude-opus-5-5", "us-east-1", None, "us.anthropic.claude-opus-5-5"),
        (PROFILE, "eu-west-1", None, PROFILE),
        (ARN, "us-east-1", None, ARN),
        ("my-model", "us-east-1", None, "my-model"),
    ],
)  # fmt: skip
def test_models_are_called_as_bedrock_calls_them(model: str, region: str, area: str | None, expected: str) -> None:
    assert bedrock_name(model, region, area) == expected


def test_only_the_area_is_taken_away_for_counting() -> None:
    assert counted_name(PROFILE) == PROFILE[3:]
    assert counted_name(ARN) == ARN


async def test_newer_models_are_told_the_newest_version_and_older_ones_their_own() -> None:
    for model, version in (("claude-opus-5-5", "2026-10-21"), (PROFILE, "bedrock-2023-05-31")):
        async with through(bedrock, say_whole) as (_, fake):
            upstream = bedrock(fake.url)
            answer = await upstream.ask("/v1/messages", REQUEST, {"anthropic-version": "2026-10-21"}, model=model)
            await answer.read()
            await upstream.close()
        assert json.loads(fake.asked[0].body)["anthropic_version"] == version


@pytest.mark.parametrize(
    ("region", "geo", "left_out"),
    [("us-east-1", "us", True), ("eu-west-1", "us", False), ("eu-west-1", "global", True), ("us-east-1", "eu", False)],
)
async def test_a_place_of_inference_is_kept_to_or_refused(region: str, geo: str, left_out: bool) -> None:
    """What is left out holds; what is told a cloud refuses."""
    async with through(bedrock, say_whole, region=region) as (gateway, fake):
        await gateway.post({**REQUEST, "inference_geo": geo})
    assert ("inference_geo" not in json.loads(fake.asked[0].body)) == left_out


async def test_a_thread_is_refused_as_the_official_tool_runners_expect() -> None:
    async with through(bedrock, say_whole) as (gateway, fake):
        answer = await gateway.post({**REQUEST, "thread": {"type": "create"}})
    assert (answer.status, answer.json()["error"]["details"]["error_code"]) == (400, "thread_unsupported_request")
    assert not fake.asked


# --- as an engine ---


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("count", range(len(FRAMES)))
async def test_a_stream_that_breaks_off_at_any_frame_is_an_error_of_the_engine(count: int, stream: bool) -> None:
    def say(talk: Talk) -> None:
        begin_frames(talk)
        talk.chunk(b"".join(FRAMES[:count]) + FRAMES[count][:20])
        hang_up()

    with fake_claude(say) as fake:
        upstream = bedrock(fake.url)
        answer = await InProcess(ClaudeEngine("aws", upstream)).post({**REQUEST, "stream": stream, "max_tokens": 100})
        await upstream.close()
    if count == len(FRAMES) - 1:
        # The answer has said how it ends.
        assert answer.status == 200 and b"error" not in answer.body.replace(b"error: message_stop", b"")
    elif answer.status == 200:
        assert parse_sse(answer.body)[-1]["type"] == "error"
    else:
        assert answer.status == 502


@pytest.mark.parametrize("size", [1, 3, 50, 1 << 20])
async def test_however_frames_are_cut_the_engines_message_is_the_same(size: int) -> None:
    with fake_claude(say_frames(size=size)) as fake:
        upstream = bedrock(fake.url)
        answer = await InProcess(ClaudeEngine("aws", upstream)).post({**REQUEST, "max_tokens": 100})
        await upstream.close()
    message = answer.json()
    assert message["content"] == [{"type": "text", "text": 'a "model" error: message_stopGrüße 😀\n\n'}]
    assert (message["stop_reason"], message["usage"]["output_tokens"]) == ("end_turn", 42)
