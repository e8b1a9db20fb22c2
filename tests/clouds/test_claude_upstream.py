"""A Claude upstream behind this route: its bytes pass through the same translation as our own events do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from asgi import KEY
from clouds.chat import HELLO, Chat, accumulate, check_completion, check_error, chunks_of
from fake_claude import EVENTS, MESSAGE, START, FakeClaude, Talk, error, fake_claude, frame, hang_up

ASKED: dict[str, Any] = {**HELLO, "model": "public"}
STREAMED: dict[str, Any] = {**ASKED, "stream": True, "stream_options": {"include_usage": True}}


@asynccontextmanager
async def behind(say: Callable[[Talk], None]) -> AsyncGenerator[tuple[Chat, FakeClaude]]:
    with fake_claude(say) as fake:
        api = Chat(urls={"up": fake.url}, targets=[("up", "up-model", 1)], first_byte_timeout=5.0, idle_timeout=5.0)
        try:
            yield api, fake
        finally:
            await api.close()


def whole(talk: Talk) -> None:
    talk.whole(200, json.dumps(MESSAGE).encode())


def in_pieces(stream: bytes, size: int) -> Callable[[Talk], None]:
    def say(talk: Talk) -> None:
        talk.begin()
        for start in range(0, len(stream), size):
            talk.chunk(stream[start : start + size])
        talk.end()

    return say


async def test_the_upstream_gets_a_messages_request_and_none_of_our_client_s_credentials() -> None:
    async with behind(whole) as (api, fake):
        messages = [{"role": "system", "content": "Be brief."}, *HELLO["messages"]]
        await api.chat({**ASKED, "messages": messages, "temperature": 2, "seed": 3}, anthropic_beta="context-1m")
    (asked,) = fake.asked
    assert asked.path == "/v1/messages"
    assert asked.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in asked.headers
    assert "authorization" not in asked.headers
    assert json.loads(asked.body) == {
        "model": "up-model",
        "messages": HELLO["messages"],
        "system": "Be brief.",
        "max_tokens": 32_000,
        "temperature": 1,
    }


async def test_a_whole_answer_is_a_completion() -> None:
    async with behind(whole) as (api, _):
        answer = check_completion(await api.chat(ASKED))
    assert (answer["id"], answer["model"]) == ("msg_up", "public")
    (call,) = answer["choices"][0]["message"]["tool_calls"]
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("toolu_1", {"model": "mine", "n": 1})
    assert answer["usage"] == {
        "completion_tokens": 42,
        "prompt_tokens": 23,
        "total_tokens": 65,
        "prompt_tokens_details": {"cached_tokens": 5},
    }
    (record,) = api.records.kept
    assert (record.status, record.input_tokens, record.output_tokens) == (200, 11, 42)
    assert record.upstream_request_id == "req_upstream"


@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_stream_is_chunks_however_its_bytes_are_cut(size: int) -> None:
    stream = b"".join(map(frame, EVENTS))
    async with behind(in_pieces(stream, size)) as (api, _):
        answer = await api.chat(STREAMED)
    assert answer.headers["understudy-engine"] == "up/up-model"
    made = accumulate(chunks_of(answer.body))
    assert made["message"]["content"] == 'a "model" error: message_stopGrüße 😀\n\n'
    assert (made["id"], made["model"], made["finish_reason"]) == ("msg_up", "public", "stop")
    assert made["usage"]["total_tokens"] == 65
    (record,) = api.records.kept
    assert (record.stream, record.stop_reason, record.output_tokens) == (True, "end_turn", 42)


async def test_line_ends_and_comments_of_other_servers_are_read() -> None:
    stream = b": hello\r\n\r\n" + b"".join(map(frame, EVENTS)).replace(b"\n", b"\r\n")
    async with behind(in_pieces(stream, 50)) as (api, _):
        made = accumulate(chunks_of((await api.chat(STREAMED)).body))
    assert made["message"]["content"].startswith("a ")


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (401, "authentication_error"), (429, "rate_limit_error")]
)
@pytest.mark.parametrize("asked", [ASKED, STREAMED])
async def test_an_upstream_s_error_is_openai_s(status: int, kind: str, asked: dict[str, Any]) -> None:
    def say(talk: Talk) -> None:
        talk.whole(status, json.dumps(error(kind, "Because.")).encode(), "retry-after: 9")

    async with behind(say) as (api, _):
        answer = await api.chat(asked)
    assert check_error(answer, status) == {
        "code": kind,
        "message": "Because.",
        "type": "invalid_request_error",
        "param": None,
    }
    assert answer.headers["retry-after"] == "9"


def broken(*frames: bytes) -> Callable[[Talk], None]:
    def say(talk: Talk) -> None:
        talk.begin()
        for each in (frame(START), *frames):
            talk.chunk(each)
        hang_up()

    return say


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([], "api_error"),
        ([frame(error("overloaded_error"))], "overloaded_error"),
        ([b"event: content_block_delta\ndata: no JSON\n\n"], "api_error"),
        ([b"event: content_block_delta\ndata: [1]\n\n"], "api_error"),
        ([b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'], "api_error"),
        ([frame({"type": "message_delta", "delta": {}, "usage": None}), frame({"type": "message_stop"})], "api_error"),
    ],
)
async def test_what_breaks_in_the_middle_ends_the_stream_with_an_error(frames: list[bytes], code: str) -> None:
    async with behind(broken(*frames)) as (api, _):
        answer = await api.chat(STREAMED)
    assert answer.status == 200
    last = answer.body.decode().split("\n\n")[-2]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == code
    assert b"[DONE]" not in answer.body


@pytest.mark.parametrize(
    "body",
    [
        {**MESSAGE, "content": None},
        {**MESSAGE, "content": [{"type": "text"}]},
        {**MESSAGE, "content": [{"type": "tool_use", "id": "a"}]},
        {"type": "message"},
        {"type": "thing"},
    ],
)
async def test_garbage_in_a_200_is_a_bad_gateway(body: dict[str, Any]) -> None:
    def say(talk: Talk) -> None:
        talk.whole(200, json.dumps(body).encode())

    async with behind(say) as (api, _):
        check_error(await api.chat(ASKED), 502)


async def test_a_target_that_fails_is_followed_by_the_next() -> None:
    def say(talk: Talk) -> None:
        talk.whole(500, json.dumps(error("api_error")).encode())

    with fake_claude(say) as fake:
        api = Chat(urls={"up": fake.url}, targets=[("up", "up-model", 1), ("simulator", "sim", 0)])
        answer = await api.chat(STREAMED)
        await api.close()
    assert accumulate(chunks_of(answer.body))["message"]["content"]
    assert answer.headers["understudy-engine"] == "simulator/sim"
    assert len(fake.asked) == 1


async def test_a_client_that_goes_stops_the_upstream() -> None:
    gone: list[float] = []

    def say(talk: Talk) -> None:
        talk.begin()
        talk.chunk(frame(START))
        gone.append(talk.gone())

    async with behind(say) as (api, _):
        with api.listening() as url:
            host, port = url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            body = json.dumps(STREAMED).encode()
            head = [
                "POST /v1/chat/completions HTTP/1.1",
                "host: x",
                f"authorization: Bearer {KEY}",
                "content-type: application/json",
                f"content-length: {len(body)}",
            ]
            writer.write("\r\n".join([*head, "", ""]).encode() + body)
            assert b"chat.completion.chunk" in await reader.readuntil(b"chat.completion.chunk")
            writer.close()
            for _ in range(100):
                if gone:
                    break
                await asyncio.sleep(0.02)
    assert gone and gone[0] < 1.0
    (record,) = api.records.kept
    assert record.disconnected
