"""What is answered: whole and streamed say the same, and what was said can be sent back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from hypothesis import given

from clouds.chat import HELLO, Chat, accumulate, check_completion, chunks_of, said
from clouds.chat_requests import TOOLS, chat_requests, quick
from understudy.clouds.openai.chunks import Chunks
from understudy.clouds.openai.completion import completion
from understudy.clouds.openai.framing import ChatFraming
from understudy.engines.engine import (
    EngineEvent,
    EngineTurn,
    InputDelta,
    PromptUsage,
    Stop,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)

WEATHER = {**HELLO, "messages": [{"role": "user", "content": "What's the weather in Paris and Rome?"}], "tools": TOOLS}


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> Chat:
    return Chat()


def streamed(runner: asyncio.Runner, api: Chat, request: dict[str, Any]) -> dict[str, Any]:
    answer = runner.run(api.chat({**request, "stream": True, "stream_options": {"include_usage": True}}))
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    return accumulate(chunks_of(answer.body))


@given(request_=chat_requests())
@quick
def test_a_stream_put_together_is_the_whole_answer(runner: asyncio.Runner, api: Chat, request_: dict[str, Any]) -> None:
    whole = check_completion(runner.run(api.chat(request_)))
    stream = streamed(runner, api, request_)
    if whole["choices"][0]["finish_reason"] == "length" and whole["choices"][0]["message"].get("tool_calls"):
        # Arguments that were cut off are cut in a stream, and closed in a whole answer.
        return
    assert said(stream) == said(whole)


@given(request_=chat_requests())
@quick
def test_what_was_answered_can_be_sent_back(runner: asyncio.Runner, api: Chat, request_: dict[str, Any]) -> None:
    for message in (
        check_completion(runner.run(api.chat(request_)))["choices"][0]["message"],
        streamed(runner, api, request_)["message"],
    ):
        history = [*request_["messages"], message]
        for call in message.get("tool_calls") or []:
            history.append({"role": "tool", "tool_call_id": call["id"], "content": "18 degrees"})
        history.append({"role": "user", "content": "And now?"})
        check_completion(runner.run(api.chat({**request_, "messages": history})))


async def test_calls_in_parallel_are_streamed_under_their_indexes(api: Chat) -> None:
    answer = await api.chat({**WEATHER, "stream": True})
    message = accumulate(chunks_of(answer.body))["message"]
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message["tool_calls"]]
    assert calls == [("get_weather", {"city": "Paris"}), ("get_weather", {"city": "Rome"})]


async def test_without_parallel_calls_there_is_one(api: Chat) -> None:
    answer = check_completion(await api.chat({**WEATHER, "parallel_tool_calls": False}))
    assert len(answer["choices"][0]["message"]["tool_calls"]) == 1
    assert answer["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_functions_are_answered_as_a_function_call(api: Chat, stream: bool) -> None:
    functions = [tool["function"] for tool in TOOLS]
    request: dict[str, Any] = {**HELLO, "messages": WEATHER["messages"], "functions": functions, "stream": stream}
    answer = await api.chat(request)
    if stream:
        choice = accumulate(chunks_of(answer.body))
        assert choice["message"]["tool_calls"] == []
    else:
        (choice,) = answer.json()["choices"]
        assert "tool_calls" not in choice["message"]
    assert choice["finish_reason"] == "function_call"
    call = choice["message"]["function_call"]
    assert (call["name"], json.loads(call["arguments"])) == ("get_weather", {"city": "Paris"})
    history = [
        *request["messages"],
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "get_weather", "content": "18 degrees"},
    ]
    # The result is understood: what is left to ask is the other city.
    (again,) = (await api.chat({**request, "messages": history, "stream": False})).json()["choices"]
    assert json.loads(again["message"]["function_call"]["arguments"]) == {"city": "Rome"}


async def test_usage_comes_last_and_only_when_it_is_asked_for(api: Chat) -> None:
    asked = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    *chunks, last = chunks_of((await api.chat(asked)).body)
    assert last["choices"] == []
    assert last["usage"]["prompt_tokens"] == 8
    assert all(chunk["usage"] is None for chunk in chunks)
    assert all("usage" not in chunk for chunk in chunks_of((await api.chat({**HELLO, "stream": True})).body))


async def test_structured_output_is_json_of_that_schema(api: Chat) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}}
    asked = {"role": "user", "content": "Extract: Ada Lovelace is 36 years old."}
    answer = check_completion(await api.chat({**HELLO, "messages": [asked], "response_format": form}))
    person = json.loads(answer["choices"][0]["message"]["content"])
    assert set(person) == {"name", "age"}
    assert type(person["age"]) is int


async def test_a_tool_loop_goes_on_where_the_model_thinks_by_itself(api: Chat) -> None:
    request = {**WEATHER, "model": "claude-opus-5-5"}
    first = check_completion(await api.chat(request))["choices"][0]["message"]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "18 degrees, rain"} for call in first["tool_calls"]
    ]
    second = check_completion(await api.chat({**request, "messages": [*request["messages"], first, *results]}))
    assert second["choices"][0]["finish_reason"] == "stop"


async def test_the_request_is_recorded_like_any_other(api: Chat) -> None:
    api.records.kept.clear()
    await api.chat({**HELLO, "stream": True})
    (record,) = api.records.kept
    assert (record.status, record.path, record.stream) == (200, "/v1/chat/completions", True)
    assert (record.input_tokens, record.stop_reason) == (8, "end_turn")
    assert record.output_tokens and record.message_id and record.time_to_first_token is not None
    assert record.api_key_id == "apikey_in_process"


# --- what an engine may yield ---


class Saying:
    """An engine that says the same each time, with `pause` seconds before each event."""

    name = "saying"

    def __init__(self, *events: EngineEvent, pause: float = 0.0) -> None:
        self._events = events
        self._pause = pause

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        yield []
        for event in self._events:
            await asyncio.sleep(self._pause)
            yield [event]


async def both(*events: EngineEvent) -> dict[str, Any]:
    """The answer of an engine, whole and streamed."""
    api = Chat(Saying(*events))
    whole = check_completion(await api.chat({**HELLO, "model": "public"}))
    asked = {**HELLO, "model": "public", "stream": True, "stream_options": {"include_usage": True}}
    assert said(accumulate(chunks_of((await api.chat(asked)).body))) == said(whole)
    return whole


async def test_thinking_is_not_shown() -> None:
    answer = await both(ThinkingDelta("hm", 1), TextDelta("Yes.", 1), Stop("end_turn", 2))
    assert answer["choices"][0]["message"] == {"content": "Yes.", "refusal": None, "role": "assistant"}


async def test_a_call_without_arguments_has_an_empty_object() -> None:
    answer = await both(
        TextDelta("Now. ", 1), ToolUse("ping"), ToolUse("pong"), InputDelta("{}", 1), Stop("tool_use", 3)
    )
    message = answer["choices"][0]["message"]
    assert message["content"] == "Now. "
    assert [call["function"]["arguments"] for call in message["tool_calls"]] == ["{}", "{}"]


async def test_tokens_that_an_engine_had_cached_are_told() -> None:
    answer = await both(PromptUsage(100, 80), TextDelta("Yes.", 1), Stop("end_turn", 2))
    assert answer["usage"] == {
        "completion_tokens": 2,
        "prompt_tokens": 100,
        "total_tokens": 102,
        "prompt_tokens_details": {"cached_tokens": 80},
    }


@pytest.mark.parametrize(
    ("reason", "expected"),
    [("end_turn", "stop"), ("stop_sequence", "stop"), ("max_tokens", "length"), ("refusal", "content_filter")],
)
async def test_reasons_to_finish(reason: StopReason, expected: str) -> None:
    answer = await both(TextDelta("Yes.", 1), Stop(reason, 2))
    assert answer["choices"][0]["finish_reason"] == expected


async def test_an_answer_of_nothing_is_an_empty_text() -> None:
    answer = await both(Stop("end_turn", 1))
    assert answer["choices"][0]["message"]["content"] == ""


async def test_silence_is_broken_by_comments() -> None:
    api = Chat(Saying(TextDelta("Yes.", 1), Stop("end_turn", 1), pause=0.15), ping_interval=0.1)
    answer = await api.chat({**HELLO, "model": "public", "stream": True})
    assert answer.body.count(b": ping\n\n") == 2
    assert accumulate(chunks_of(answer.body))["message"]["content"]


async def test_thinking_is_no_silence() -> None:
    thoughts = [ThinkingDelta("hm ", 1)] * 6
    api = Chat(Saying(*thoughts, TextDelta("Yes.", 1), Stop("end_turn", 7), pause=0.08), ping_interval=0.1)
    answer = await api.chat({**HELLO, "model": "public", "stream": True})
    assert 2 <= answer.body.count(b": ping\n\n") <= 5
    assert accumulate(chunks_of(answer.body))["message"]["content"] == "Yes."


# --- what an upstream's events may hold that no engine of ours yields ---


def test_the_input_of_a_call_may_come_at_its_start() -> None:
    chunks = Chunks(1, include_usage=True, functions=False)
    message = {"id": "msg_1", "model": "m", "usage": {"input_tokens": 1, "output_tokens": None}}
    block = {"type": "tool_use", "id": "toolu_1", "name": "ping", "input": {"a": 1}}
    usage = {"input_tokens": None, "output_tokens": 3}
    frames = [
        chunks.take({"type": "message_start", "message": message}),
        chunks.take({"type": "content_block_start", "index": 0, "content_block": block}),
        chunks.take({"type": "content_block_stop", "index": 0}),
        chunks.take({"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": "So: "}}),
        chunks.take({"type": "content_block_stop", "index": 1}),
        chunks.take({"type": "something_new"}),
        chunks.take({"type": "message_delta", "delta": {"stop_reason": "new_reason"}, "usage": usage}),
        chunks.take({"type": "message_stop"}),
    ]
    answer = accumulate(chunks_of(b"".join(frames)))
    assert answer["message"]["tool_calls"][0]["function"] == {"name": "ping", "arguments": '{"a":1}'}
    assert (answer["message"]["content"], answer["finish_reason"]) == ("So: ", "stop")
    assert answer["usage"] == {"completion_tokens": 3, "prompt_tokens": 1, "total_tokens": 4}


def test_the_data_of_one_event_may_stand_on_several_lines() -> None:
    assert ChatFraming(10.0).piece(b'id: 1\ndata: {"type":\ndata: "message_stop"}\n\n') == b"data: [DONE]\n\n"


def test_blocks_of_other_kinds_are_passed_over() -> None:
    content = [{"type": "redacted_thinking", "data": "x"}, {"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    message = {"id": "msg_1", "model": "m", "content": content, "stop_reason": "pause_turn", "usage": None}
    answer = completion(message, 1, functions=False)
    assert answer["choices"][0]["message"]["content"] == "ab"
    assert answer["usage"] == {"completion_tokens": 0, "prompt_tokens": 0, "total_tokens": 0}
