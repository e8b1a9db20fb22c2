"""The engine against a server on a real socket, which does what real ones do on bad days."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from engines.openai_compatible.turns import TIME, WEATHER, engine, events_of, request, told, turn
from fake_openai import DONE, Reply, call, calls, chunk, fake_openai, refused, said, sse, stream, texts, usage
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.engines.openai_compatible.http import Timeouts
from understudy.wire.errors import ApiError, InvalidRequestError

STOP = chunk(finish_reason="stop")
HELLO = [("text", "Hello"), ("stop", "end_turn")]
HELLO_PAID = [("text", "Hello"), ("prompt", "11", "0"), ("stop", "end_turn")]


async def answer(*replies: Reply, turn_: Any = None, **more: Any) -> list[tuple[str, ...]]:
    async with fake_openai(*replies) as fake:
        return told(await events_of(engine(fake.url, **more), turn() if turn_ is None else turn_))


async def failure(*replies: Reply, **more: Any) -> tuple[int, str, str]:
    with pytest.raises(ApiError) as caught:
        await answer(*replies, **more)
    return caught.value.status, caught.value.type, caught.value.message


async def test_a_request_is_posted_and_its_answer_comes_back() -> None:
    async with fake_openai(said("Hel", "lo")) as fake:
        up = engine(fake.url, api_key=SecretStr("k"))
        assert told(await events_of(up, turn())) == HELLO_PAID
        assert fake.paths == ["/v1/chat/completions"]
        assert fake.headers[0]["authorization"] == "Bearer k"
        assert fake.bodies[0]["model"] == "upstream-model"


async def test_without_a_key_none_is_sent() -> None:
    async with fake_openai(said("Hello")) as fake:
        await events_of(engine(fake.url), turn())
        assert "authorization" not in fake.headers[0]


async def test_the_first_batch_comes_with_the_first_chunk() -> None:
    async with fake_openai(Reply([sse([chunk({"role": "assistant"})], done=False), None])) as fake:
        up = engine(fake.url)
        async with aclosing(up.run(turn())) as batches:
            assert await anext(batches) == []
        await up.close()


GOOD: dict[str, Reply] = {
    "no [DONE]": stream(*texts("Hello"), STOP, done=False),
    "no [DONE] and no end": Reply([sse([*texts("Hello"), STOP], done=False)], cut=True),
    "no finish_reason": stream(*texts("Hello")),
    "comments": stream(b": wait\n\n", *texts("Hello"), b": wait\n\n", STOP),
    "no space": Reply([sse([*texts("Hello"), STOP]).replace(b"data: ", b"data:")]),
    "other line ends": Reply([sse([*texts("Hel", "lo"), STOP]).replace(b"\n", b"\r\n")]),
    "one line end between events": Reply([sse([*texts("Hel", "lo"), STOP]).replace(b"\n\n", b"\n")]),
    "a byte order mark": Reply([b"\xef\xbb\xbf" + sse([*texts("Hello"), STOP])]),
    "data in several lines": Reply([b'data: {"choices":\ndata: [{"delta":{"content":"Hello"}}]}\n\n' + sse([STOP])]),
    "another content type": Reply([sse([*texts("Hello"), STOP])], content_type="text/plain; charset=utf-8"),
    "no stream at all": refused(200, {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}),
    "negative usage": stream(*texts("Hello"), STOP, chunk(usage=usage(-1, -1, -1))),
    "other choices": stream(*texts("Hello"), {"choices": [{"index": 1, "delta": {"content": "No"}}]}, STOP),
    "null everywhere": stream(
        {"choices": None},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"usage": None, "choices": []},
        *texts("Hello"),
        chunk({"content": None, "tool_calls": None}),
        STOP,
    ),
    "what follows the end": Reply([sse([*texts("Hello"), STOP]) + b"data: garbage\n\n"]),
}


@pytest.mark.parametrize("name", GOOD)
async def test_an_answer_is_taken_in_whatever_form_it_comes(name: str) -> None:
    assert await answer(GOOD[name]) == HELLO


async def test_an_answer_of_nothing_is_one() -> None:
    assert await answer(stream(chunk({"role": "assistant", "content": ""}), STOP)) == [("stop", "end_turn")]


async def test_the_usage_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.engines.openai_compatible.engine._USAGE_WAIT", 0.05)
    assert await answer(Reply([sse([*texts("Hello"), STOP], done=False), None])) == HELLO


FAILED = "The model's server failed."
BROKEN = "The model's server broke its answer off."
UNREADABLE = "The model's server sent what cannot be read."

BAD: dict[str, tuple[Reply, tuple[int, str, str]]] = {
    "refused": (refused(400, {"error": {"message": "no"}}), (400, "invalid_request_error", "no")),
    "too many": (refused(429, {"error": {"message": "slow"}}, retry_after="7"), (429, "rate_limit_error", "slow")),
    "a redirect": (Reply([], 302, headers={"location": "http://127.0.0.1:1/"}), (500, "api_error", FAILED)),
    "a 200 with an error": (
        refused(200, {"error": {"message": "no", "code": 400}}),
        (400, "invalid_request_error", "no"),
    ),
    "an error as the first event": (
        stream({"error": {"message": "no", "code": 400}}),
        (400, "invalid_request_error", "no"),
    ),
    "an error in the middle": (stream(*texts("Hel"), {"error": {"message": "died"}}), (500, "api_error", FAILED)),
    "an error field": (
        Reply([sse(texts("Hel"), done=False), b'error: {"code":500,"message":"x"}\n\n']),
        (500, "api_error", FAILED),
    ),
    "garbage": (Reply([b"data: garbage\n\n"]), (500, "api_error", UNREADABLE)),
    "garbage in the middle": (stream(*texts("Hel"), b"data: [1,\n\n"), (500, "api_error", UNREADABLE)),
    "a number": (stream(b"data: 3\n\n"), (500, "api_error", UNREADABLE)),
    "a page": (Reply([b"<html>hi</html>"], content_type="text/html"), (500, "api_error", BROKEN)),
    "JSON that is none": (refused(200, b"{"), (500, "api_error", UNREADABLE)),
    "nothing": (Reply([]), (500, "api_error", BROKEN)),
    "only an end": (Reply([DONE]), (500, "api_error", BROKEN)),
    "an answer without its end": (stream(*texts("Hel"), done=False), (500, "api_error", BROKEN)),
    "a broken connection": (stream(*texts("Hel"), done=False, cut=True), (500, "api_error", BROKEN)),
    "a gone model": (
        refused(404, {"error": {"message": "model x not found"}}),
        (404, "not_found_error", "model: my-model"),
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_what_goes_wrong_is_a_typed_error(name: str) -> None:
    reply, expected = BAD[name]
    assert await failure(reply) == expected


async def test_a_connection_that_breaks_at_any_chunk_ends_in_an_error() -> None:
    chunks = [
        chunk({"role": "assistant"}),
        *texts("Hel", "lo"),
        calls(call(0, "a", "time", "{")),
        calls(call(0, None, None, "}")),
    ]
    for end in range(len(chunks) + 1):
        status, kind, _ = await failure(stream(*chunks[:end], done=False, cut=True), turn_=turn(request(tools=[TIME])))
        assert (status, kind) == (500, "api_error")


async def test_an_upstream_that_hangs_before_its_answer() -> None:
    timeouts = Timeouts(connect=1, first_byte=0.1, idle=5)
    for pieces in ([None], [b": wait\n\n", None]):
        assert (await failure(Reply(pieces), timeouts=timeouts))[:2] == (504, "timeout_error")


async def test_an_upstream_that_hangs_in_the_middle_comments_or_not() -> None:
    timeouts = Timeouts(connect=1, first_byte=5, idle=0.1)
    begun = sse(texts("Hel"), done=False)
    assert (await failure(Reply([begun, None]), timeouts=timeouts))[:2] == (504, "timeout_error")
    comments = [piece for _ in range(40) for piece in (b": wait\n\n", 0.02)]
    assert (await failure(Reply([begun, *comments]), timeouts=timeouts))[:2] == (504, "timeout_error")


async def test_an_upstream_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ApiError, match="cannot be reached") as caught:
            await events_of(engine(url), turn())
    assert (caught.value.status, caught.value.retry) == (500, True)


async def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    async with fake_openai(replace(said("Hello"), close=True)) as fake:
        up = engine(fake.url)
        for _ in range(3):
            async with aclosing(up.run(turn())) as batches:
                assert told([event async for batch in batches for event in batch]) == HELLO_PAID
        await up.close()
        assert len(fake.bodies) == 3


async def test_connections_are_used_again() -> None:
    async with fake_openai(said("Hello")) as fake:
        up = engine(fake.url)
        for _ in range(5):
            async with aclosing(up.run(turn())) as batches:
                assert told([event async for batch in batches for event in batch]) == HELLO_PAID
            await asyncio.sleep(0.01)
        await up.close()
        assert fake.connections == 1


@pytest.mark.parametrize("begun", [True, False])
async def test_closing_or_cancelling_reaches_the_upstream_at_once(begun: bool) -> None:
    pieces = [sse(texts("Hel"), done=False), None] if begun else [None]
    async with fake_openai(Reply(pieces)) as fake:
        up = engine(fake.url)
        batches = up.run(turn())
        if begun:
            assert told(await anext(batches)) == [("text", "Hel")]
            left = asyncio.get_running_loop().time()
            await batches.aclose()
        else:
            waiting = asyncio.ensure_future(anext(batches))
            await asyncio.sleep(0.1)
            left = asyncio.get_running_loop().time()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        async with asyncio.timeout(1):
            await fake.gone.wait()
        assert fake.gone_at - left < 0.2
        await up.close()


async def test_an_upstream_that_minds_no_limit_is_left() -> None:
    async with fake_openai(Reply([sse(texts(*[" word"] * 200), done=False), None])) as fake:
        assert told(await events_of(engine(fake.url), turn(max_tokens=10)))[-1] == ("stop", "max_tokens")
        async with asyncio.timeout(1):
            await fake.gone.wait()


async def test_a_prompt_without_an_answer_costs_its_tokens_alone() -> None:
    async with fake_openai(said("Hello")) as fake:
        found = told(await events_of(engine(fake.url), turn(max_tokens=0)))
        assert found == [("prompt", "11", "0"), ("stop", "max_tokens")]
        assert fake.bodies[0]["max_tokens"] == 1


NO_ROOM = (
    "This model's maximum context length is 60 tokens. However, you requested 140 tokens (40 in the messages, 100 in "
    "the completion)."
)


async def test_an_answer_gets_the_room_there_is() -> None:
    async with fake_openai(refused(400, {"error": {"message": NO_ROOM}}), said("Hello")) as fake:
        assert told(await events_of(engine(fake.url), turn())) == HELLO_PAID
        assert [body["max_tokens"] for body in fake.bodies] == [100, 20]


async def test_it_is_asked_again_once_only() -> None:
    status, kind, message = await failure(refused(400, {"error": {"message": NO_ROOM}}))
    assert (status, kind) == (400, "invalid_request_error")
    assert message.startswith("input length and `max_tokens` exceed context limit: 40 + 100 > 60")


async def test_the_key_is_in_no_error() -> None:
    echo = refused(400, {"error": {"message": "bad key planted-0123456789"}})
    assert "planted" not in (await failure(echo, api_key=SecretStr("planted-0123456789")))[2]


class TestCounting:
    async def test_vllm_counts_beside_its_v1(self) -> None:
        async with fake_openai(refused(200, {"count": 42, "max_model_len": 4096})) as fake:
            up = engine(fake.url, DIALECTS["vllm"])
            assert await up.count(turn(request(tools=[TIME]))) == 42
            await up.close()
            assert fake.paths == ["/tokenize"]
            assert set(fake.bodies[0]) == {"model", "messages", "tools", "chat_template_kwargs"}

    async def test_llama_server_has_a_route_of_its_own(self) -> None:
        async with fake_openai(refused(200, {"input_tokens": 42})) as fake:
            up = engine(fake.url, DIALECTS["llama-server"])
            assert await up.count(turn()) == 42
            await up.close()
            assert fake.paths == ["/v1/chat/completions/input_tokens"]

    @pytest.mark.parametrize(
        "reply", [refused(404, {}), refused(200, {"count": -1}), refused(200, b"x"), Reply([], cut=True)]
    )
    async def test_no_count_is_none(self, reply: Reply) -> None:
        async with fake_openai(reply) as fake:
            up = engine(fake.url, DIALECTS["vllm"])
            assert await up.count(turn()) is None
            await up.close()

    async def test_others_are_not_asked(self) -> None:
        assert await engine("http://127.0.0.1:1/v1").count(turn()) is None

    async def test_what_cannot_be_said_is_refused(self) -> None:
        with pytest.raises(InvalidRequestError):
            await engine("http://127.0.0.1:1/v1", DIALECTS["vllm"]).count(
                turn(request(tools=[{"type": "x", "name": "x"}]))
            )


# Characters as UTF-8, then as escapes.
EVERYTHING = sse(
    [chunk({"role": "assistant", "reasoning_content": "hé"}), *texts("\n", "día ", "😀")], done=False, escaped=False
) + sse(
    [
        *texts("é"),
        calls(call(0, "a", "weather", '{"city": ')),
        calls(call(1, "b", "time", "{"), call(0, None, None, '"Zü')),
        calls(call(0, None, None, 'rich 😀"}'), call(1, None, None, "}")),
        chunk(finish_reason="tool_calls"),
        chunk(usage=usage(11, 9, 3)),
    ]
)
TOLD = [
    ("thinking", "hé"),
    ("text", "\ndía 😀é"),
    ("call", "weather"),
    ("input", '{"city": "Zürich 😀"}'),
    ("call", "time"),
    ("input", "{}"),
    ("prompt", "11", "3"),
    ("stop", "tool_use"),
]
BOTH = turn(request(tools=[WEATHER, TIME]), thinking="adaptive")


async def test_the_answer_is_the_same_when_each_byte_comes_alone() -> None:
    whole = await answer(Reply([EVERYTHING]), turn_=BOTH)
    assert whole == TOLD
    alone = [EVERYTHING[place : place + 1] for place in range(len(EVERYTHING))]
    assert await answer(Reply(alone), turn_=BOTH) == whole


@given(st.lists(st.integers(0, len(EVERYTHING)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_the_answer_is_the_same_however_it_is_cut(places: list[int]) -> None:
    cuts = sorted(places)
    pieces = [EVERYTHING[start:end] for start, end in zip([0, *cuts], [*cuts, len(EVERYTHING)], strict=True)]
    assert asyncio.run(answer(Reply([piece for piece in pieces if piece]), turn_=BOTH)) == TOLD


async def test_every_dialect_can_be_asked_for_everything_it_takes() -> None:
    async with fake_openai(said("Hello")) as fake:
        for dialect in DIALECTS.values():
            up = engine(fake.url, dialect)
            found = await events_of(up, turn(request(tools=[WEATHER], temperature=0.5), thinking="adaptive"))
            assert told(found) == HELLO_PAID
            assert json.dumps(fake.bodies[-1])


async def test_a_reader_who_takes_its_time_is_not_an_upstream_that_hangs() -> None:
    timeouts = Timeouts(connect=1, first_byte=0.1, idle=0.1)
    pieces = [sse(texts("Hel"), done=False), 0.25, sse([*texts("lo"), STOP, chunk(usage=usage(11, 7))])]
    async with fake_openai(Reply(pieces)) as fake:
        up = engine(fake.url, timeouts=timeouts)
        found: list[Any] = []
        async with aclosing(up.run(turn())) as batches:
            async for batch in batches:
                found += batch
                await asyncio.sleep(0.3)
        await up.close()
    assert told(found) == HELLO_PAID


async def test_timeouts_of_the_answer_begin_again_with_each_event() -> None:
    timeouts = Timeouts(connect=1, first_byte=0.2, idle=0.2)
    pieces = [piece for word in "Hello" for piece in (0.06, sse(texts(word), done=False))]
    assert await answer(Reply([*pieces, sse([STOP])]), timeouts=timeouts) == HELLO
