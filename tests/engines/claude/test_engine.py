"""ClaudeEngine against upstreams on good days and on bad ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi import InProcess
from engines.claude.answers import (
    Json,
    Say,
    answer,
    block,
    body_of,
    call,
    end,
    engine_to,
    events_of,
    says,
    streams,
    text,
)
from engines.claude.gateway import UPSTREAM_KEY
from engines.claude.test_forwarding import (
    say_early_error,
    say_empty_stream,
    say_error_in_200,
    say_garbage,
    say_half,
    say_page,
    say_redirect,
    say_whole,
)
from engines.openai_compatible.turns import TIME, WEATHER, request, turn
from fake_claude import EVENTS, START, Talk, error, frame, hang_up
from streams import check_stream, parse_sse
from understudy.engines.claude import Observed
from understudy.engines.engine import (
    BlockEnd,
    Citation,
    EngineEvent,
    EngineTurn,
    InputDelta,
    PromptUsage,
    RedactedThinking,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.engines.materials import Document, Materials, SearchResult
from understudy.wire.errors import ApiError

THINKING = turn(thinking="adaptive")
TOOLS = turn(request(tools=[WEATHER, TIME]))


def plain(events: list[EngineEvent]) -> list[Any]:
    """Events without estimated tokens."""
    found: list[Any] = []
    for event in events:
        match event:
            case TextDelta(said) | ThinkingDelta(said) | InputDelta(said) | RedactedThinking(said):
                found.append((type(event).__name__, said))
            case ToolUse(name, toolset):
                found.append(("ToolUse", name, toolset))
            case PromptUsage():
                pass
            case _:
                found.append(event)
    return found


async def test_text_is_streamed_and_its_usage_is_the_upstreams() -> None:
    async with engine_to(says(EVENTS)) as (engine, fake):
        events = await events_of(engine, turn())
        assert fake.asked[0].path == "/v1/messages"
        assert fake.asked[0].headers["x-api-key"] == UPSTREAM_KEY
        assert fake.asked[0].headers["anthropic-version"] == "2023-06-01"
        assert (body_of(fake)["model"], body_of(fake)["stream"]) == ("upstream-model", True)
    # 11 that were not in the cache, 7 that were written to it, 5 that were read from it.
    assert events[0] == PromptUsage(23, 5)
    assert plain(events) == [
        ("TextDelta", 'a "model" error: message_stop'),
        ("TextDelta", "Grüße 😀\n\n"),
        BlockEnd(),
        Stop("end_turn", 42),
    ]


async def test_the_first_batch_comes_with_the_beginning_of_the_answer() -> None:
    def say(talk: Talk) -> None:
        talk.begin()
        talk.chunk(frame({"type": "ping"}) + frame(START))
        talk.gone()

    async with engine_to(say) as (engine, _):
        batches = engine.run(turn())
        assert await anext(batches) == [PromptUsage(23, 5)]
        await batches.aclose()


async def test_thinking_comes_without_the_upstreams_signature() -> None:
    signed = {"type": "signature_delta", "signature": "c2ln"}
    thought = block(0, {"type": "thinking", "thinking": ""}, {"type": "thinking_delta", "thinking": "hm"}, signed)
    sealed = block(1, {"type": "redacted_thinking", "data": "ZGF0YQ"})
    say = streams(thought, sealed, text("Yes", index=2), end())
    shown = [("ThinkingDelta", "hm"), BlockEnd(), ("RedactedThinking", "ZGF0YQ"), BlockEnd()]
    said = [("TextDelta", "Yes"), BlockEnd(), Stop("end_turn", 7)]
    assert plain(await answer(say, THINKING)) == [*shown, *said]
    # Nobody asked for it.
    without = [event for event in plain(await answer(say, turn())) if event != BlockEnd()]
    assert without == [said[0], said[2]]


@pytest.mark.parametrize("deltas", [[], [{"type": "thinking_delta", "thinking": ""}]])
async def test_thinking_whose_text_is_left_out_is_a_block(deltas: list[Json]) -> None:
    say = streams(block(0, {"type": "thinking", "thinking": ""}, *deltas), text("Yes", index=1), end())
    assert plain(await answer(say, THINKING))[:2] == [("ThinkingDelta", ""), BlockEnd()]


async def test_calls_come_with_their_toolset_and_their_input_in_pieces() -> None:
    say = streams(
        text("So."),
        call("weather", "", '{"city": "R', 'ome"}', index=1),
        call("time", index=2, toolset_name="clock"),
        call("time", index=3, input={"zone": 1}),
        end("tool_use"),
    )
    assert [event for event in plain(await answer(say, TOOLS)) if event != BlockEnd()] == [
        ("TextDelta", "So."),
        ("ToolUse", "weather", None),
        ("InputDelta", '{"city": "R'),
        ("InputDelta", 'ome"}'),
        ("ToolUse", "time", "clock"),
        ("ToolUse", "time", None),
        ("InputDelta", '{"zone":1}'),
        Stop("tool_use", 7),
    ]


async def test_white_space_alone_is_no_block() -> None:
    say = streams(text("\n", " "), text("\n", "\nHi", index=1), end())
    assert plain(await answer(say, turn())) == [
        BlockEnd(),
        ("TextDelta", "\n\nHi"),
        BlockEnd(),
        Stop("end_turn", 7),
    ]


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("max_tokens", "max_tokens"),
        ("model_context_window_exceeded", "max_tokens"),
        ("end_turn", "end_turn"),
        ("refusal", "refusal"),
    ],
)
async def test_a_reason_to_stop_is_the_engines(reason: str, expected: str) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "No."}
    events = await answer(streams(text("So"), end(reason, stop_details=details)), turn())
    assert events[-1] == Stop(expected, 7, details if reason == "refusal" else None)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stop_sequence_that_the_upstream_found_is_found_here_and_its_usage_is_kept(stream: bool) -> None:
    say = streams(text("one "), end("stop_sequence", 9, stop_sequence="END"))
    async with engine_to(say) as (engine, _):
        asked = request(stop_sequences=["END", "STOP"], stream=stream, model="claude-opus-5-5")
        reply = await InProcess(engine).post(asked)
    if stream:
        events = parse_sse(reply.body)
        check_stream(events)
        ended = events[-2]["delta"] | {"usage": events[-2]["usage"]}
    else:
        ended = reply.json()
        assert ended["content"] == [{"type": "text", "text": "one "}]
    assert (ended["stop_reason"], ended["stop_sequence"]) == ("stop_sequence", "END")
    assert ended["usage"]["output_tokens"] == 9


async def test_a_stop_sequence_that_nobody_asked_for_is_an_end() -> None:
    events = await answer(streams(text("one"), end("stop_sequence", stop_sequence="</s>")), turn())
    assert events[-1] == Stop("end_turn", 7)


# --- citations ---

MATERIALS = Materials(
    documents=(
        Document(0, None, "text", ("The grass is green.",), True),
        Document(1, "b", "pdf", ("first page", "second page: the sky"), True),
        Document(2, None, "content", ("one", "two"), True),
    ),
    search_results=(SearchResult(0, "s", "t", ("found", "more"), True),),
)


@pytest.mark.parametrize(
    ("citation", "expected"),
    [
        ({"type": "char_location", "document_index": 0, "start_char_index": 4, "end_char_index": 9}, (0, 0, 4, 9)),
        ({"type": "page_location", "document_index": 1, "start_page_number": 2, "cited_text": "sky"}, (1, 1, 17, 20)),
        ({"type": "content_block_location", "document_index": 2, "start_block_index": 1}, (2, 1, 0, 0)),
        ({"type": "search_result_location", "search_result_index": 0, "start_block_index": 1}, (0, 1, 0, 0)),
        ({"type": "char_location", "document_index": 0, "start_char_index": 4, "end_char_index": 999}, None),
        ({"type": "char_location", "document_index": 9, "start_char_index": 0, "end_char_index": 1}, None),
        ({"type": "char_location", "document_index": -1, "start_char_index": 0, "end_char_index": 1}, None),
        ({"type": "page_location", "document_index": 1, "start_page_number": 2, "cited_text": "not there"}, None),
        ({"type": "page_location", "document_index": 1, "start_page_number": 0, "cited_text": "first"}, None),
        ({"type": "search_result_location", "search_result_index": 3, "start_block_index": 1}, None),
        ({"type": "of_another_kind"}, None),
    ],
)  # fmt: skip
async def test_a_citation_names_its_place_in_the_request(citation: Json, expected: tuple[int, ...] | None) -> None:
    cited = text(" ", "Words", citations=[])
    cited.insert(
        1, {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": citation}}
    )
    events = plain(await answer(streams(cited, end()), turn(materials=MATERIALS)))
    kind = "search_result" if citation["type"].startswith("search") else "document"
    place = [] if expected is None else [Citation(kind, *expected)]
    assert events == [*place, ("TextDelta", " Words"), BlockEnd(), Stop("end_turn", 7)]


# --- bad days ---

DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x"}}
OPEN = text("So")[:-1]

BAD: dict[str, tuple[Say, int, str]] = {
    "a page": (say_page, 503, "api_error"),
    "a redirect": (say_redirect, 502, "api_error"),
    "an error in a 200": (say_error_in_200, 529, "overloaded_error"),
    "no stream": (say_whole, 502, "api_error"),
    "garbage": (say_garbage, 502, "api_error"),
    "an early error": (say_early_error, 429, "rate_limit_error"),
    "half an answer": (say_half, 502, "api_error"),
    "an empty stream": (say_empty_stream, 502, "api_error"),
    "nothing": (lambda _: hang_up(), 502, "api_error"),
    "an error in the middle": (streams(OPEN, [error("overloaded_error")]), 529, "overloaded_error"),
    "an error of no type": (streams(OPEN, [{"type": "error", "error": "no"}]), 502, "api_error"),
    "no end": (streams(text("So")), 502, "api_error"),
    "an end in the middle of a block": (streams(OPEN, end()), 502, "api_error"),
    "no stop reason": (streams(text("So"), end(None)), 502, "api_error"),
    "a stop reason of no kind": (streams(text("So"), end("tired")), 502, "api_error"),
    "no message_delta": (streams(text("So"), end()[1:]), 502, "api_error"),
    "a delta without a block": (streams([DELTA]), 502, "api_error"),
    "a delta of another block": (streams(OPEN, [{**DELTA, "index": 3}]), 502, "api_error"),
    "a delta of another kind": (streams([*call("time")[:-1], DELTA]), 502, "api_error"),
    "two blocks at once": (streams(OPEN, OPEN), 502, "api_error"),
    "two stops": (streams(text("So"), text("So")[-1:]), 502, "api_error"),
    "two beginnings": (says([START, START]), 502, "api_error"),
    "a block of a server tool": (
        streams(call("web_search", type="server_tool_use"), end()), 502, "api_error"
    ),
    "a frame that is no JSON": (says([START, b"event: content_block_start\ndata: {no\n\n"]), 502, "api_error"),
    "a frame that is no object": (says([START, b"event: content_block_start\ndata: [1]\n\n"]), 502, "api_error"),
    "a text that is none": (streams([*OPEN, {**DELTA, "delta": {"type": "text_delta", "text": 5}}]), 502, "api_error"),
    "an input that is no object": (streams(call("time", "[1]"), end("tool_use")), 502, "api_error"),
    "an input that is cut": (streams(call("time", '{"a": '), end("tool_use")), 502, "api_error"),
    "a call without a name": (streams(call(""), end("tool_use")), 502, "api_error"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_whatever_an_upstream_does_instead_is_a_typed_error(name: str) -> None:
    say, status, kind = BAD[name]
    with pytest.raises(ApiError) as caught:
        await answer(say, TOOLS)
    assert (caught.value.status, caught.value.type) == (status, kind)


GOOD: dict[str, list[Json]] = {
    "an input that is cut with the answer": [*call("time", '{"a": '), *end("max_tokens")],
    "events of a kind to come": [{"type": "weather_report"}, *text("So"), *end()],
    "negative usage": [*text("So"), *end(output_tokens=-5)],
    "usage of no kind": [*text("So"), *end(output_tokens="many")],
    "usage beyond all numbers": [*text("So"), *end(output_tokens=2**64 - 1)],
    "no usage": [*text("So"), {**end()[0], "usage": None}, end()[1]],
    "duplicate ids": [*call("time", "{}"), *call("time", "{}", index=1), *end("tool_use")],
    "indexes with a gap": [*text("So"), *text("So", index=7), *end()],
}


@pytest.mark.parametrize("name", GOOD)
async def test_01_what_does_no_harm_is_taken_and_the_stream_is_one_of_the_api(name: str) -> None:
    start = {**START, "message": {**START["message"], "usage": {"input_tokens": -3, "output_tokens": -1}}}
    async with engine_to(says([start, *GOOD[name]])) as (engine, _):
        asked = request(tools=[WEATHER, TIME], stream=True, model="claude-opus-5-5")
        reply = await InProcess(engine).post(asked)
    assert reply.status == 200, reply.body
    events = parse_sse(reply.body)
    check_stream(events)
    assert events[-1]["type"] == "message_stop"
    assert 0 < events[-2]["usage"]["output_tokens"] <= asked["max_tokens"]
    ids = [event["content_block"].get("id") for event in events if event["type"] == "content_block_start"]
    assert None in ids or len(ids) == len(set(ids))


async def test_an_answer_that_has_said_how_it_ends_is_whole_whatever_follows() -> None:
    def hangs(talk: Talk) -> None:
        talk.begin()
        for event in [START, *text("So"), end()[0]]:
            talk.chunk(frame(event))
        talk.gone()

    assert (await answer(hangs, turn(), idle_timeout=0.2))[-1] == Stop("end_turn", 7)
    assert (await answer(streams(text("So"), end()[:1]), turn()))[-1] == Stop("end_turn", 7)


@pytest.mark.parametrize("said", [0, 1, 2])
async def test_an_upstream_that_hangs_is_a_timeout(said: int) -> None:
    def say(talk: Talk) -> None:
        if said:
            talk.begin()
        if said > 1:
            talk.chunk(frame(START))
        talk.gone()

    with pytest.raises(ApiError) as caught:
        await answer(say, turn(), first_byte_timeout=0.2, idle_timeout=0.2)
    assert (caught.value.status, caught.value.type) == (504, "timeout_error")


async def test_an_upstream_that_minds_no_limit_is_cut() -> None:
    def say(talk: Talk) -> None:
        talk.begin()
        talk.chunk(frame(START) + frame(text()[0]))
        while True:
            talk.chunk(frame(DELTA))

    events = await answer(say, turn(max_tokens=20))
    assert events[-1] == Stop("max_tokens", 20)
    assert sum(event.tokens for event in events if isinstance(event, TextDelta)) == 20


async def test_where_nothing_is_asked_for_but_the_prompt_nothing_comes() -> None:
    events = await answer(streams(text("So"), end("max_tokens", 0)), turn(max_tokens=0))
    assert events == [PromptUsage(23, 5), Stop("max_tokens", 0)]


@pytest.mark.parametrize(
    ("choice", "say"),
    [
        ({"type": "any"}, streams(text("No."), end())),
        ({"type": "tool", "name": "time"}, streams(text("No."), end())),
        ({"type": "none"}, streams(call("time", "{}"), end("tool_use"))),
    ],
)
async def test_09_an_upstream_that_does_not_mind_the_tool_choice_has_failed(choice: Json, say: Say) -> None:
    with pytest.raises(ApiError) as caught:
        await answer(say, turn(request(tools=[TIME], tool_choice=choice)))
    assert caught.value.status == 502


async def test_09_a_second_call_is_cut_off_where_there_may_be_one() -> None:
    say = streams(call("time", "{}"), call("time", "{}", index=1), end("tool_use"))
    choice = {"type": "auto", "disable_parallel_tool_use": True}
    events = await answer(say, turn(request(tools=[TIME], tool_choice=choice)))
    assert [event for event in events if isinstance(event, ToolUse | Stop)][1].__class__ is Stop
    assert isinstance(events[-1], Stop) and events[-1].reason == "tool_use"


# --- errors ---


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "invalid_request_error"), (429, "rate_limit_error"), (529, "overloaded_error")]
)
async def test_an_upstreams_error_keeps_its_text_and_when_to_come_again(status: int, kind: str) -> None:
    body = error(kind, "slow down")
    body["error"]["details"] = {"error_code": "why"}
    lines = ("retry-after: 7", "anthropic-ratelimit-requests-limit: 5", "x-should-retry: false")
    with pytest.raises(ApiError) as caught:
        await answer(lambda talk: talk.whole(status, json.dumps(body).encode(), *lines), turn())
    found = caught.value
    assert (found.status, found.type, found.message) == (status, kind, "slow down")
    assert (found.headers, found.retry, found.details) == ({"retry-after": "7"}, False, {"error_code": "why"})


@pytest.mark.parametrize("in_stream", [True, False])
async def test_14_an_upstream_that_repeats_its_key_is_not_repeated(in_stream: bool) -> None:
    body = error("authentication_error", f"bad key {UPSTREAM_KEY}")
    say: Say = (
        streams(OPEN, [body]) if in_stream else lambda talk: talk.whole(401, json.dumps(body).encode())
    )  # fmt: skip
    with pytest.raises(ApiError) as caught:
        await answer(say, turn())
    assert (caught.value.status, caught.value.type) == (401, "authentication_error")
    assert UPSTREAM_KEY not in str(vars(caught.value))


async def test_a_connection_is_used_again_and_broken_off_where_an_answer_is_closed() -> None:
    gone: list[float] = []

    def say(talk: Talk) -> None:
        if len(gone) or b"slow" not in talk.asked.body:
            says(EVENTS)(talk)
            return
        talk.begin()
        talk.chunk(frame(START))
        gone.append(talk.gone())

    async with engine_to(say) as (engine, fake):
        for _ in range(3):
            await events_of(engine, turn())
            await asyncio.sleep(0.02)
        assert fake.connections == 1
        batches = engine.run(turn(request({"role": "user", "content": "slow"})))
        await anext(batches)
        await batches.aclose()
        await asyncio.sleep(0.2)
        assert gone and gone[0] < 0.2


# --- counting ---


async def count(say: Say, asked: EngineTurn | None = None) -> tuple[int | None, Json]:
    async with engine_to(say) as (engine, fake):
        counted = await engine.count(turn() if asked is None else asked)
        assert fake.asked[0].path == "/v1/messages/count_tokens"
        return counted, body_of(fake)


async def test_06_the_upstream_counts_the_prompt() -> None:
    asked = request(tools=[TIME], thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=9, top_p=0.5)
    counted, body = await count(lambda talk: talk.whole(200, b'{"input_tokens": 17}'), turn(asked))
    assert counted == 17
    assert set(body) == {"model", "messages", "tools", "thinking"}


@pytest.mark.parametrize(
    "say",
    [
        lambda talk: talk.whole(404, json.dumps(error("not_found_error")).encode()),
        lambda talk: talk.whole(529, json.dumps(error("overloaded_error")).encode()),
        lambda talk: talk.whole(200, b'{"input_tokens": -1}'),
        lambda talk: talk.whole(200, b"[]"),
        lambda _: hang_up(),
    ],
)  # fmt: skip
async def test_06_without_a_count_there_is_none(say: Say) -> None:
    assert (await count(say))[0] is None


async def test_06_what_the_upstream_refuses_to_count_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        await count(lambda talk: talk.whole(400, json.dumps(error("invalid_request_error", "tools: no")).encode()))
    assert (caught.value.status, caught.value.message) == (400, "tools: no")


# --- anything ---

EVENT = st.one_of(
    st.sampled_from(
        [*EVENTS, *text("a", " "), *call("time", "{", "}"), *call("time", '{"a"'), *end("tool_use"), DELTA]
    ),
    st.sampled_from([error("overloaded_error"), {"type": "ping"}, {"type": "content_block_start", "index": 0}]),
)


@given(events=st.lists(EVENT, max_size=14), whole=st.booleans())
@settings(max_examples=60, deadline=None, database=None)
def test_01_whatever_an_upstream_says_the_stream_is_one_of_the_api(events: list[Json], whole: bool) -> None:
    async def answered() -> Any:
        async with engine_to(says([START, *events, *(end() if whole else [])])) as (engine, _):
            return await InProcess(engine).post(request(tools=[TIME], stream=True, model="claude-opus-5-5"))

    reply = asyncio.run(answered())
    if reply.status == 200:
        check_stream(parse_sse(reply.body))
    else:
        assert reply.json()["error"]["type"] in {"api_error", "overloaded_error"}


@pytest.mark.parametrize("tokens", [-1, 1 << 62, 2**64 - 1, 1.5, True, "7", None])
def test_a_number_that_no_prompt_can_have_is_none(tokens: Any) -> None:
    """It would fit into no column of the database."""
    observed = Observed()
    observed.usage({"input_tokens": 5, "output_tokens": 6})
    observed.usage(dict.fromkeys(("input_tokens", "output_tokens", "cache_read_input_tokens"), tokens))
    assert (observed.input_tokens, observed.output_tokens, observed.cache_read_input_tokens) == (5, 6, 0)
