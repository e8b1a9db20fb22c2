"""What passes between a client and a Claude upstream, and what does not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from asgi import KEY, ORGANIZATION, Answer
from engines.claude.gateway import UPSTREAM_KEY, Gateway
from engines.routing.engines import Scripted
from fake_claude import EVENTS, MESSAGE, START, Asked, FakeClaude, Talk, error, fake_claude, frame, hang_up
from streams import parse_sse
from understudy.engines.catalog import configured_model
from understudy.messages.files import Files
from understudy.messages.forwarding.files import inline_files
from understudy.messages.signatures import Signer
from understudy.wire.errors import OverloadedError

REQUEST: dict[str, Any] = {"model": "public", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**REQUEST, "stream": True}


@asynccontextmanager
async def in_front_of(*fakes: FakeClaude, simulator: bool = False, **more: Any) -> AsyncGenerator[Gateway, None]:
    targets = [(f"up{place}", "up-model", 0 if place else 1) for place in range(len(fakes))]
    if simulator:
        targets.append(("simulator", "public", 0))
    gateway = Gateway({f"up{place}": fake.url for place, fake in enumerate(fakes)}, targets, **more)
    try:
        yield gateway
    finally:
        await gateway.close()


def say_whole(talk: Talk) -> None:
    talk.whole(200, json.dumps(MESSAGE).encode(), "anthropic-ratelimit-requests-limit: 50", "set-cookie: a=b")


def say_stream(talk: Talk) -> None:
    talk.begin()
    for event in EVENTS:
        talk.chunk(frame(event))
    talk.end()


def say_error(status: int, kind: str, *lines: str) -> Callable[[Talk], None]:
    return lambda talk: talk.whole(status, json.dumps(error(kind)).encode(), *lines)


async def ask(say: Callable[[Talk], None], request: dict[str, Any], **more: Any) -> tuple[Answer, Gateway, list[Asked]]:
    with fake_claude(say) as fake:
        async with in_front_of(fake, **more) as gateway:
            return await gateway.post(request), gateway, fake.asked


async def test_a_whole_answer_passes_but_for_the_models_name_and_is_recorded() -> None:
    answer, gateway, _ = await ask(say_whole, REQUEST)
    assert answer.status == 200
    # A tool's input has a `model` of its own, which stays.
    assert answer.json() == {**MESSAGE, "model": "public"}
    assert answer.headers["understudy-engine"] == "up0/up-model"
    assert answer.headers["anthropic-ratelimit-requests-limit"] == "50"
    assert "set-cookie" not in answer.headers and answer.headers["request-id"] != "req_upstream"
    record = gateway.records.kept[0]
    assert (record.model, record.engine, record.upstream_model) == ("public", "up0", "up-model")
    assert (record.message_id, record.stop_reason, record.status) == ("msg_up", "tool_use", 200)
    assert (record.input_tokens, record.output_tokens, record.cache_read_input_tokens) == (11, 42, 5)
    assert (record.cache_creation_5m_input_tokens, record.cache_creation_1h_input_tokens) == (4, 3)


async def test_a_stream_passes_byte_for_byte_and_is_recorded() -> None:
    answer, gateway, _ = await ask(say_stream, STREAM)
    expected = b"".join(map(frame, EVENTS)).replace(b"up-model-20260101", b"public")
    assert answer.body == expected
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    record = gateway.records.kept[0]
    assert (record.input_tokens, record.output_tokens, record.stop_reason) == (11, 42, "end_turn")
    assert record.stream and record.time_to_first_token is not None


async def test_fields_and_betas_that_nobody_knows_pass_and_credentials_do_not() -> None:
    body = b'{ "later" : {"x": 1e2},\n "model":"public", "max_tokens":"many", "messages":[{"role":"new"}]}'
    with fake_claude(say_whole) as fake:
        async with in_front_of(fake) as gateway:
            headers = {
                "x-api-key": KEY,
                "anthropic-version": "2023-06-01",
                "anthropic-beta": "files-api-2025-04-14,not-invented-2027-01-01",
                "content-type": "application/json",
                "user-agent": "claude-cli/2",
                "cookie": "secret=1",
                "x-forwarded-for": "10.0.0.1",
            }
            answer = await gateway.call(headers=headers, body=body, query=b"beta=true")
    assert answer.status == 200
    asked = fake.asked[0]
    assert asked.body == body.replace(b'"public"', b'"up-model"')
    assert asked.path == "/v1/messages?beta=true"
    assert asked.headers["anthropic-beta"] == headers["anthropic-beta"]
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert asked.headers["x-api-key"] == UPSTREAM_KEY
    assert KEY not in str(asked.headers) and "cookie" not in asked.headers and "x-forwarded-for" not in asked.headers


async def test_a_bearer_token_is_sent_where_that_is_wanted() -> None:
    _, _, asked = await ask(say_whole, REQUEST, auth="bearer")
    assert asked[0].headers["authorization"] == f"Bearer {UPSTREAM_KEY}" and "x-api-key" not in asked[0].headers


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ([], "Input does not match the expected shape."),
        ({}, "model: Field required"),
        ({"model": "public"}, "messages: Field required"),
        ({"model": "public", "messages": []}, "max_tokens: Field required"),
        ({"model": 5}, "model: Input should be a valid string"),
        ({"model": "public", "messages": {}}, "messages: Input should be a valid array"),
        ({"model": "other", "messages": [], "max_tokens": 1}, "model: other"),
    ],
)
async def test_the_envelope_is_judged_here(request_: Any, message: str) -> None:
    answer, _, asked = await ask(say_whole, request_)
    assert answer.json()["error"]["message"] == message
    assert asked == []


@pytest.mark.parametrize("request_", [REQUEST, STREAM])
@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (529, "overloaded_error")]
)
async def test_an_upstreams_error_comes_as_it_is_under_our_request_id(
    request_: dict[str, Any], status: int, kind: str
) -> None:
    answer, gateway, _ = await ask(say_error(status, kind, "retry-after: 7"), request_)
    assert answer.status == status and answer.headers["retry-after"] == "7"
    assert answer.json() == {**error(kind), "request_id": answer.headers["request-id"]}
    assert gateway.records.kept[0].error_type == kind


def say_page(talk: Talk) -> None:
    talk.whole(503, b"<html>no</html>", "content-type: text/html")


def say_redirect(talk: Talk) -> None:
    talk.whole(302, b"", "location: http://127.0.0.1:9/elsewhere")


def say_error_in_200(talk: Talk) -> None:
    talk.whole(200, json.dumps(error("overloaded_error")).encode())


def say_garbage(talk: Talk) -> None:
    talk.whole(200, b"hello")


def say_early_error(talk: Talk) -> None:
    talk.begin()
    talk.chunk(frame({"type": "ping"}) + frame(error("rate_limit_error")))
    talk.end()


def say_half(talk: Talk) -> None:
    talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\ncontent-type: application/json\r\n\r\n{")
    hang_up()


def say_empty_stream(talk: Talk) -> None:
    talk.begin()
    talk.end()


@pytest.mark.parametrize(
    ("say", "request_", "status", "kind"),
    [
        (say_page, REQUEST, 503, "api_error"),
        (say_redirect, REQUEST, 502, "api_error"),
        (say_error_in_200, REQUEST, 529, "overloaded_error"),
        (say_error_in_200, STREAM, 529, "overloaded_error"),
        (say_garbage, REQUEST, 502, "api_error"),
        (say_garbage, STREAM, 502, "api_error"),
        (say_early_error, STREAM, 429, "rate_limit_error"),
        (say_half, REQUEST, 502, "api_error"),
        (say_empty_stream, STREAM, 502, "api_error"),
        (say_stream, REQUEST, 502, "api_error"),
        (lambda _: hang_up(), REQUEST, 502, "api_error"),
    ],
)
async def test_whatever_an_upstream_does_instead_of_answering_is_a_typed_error(
    say: Callable[[Talk], None], request_: dict[str, Any], status: int, kind: str
) -> None:
    answer, _, _ = await ask(say, request_)
    parsed = answer.json()
    assert (answer.status, parsed["error"]["type"]) == (status, kind)
    assert parsed["request_id"] == answer.headers["request-id"]


async def test_an_upstream_that_is_not_there_is_a_502() -> None:
    with fake_claude(say_whole) as fake:
        pass
    async with in_front_of(fake) as gateway:
        answer = await gateway.post(REQUEST)
    assert answer.status == 502 and answer.json()["error"]["type"] == "api_error"


@pytest.mark.parametrize("request_", [REQUEST, STREAM])
@pytest.mark.parametrize("late", ["head", "first", "idle"])
async def test_an_upstream_that_hangs_is_a_504_and_later_an_error_event(request_: dict[str, Any], late: str) -> None:
    def say(talk: Talk) -> None:
        if late != "head":
            if request_.get("stream"):
                talk.begin()
                talk.chunk(frame(START) if late == "idle" else b": wait\n\n")
            else:
                talk.send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\ncontent-type: application/json\r\n\r\n{")
        talk.gone()

    began = time.monotonic()
    answer, _, _ = await ask(say, request_, first_byte_timeout=0.15, idle_timeout=0.15)
    assert time.monotonic() - began < 2
    if late == "idle" and request_.get("stream"):
        events = parse_sse(answer.body)
        assert [event["type"] for event in events] == ["message_start", "error"]
        assert events[1]["error"]["type"] == "timeout_error"
    else:
        assert (answer.status, answer.json()["error"]["type"]) == (504, "timeout_error")


@pytest.mark.parametrize("after", range(1, len(EVENTS)))
@pytest.mark.parametrize("cleanly", [True, False])
async def test_a_stream_that_breaks_off_ends_with_an_error_and_no_message_stop(after: int, cleanly: bool) -> None:
    def say(talk: Talk) -> None:
        talk.begin()
        for event in EVENTS[:after]:
            talk.chunk(frame(event))
        talk.chunk(frame(EVENTS[after])[:20])
        if cleanly:
            talk.end()
        else:
            hang_up()

    answer, gateway, _ = await ask(say, STREAM)
    events = parse_sse(answer.body)
    assert [event["type"] for event in events] == [event["type"] for event in EVENTS[:after]] + ["error"]
    assert events[-1]["error"]["type"] == "api_error"
    assert events[-1]["request_id"] == answer.headers["request-id"]
    assert gateway.records.kept[0].error_type == "api_error"
    assert gateway.records.kept[0].input_tokens == 11


async def test_a_silent_upstream_is_pinged_for() -> None:
    def say(talk: Talk) -> None:
        talk.begin()
        talk.chunk(frame(START) + frame(EVENTS[1])[:9])
        time.sleep(0.35)
        talk.chunk(frame(EVENTS[1])[9:] + b"".join(map(frame, EVENTS[3:])))
        talk.end()

    answer, _, _ = await ask(say, STREAM, ping_interval=0.1)
    kinds = [event["type"] for event in parse_sse(answer.body)]
    assert kinds.count("ping") in {2, 3, 4}
    assert kinds[-1] == "message_stop"


async def test_a_client_that_goes_closes_the_upstream_at_once() -> None:
    times: list[float] = []

    def say(talk: Talk) -> None:
        talk.begin()
        talk.chunk(frame(START))
        times.append(talk.gone())

    with fake_claude(say) as fake:
        async with in_front_of(fake) as gateway:
            task = asyncio.create_task(gateway.post(STREAM))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await asyncio.sleep(0.05)
            async with asyncio.timeout(3):
                while not times:
                    await asyncio.sleep(0.01)
            chain = gateway.routing.resolve("public").chain
            assert chain is not None and chain.targets[0].slots.in_use == 0
    assert times[0] < 0.5


async def test_a_kept_connection_that_the_upstream_has_closed_is_no_error() -> None:
    def say(talk: Talk) -> None:
        say_whole(talk)
        hang_up()

    with fake_claude(say) as fake:
        async with in_front_of(fake) as gateway:
            assert [(await gateway.post(REQUEST)).status for _ in range(5)] == [200] * 5


@pytest.mark.parametrize("request_", [REQUEST, STREAM])
@pytest.mark.parametrize("first", [say_error(529, "overloaded_error"), say_early_error, say_half, say_page])
async def test_what_fails_before_the_first_byte_goes_to_the_next_upstream(
    request_: dict[str, Any], first: Callable[[Talk], None]
) -> None:
    if first is say_early_error:
        first = say_error_in_200

    def second(talk: Talk) -> None:
        (say_stream if b'"stream"' in talk.asked.body else say_whole)(talk)

    with fake_claude(first) as bad, fake_claude(second) as good:
        async with in_front_of(bad, good) as gateway:
            answer = await gateway.post(request_)
    assert answer.status == 200 and answer.headers["understudy-engine"] == "up1/up-model"
    assert len(bad.asked) == len(good.asked) == 1
    record = gateway.records.kept[0]
    assert (record.engine, record.error_type) == ("up1", None)


async def test_a_refusal_does_not_go_to_the_next_upstream() -> None:
    with fake_claude(say_error(400, "invalid_request_error")) as bad, fake_claude(say_whole) as good:
        async with in_front_of(bad, good) as gateway:
            assert (await gateway.post(REQUEST)).status == 400
    assert good.asked == []


@pytest.mark.parametrize("stream", [False, True])
async def test_an_engine_answers_where_the_upstream_does_not(stream: bool) -> None:
    with fake_claude(say_page) as bad:
        async with in_front_of(bad, simulator=True) as gateway:
            answer = await gateway.post({**REQUEST, "stream": stream})
    assert answer.status == 200 and answer.headers["understudy-engine"] == "engine"
    assert b"msg_" in answer.body


@pytest.mark.parametrize("stream", [False, True])
async def test_an_upstream_answers_where_an_engine_fails_before_its_first_event(stream: bool) -> None:
    engine = Scripted("simulator", OverloadedError())
    with fake_claude(say_stream if stream else say_whole) as fake:
        gateway = Gateway({"up0": fake.url}, [("simulator", "x", 1), ("up0", "up-model", 0)], engine=engine)
        try:
            answer = await gateway.post({**REQUEST, "stream": stream})
        finally:
            await gateway.close()
    assert engine.asked == len(fake.asked) == 1
    assert answer.status == 200 and answer.headers["understudy-engine"] == "up0/up-model"
    assert b"msg_up" in answer.body
    assert gateway.records.kept[0].engine == "up0"


async def test_connections_are_used_again_after_whole_answers_streams_and_errors() -> None:
    says = [say_whole, say_stream, say_error(400, "invalid_request_error"), say_stream, say_whole]

    with fake_claude(lambda talk: says[len(fake.asked) - 1](talk)) as fake:
        async with in_front_of(fake) as gateway:
            for say in says:
                await gateway.post(STREAM if say is say_stream else REQUEST)
    assert len(fake.asked) == 5 and fake.connections == 1


def signed(signer: Signer, text: str) -> dict[str, Any]:
    model = configured_model("public")
    return {
        "type": "thinking",
        "thinking": text,
        "signature": signer.sign(text, model=model, organization_id=ORGANIZATION),
    }


async def test_thinking_signed_here_is_left_out_and_all_other_passes() -> None:
    with fake_claude(say_whole) as fake:
        async with in_front_of(fake) as gateway:
            ours = signed(gateway.signer, "mine")
            another = signed(Signer([("key_of_another_installation", b"x" * 32)]), "theirs")
            foreign = {"type": "thinking", "thinking": "real", "signature": "EqQBCkYIARABGAIiQ"}
            redacted = {"type": "redacted_thinking", "data": "EqQBCkYIARABGAIiQ"}
            text = {"type": "text", "text": "so", "later": 1}
            turns: Any = [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [ours, another, foreign, redacted, text]},
                {"role": "user", "content": "b"},
            ]
            answer = await gateway.post({**REQUEST, "messages": turns, "later": {"b": 1, "a": 2}})
            assert answer.status == 200
            sent = json.loads(fake.asked[0].body)
            assert sent["messages"][1]["content"] == [another, foreign, redacted, text]
            assert list(sent) == [*REQUEST, "later"] and sent["model"] == "up-model"
            broken = {**ours, "thinking": "changed"}
            turns[1]["content"] = [text, broken]
            answer = await gateway.post({**REQUEST, "messages": turns})
    assert answer.status == 400
    assert answer.json()["error"]["message"] == "messages.1.content.1: Invalid `signature` in `thinking` block"


@pytest.mark.parametrize(
    "messages",
    [
        [5],
        [{"role": "assistant", "content": [5, {"type": "thinking"}]}],
        [{"content": {"type": "thinking"}}],
        [{"role": "assistant", "content": [{"type": "thinking", "signature": 5, "thinking": None}]}],
        [{"role": "assistant", "content": [{"type": "redacted_thinking", "data": "\ud83d"}]}],
    ],
)
async def test_malformed_thinking_is_left_to_the_upstream(messages: list[Any]) -> None:
    answer, _, asked = await ask(say_whole, {**REQUEST, "messages": messages})
    # A lone surrogate is no JSON that anybody takes.
    assert answer.status in {200, 400}
    assert len(asked) == (answer.status == 200)


@pytest.mark.parametrize("kind", [["image"], {"image": 1}, 5, None])
async def test_a_block_whose_type_is_none_is_left_to_the_upstream(kind: Any) -> None:
    files = cast("Files", SimpleNamespace())  # It is not asked.
    block = {"type": kind, "source": {"type": "file", "file_id": "file_011CNha8iCJcU1wXNR6q4V8w"}}
    messages = [{"role": "user", "content": [block, {"type": "tool_result", "content": [block]}]}]
    assert await inline_files({"messages": messages}, files, "wrkspc_1") == {"messages": messages}


async def test_the_answer_keeps_the_upstreams_model_where_another_may_have_answered() -> None:
    answer, _, _ = await ask(say_whole, {**REQUEST, "fallbacks": [{"model": "x"}]})
    assert answer.json()["model"] == "up-model-20260101"


async def test_count_tokens_passes_too() -> None:
    def say(talk: Talk) -> None:
        talk.whole(200, b'{"input_tokens": 77}')

    with fake_claude(say) as fake:
        async with in_front_of(fake) as gateway:
            answer = await gateway.post({"model": "public", "messages": []}, "/v1/messages/count_tokens")
    assert answer.body == b'{"input_tokens": 77}'
    assert fake.asked[0].path == "/v1/messages/count_tokens"
    assert gateway.records.kept[0].input_tokens is None


async def test_an_upstreams_key_never_reaches_a_client() -> None:
    def say(talk: Talk) -> None:
        key = talk.asked.headers["x-api-key"]
        talk.whole(401, json.dumps(error("authentication_error", f"bad key {key}")).encode())

    answer, gateway, _ = await ask(say, REQUEST)
    assert answer.status == 401 and UPSTREAM_KEY.encode() not in answer.body
    assert UPSTREAM_KEY not in repr(gateway.upstreams["up0"].settings)
