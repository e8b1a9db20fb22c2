"""The whole API in front of a fake upstream: invariants 1, 2, 4, 5 and 10 for this engine."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi import Answer, InProcess
from engines.openai_compatible.turns import TIME, WEATHER, engine
from every_block import IMAGE
from fake_openai import FakeOpenAI, Reply, call, calls, chunk, fake_openai, refused, said, stream, texts, usage
from invariants.canaries import CANARY
from invariants.test_canary_in_engines import FOUND
from streams import check_stream, parse_sse, without_ids, without_signatures
from understudy.engines.openai_compatible.dialects import DIALECTS
from understudy.messages.fold import Fold

Json = dict[str, Any]
MODEL = "claude-opus-5-5"
DIALECT = replace(DIALECTS["vllm"], vision=True, stream_usage=False)
ASKED: Json = {"model": MODEL, "max_tokens": 200, "messages": [{"role": "user", "content": "hi"}]}
TOOLS: Json = {**ASKED, "tools": [WEATHER, TIME]}
END = chunk(usage=usage(321, 9, 300))


@asynccontextmanager
async def api(*replies: Reply) -> AsyncGenerator[tuple[InProcess, FakeOpenAI]]:
    async with fake_openai(*replies) as fake:
        up = engine(fake.url, DIALECT)
        try:
            yield InProcess(up), fake
        finally:
            await up.close()


async def streamed(api_: InProcess, request: Json) -> tuple[Answer, Json]:
    """The stream, checked, and the Message it folds to."""
    answer = await api_.post({**request, "stream": True})
    assert answer.status == 200, answer.body
    events = parse_sse(answer.body)
    check_stream(events)
    folded = Fold()
    folded.add_all(events)
    return answer, folded.message


ANSWERS: dict[str, tuple[Json, list[Json | bytes], list[str], str]] = {
    "text": (ASKED, [*texts("Hel", "lo"), chunk(finish_reason="stop"), END], ["text"], "end_turn"),
    "nothing": (ASKED, [chunk({"role": "assistant"}, "stop"), END], [], "end_turn"),
    "blank text": (ASKED, [*texts(" ", "\n"), chunk(finish_reason="stop")], [], "end_turn"),
    "thinking": (
        {**ASKED, "thinking": {"type": "adaptive"}},
        [chunk({"reasoning": "hm"}), *texts("\n\n", "Yes"), chunk(finish_reason="stop"), END],
        ["thinking", "text"],
        "end_turn",
    ),
    "thinking that nobody asked for": (
        {**ASKED, "model": "claude-sonnet-4-5"},
        [chunk({"reasoning": "hm"}), *texts("Yes"), chunk(finish_reason="stop"), END],
        ["text"],
        "end_turn",
    ),
    "calls that alternate": (
        TOOLS,
        [
            *texts("Let me see."),
            calls(call(0, "a", "weather", "")),
            calls(call(1, "b", "time", "{")),
            calls(call(0, None, None, '{"city": "Rome"}')),
            calls(call(1, None, None, "}")),
            *texts("\n"),
            chunk(finish_reason="tool_calls"),
            END,
        ],
        ["text", "tool_use", "tool_use"],
        "tool_use",
    ),
    "a call and a wrong reason": (
        TOOLS,
        [calls(call(0, "a", "time", "{}")), chunk(finish_reason="stop")],
        ["tool_use"],
        "tool_use",
    ),
    "a call that was cut": (
        TOOLS,
        [calls(call(0, "a", "weather", '{"city": "Ro')), chunk(finish_reason="length")],
        ["tool_use"],
        "max_tokens",
    ),
    "a refusal": (ASKED, [chunk({"refusal": "No."}), chunk(finish_reason="stop")], ["text"], "refusal"),
    "a filter": (ASKED, [*texts("So"), chunk(finish_reason="content_filter")], ["text"], "refusal"),
    "a stop sequence": (
        {**ASKED, "stop_sequences": ["END"]},
        [*texts("one E", "ND two"), chunk(finish_reason="stop")],
        ["text"],
        "stop_sequence",
    ),
}


@pytest.mark.parametrize("name", ANSWERS)
async def test_01_02_every_stream_passes_the_automaton_and_is_the_whole_answer(name: str) -> None:
    request, chunks, kinds, reason = ANSWERS[name]
    async with api(stream(*chunks)) as (api_, _):
        _, message = await streamed(api_, request)
        whole = await api_.post(request)
    assert whole.status == 200, whole.body
    assert [block["type"] for block in message["content"]] == kinds
    assert message["stop_reason"] == reason
    assert without_signatures(without_ids(message)) == without_signatures(without_ids(whole.json()))


@pytest.mark.parametrize("name", ANSWERS)
async def test_04_what_is_answered_can_be_sent_back(name: str) -> None:
    request, chunks, _, _ = ANSWERS[name]
    async with api(stream(*chunks), said("Well.")) as (api_, fake):
        _, message = await streamed(api_, request)
        back: list[Json] = [{"type": "text", "text": "go on"}]
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": "sun"}
            for block in message["content"]
            if block["type"] == "tool_use"
        ]
        history = [{"role": "assistant", "content": message["content"]}] if message["content"] else []
        next_ = {**request, "messages": [*request["messages"], *history, {"role": "user", "content": results + back}]}
        answer = await api_.post(next_)
        assert answer.status == 200, answer.body
        sent = [made["id"] for said_ in fake.bodies[-1]["messages"] for made in said_.get("tool_calls", [])]
        assert sent == [made["tool_use_id"] for made in results]


async def test_06_the_upstreams_own_numbers_are_in_the_end_of_the_stream() -> None:
    async with api(stream(*texts("Hello"), chunk(finish_reason="stop"), END)) as (api_, _):
        answer, _ = await streamed(api_, ASKED)
        events = parse_sse(answer.body)
        assert events[0]["message"]["usage"]["input_tokens"] > 0
        paid = events[-2]["usage"]
        assert paid["input_tokens"] + paid["cache_read_input_tokens"] + paid["cache_creation_input_tokens"] == 321
        assert paid["output_tokens"] == 9


async def test_10_an_upstream_that_breaks_at_any_event_is_an_error_and_no_end() -> None:
    chunks = ANSWERS["calls that alternate"][1][:-2]
    for end in range(1, len(chunks) + 1):
        async with api(stream(*chunks[:end], done=False, cut=True)) as (api_, _):
            answer = await api_.post({**TOOLS, "stream": True})
            events = parse_sse(answer.body)
            check_stream(events)
            assert events[-1]["error"]["type"] == "api_error"


@pytest.mark.parametrize("stream_", [True, False])
async def test_10_what_fails_before_the_answer_is_a_plain_status(stream_: bool) -> None:
    async with api(refused(429, {"error": {"message": "slow down"}}, retry_after="7")) as (api_, _):
        answer = await api_.post({**ASKED, "stream": stream_})
        assert (answer.status, answer.headers["retry-after"]) == (429, "7")
        assert answer.json()["error"] == {"type": "rate_limit_error", "message": "slow down"}


@pytest.mark.parametrize("name", [name for name in FOUND if name != "a page that was fetched"])
async def test_05_what_a_client_says_reaches_the_upstream(name: str) -> None:
    request: Json = {
        **ASKED,
        "system": [{"type": "text", "text": f"be {CANARY}1"}],
        "tools": [
            {"name": "f", "description": f"{CANARY}2", "input_schema": {"type": "object", "title": f"{CANARY}3"}},
            {"name": CANARY + "4", "input_schema": {"type": "object"}, "input_examples": [{"a": f"{CANARY}5"}]},
        ],
        "messages": FOUND[name][1],
    }
    async with api(said("Hello")) as (api_, fake):
        answer = await api_.post(request)
        assert answer.status == 200, answer.body
        assert CANARY in json.dumps(fake.bodies[0]["messages"][1:])
        sent = json.dumps(fake.bodies[0])
        assert all(f"{CANARY}{number}" in sent for number in range(1, 6))


async def test_images_reach_a_model_that_sees() -> None:
    content = [{"type": "image", "source": IMAGE}, {"type": "text", "text": "what?"}]
    async with api(said("Hello")) as (api_, fake):
        assert (await api_.post({**ASKED, "messages": [{"role": "user", "content": content}]})).status == 200
        assert fake.bodies[0]["messages"][0]["content"][0]["image_url"]["url"].endswith(IMAGE["data"])


DELTAS = st.one_of(
    st.sampled_from(["", " ", "\n", "word", "é😀", "<think>", "</think>"]).map(lambda text: {"content": text}),
    st.sampled_from(["", " ", "hm"]).map(lambda text: {"reasoning": text}),
    st.tuples(
        st.integers(0, 2), st.sampled_from([None, "time"]), st.sampled_from([None, "", "{", "}", "{}", ' "a": 1'])
    ).map(lambda piece: {"tool_calls": [call(piece[0], None, piece[1], piece[2])]}),
)


@given(
    deltas=st.lists(DELTAS, max_size=12),
    reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter", None]),
    request=st.sampled_from(
        [ASKED, TOOLS, {**TOOLS, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}]
    ),
)
@settings(max_examples=60, deadline=None)
def test_01_whatever_an_upstream_says_the_stream_is_one_of_the_api(
    deltas: list[Json], reason: str | None, request: Json
) -> None:
    async def answered() -> Answer:
        async with api(stream(*(chunk(delta) for delta in deltas), chunk({}, reason), END)) as (api_, _):
            return await api_.post({**request, "stream": True})

    answer = asyncio.run(answered())
    if answer.status == 200:
        check_stream(parse_sse(answer.body))
    else:
        assert answer.json()["error"]["type"] == "api_error"
