"""Answers that nobody watches come from the upstream in one piece, and are what a stream of them would have been."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import pytest

from asgi import InProcess
from engines.openai_compatible.turns import TIME, WEATHER, engine, request, turn
from fake_openai import FakeOpenAI, Reply, call, calls, chunk, fake_openai, refused, said, stream, texts, usage
from streams import without_ids, without_signatures
from understudy.engines.engine import EngineEvent, TextDelta
from understudy.engines.openai_compatible.answer import Answer
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.engines.openai_compatible.tools import Names
from understudy.engines.openai_compatible.whole import chunks_of, plain_answer

Json = dict[str, Any]
ASKED: Json = {"model": "claude-opus-5-5", "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}


def completion(message: Json, reason: str = "stop", paid: Json | None = None) -> Reply:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    body: Json = {"id": "c", "object": "chat.completion", "choices": [choice]}
    return refused(200, body if paid is None else body | {"usage": paid})


@asynccontextmanager
async def api(*replies: Reply, **dialect: Any) -> AsyncGenerator[tuple[InProcess, FakeOpenAI]]:
    async with fake_openai(*replies) as fake:
        up = engine(fake.url, replace(DIALECTS["generic"], **dialect))
        try:
            yield InProcess(up), fake
        finally:
            await up.close()


async def message_of(reply: Reply, request: Json = ASKED, **dialect: Any) -> Json:
    async with api(reply, **dialect) as (api_, _):
        answer = await api_.post(request)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.mark.parametrize(
    ("more", "streams"), [({}, False), ({"stream": True}, True), ({"stop_sequences": ["END"]}, True)]
)
async def test_only_what_nobody_watches_is_asked_for_in_one_piece(more: Json, streams: bool) -> None:
    async with api(said("Hello")) as (api_, fake):
        assert (await api_.post(ASKED | more)).status == 200
        assert fake.bodies[0]["stream"] is streams
        assert ("stream_options" in fake.bodies[0]) is streams


async def test_every_part_of_it_is_what_a_stream_would_have_made_of_it() -> None:
    request: Json = {**ASKED, "thinking": {"type": "adaptive"}, "tools": [WEATHER, TIME]}
    first, second = call(0, "a", "weather", '{"city": "Rome"}'), call(1, "b", "time", "{}")
    pieces = stream(
        chunk({"reasoning_content": "Which one? Both of them, I think."}),
        *texts("Let me see."),
        calls(first),
        calls(second),
        chunk(finish_reason="tool_calls"),
        chunk(usage=usage(321, 41, 300)),
    )
    message = {
        "content": "Let me see.",
        "reasoning_content": "Which one? Both of them, I think.",
        # Newer servers say it under both names.
        "reasoning": "Which one? Both of them, I think.",
        "tool_calls": [{name: value for name, value in one.items() if name != "index"} for one in (first, second)],
    }
    streamed = await message_of(pieces, request)
    whole = await message_of(completion(message, "tool_calls", usage(321, 41, 300)), request)
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use", "tool_use"]
    assert without_signatures(without_ids(whole)) == without_signatures(without_ids(streamed))
    assert 0 < whole["usage"]["output_tokens_details"]["thinking_tokens"] < 41


@pytest.mark.parametrize("paid", [None, usage(11, 4_000)])
async def test_an_upstream_that_minds_no_limit_is_cut_near_it(paid: Json | None) -> None:
    message = await message_of(completion({"content": "word " * 4_000}, paid=paid), {**ASKED, "max_tokens": 100})
    assert message["stop_reason"] == "max_tokens" and message["usage"]["output_tokens"] == 100
    assert len(message["content"][0]["text"]) < 2_000


async def test_thinking_between_tags_is_counted_by_itself() -> None:
    text = f"<think>{'hm ' * 100}</think>{'yes ' * 100}"
    request: Json = {**ASKED, "max_tokens": 1_000, "thinking": {"type": "adaptive"}}
    message = await message_of(completion({"content": text}, paid=usage(11, 200)), request, think_tags="yes")
    assert [block["type"] for block in message["content"]] == ["thinking", "text"]
    assert message["content"][1]["text"] == "yes " * 100
    assert 60 < message["usage"]["output_tokens_details"]["thinking_tokens"] < 140


async def test_the_numbers_are_the_upstreams_own() -> None:
    paid = (await message_of(completion({"content": "Hello"}, paid=usage(321, 9, 300))))["usage"]
    assert (paid["input_tokens"], paid["cache_read_input_tokens"], paid["output_tokens"]) == (21, 300, 9)


async def test_a_refusal_is_one() -> None:
    message = await message_of(completion({"content": None, "refusal": "No."}))
    assert message["stop_reason"] == "refusal" and message["content"][0]["text"] == "No."


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": {"message": "out of memory"}}, "api_error"),
        ({"choices": []}, "api_error"),
        ({"choices": [None]}, "api_error"),
        ([], "api_error"),
        (b"<html>", "api_error"),
        (b'{"choices":[{"message":{"content":"Hel', "api_error"),
    ],
)
async def test_what_is_no_answer_is_an_error(body: Any, kind: str) -> None:
    async with api(refused(200, body)) as (api_, _):
        answer = await api_.post(ASKED)
        assert answer.status >= 500, answer.body
        assert json.loads(answer.body)["error"]["type"] == kind


def test_an_error_or_a_chunk_is_left_as_it_is() -> None:
    for odd in ({"choices": [{"delta": {"content": "x"}}]}, {"error": {"message": "x"}}):
        assert chunks_of(odd, 10) == [odd]


PAID = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
NO_MEMBERS: Json = {}


def answered(
    content: Any = "Hello", reason: Any = "stop", paid: Any = PAID, said: Json = NO_MEMBERS, **more: Any
) -> Json:
    message = {"role": "assistant", "content": content, **said}
    return {"choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": paid, **more}


def the_long_way(given: Json, most: int, think_tags: Literal["no", "yes", "open"]) -> list[EngineEvent]:
    answer = Answer(Names(), max_tokens=most, thinks=True, think_tags=think_tags)
    events = [event for one in chunks_of(given, most) for event in answer.take(one)]
    return [*events, *answer.end()]


@pytest.mark.parametrize("tags", ["no", "yes"])
@pytest.mark.parametrize(
    "given",
    [
        answered(),
        answered("naïve 😀"),
        answered("a</b> <think>"),
        answered(reason=None),
        answered(reason="length"),
        answered(reason="tool_calls"),
        answered(paid={"completion_tokens": 3}),
        answered(paid={"prompt_tokens": 2, "completion_tokens": 3, "prompt_cache_hit_tokens": 9}),
        answered(said={"tool_calls": None, "refusal": None, "reasoning_content": ""}),
    ],
)
def test_an_answer_of_text_alone_takes_the_short_way_to_the_same(given: Json, tags: Literal["no", "yes"]) -> None:
    asked = replace(turn(request()), whole=True)
    short = plain_answer(given, asked, tags)
    assert short is not None
    text, *rest = short
    assert isinstance(text, TextDelta)
    # Its tokens are those that the upstream has counted.
    assert text.tokens == 3
    estimated, *others = the_long_way(given, asked.max_tokens, tags)
    assert (estimated, others) == (TextDelta(text.text, getattr(estimated, "tokens", -1)), rest)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        (answered(""), "no"),
        (answered(" \n"), "no"),
        (answered("\ud83d"), "no"),
        (answered([{"type": "text", "text": "Hello"}]), "no"),
        (answered("<think>a</think>b"), "yes"),
        (answered(" <thi"), "yes"),
        (answered("a</think>b"), "open"),
        (answered(reason="content_filter"), "no"),
        (answered(reason="error"), "no"),
        (answered(paid=None), "no"),
        (answered(paid={"prompt_tokens": 3}), "no"),
        (answered(paid={"completion_tokens": 0}), "no"),
        (answered(paid={"completion_tokens": 101}), "no"),
        (answered("word " * 1_000), "no"),
        (answered(said={"reasoning": "hm"}), "no"),
        (answered(said={"refusal": "no"}), "no"),
        (answered(said={"tool_calls": [call(0, "a", "weather", "{}")]}), "no"),
        (answered(error={"message": "broken"}), "no"),
        (answered(object="error"), "no"),
        ({"choices": [], "usage": PAID}, "no"),
    ],
)
def test_any_other_takes_the_long_way(given: Json, tags: Literal["no", "yes", "open"]) -> None:
    assert plain_answer(given, replace(turn(request()), whole=True), tags) is None


def test_one_whose_pieces_are_seen_takes_the_long_way() -> None:
    assert plain_answer(answered(), turn(request()), "no") is None
