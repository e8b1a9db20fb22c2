"""Invariants 1, 2, 4 and 16 for text, on generated requests."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import InProcess
from generated import NEW_MODELS, in_process, text_requests
from streams import check_stream, parse_sse, without_ids
from understudy.engines.simulator.engine import SimulatorEngine
from understudy.messages.fold import Fold
from understudy.settings import SimulatorSettings, StreamSettings


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> InProcess:
    return InProcess()


@given(request_=text_requests())
@in_process
def test_01_every_stream_passes_the_automaton_and_02_equals_the_whole_answer(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any]
) -> None:
    streamed = runner.run(api.post({**request_, "stream": True}))
    whole = runner.run(api.post(request_))
    assert streamed.status == whole.status == 200, whole.body
    events = parse_sse(streamed.body)
    check_stream(events)
    folded = Fold()
    folded.add_all(events)
    assert without_ids(folded.message) == without_ids(whole.json())
    assert list(folded.message) == list(whole.json()), "the keys' order differs"
    usage = whole.json()["usage"]
    if whole.json()["stop_reason"] == "max_tokens":
        assert usage["output_tokens"] == request_["max_tokens"]
    assert usage["output_tokens"] <= max(request_["max_tokens"], 1)


@given(request_=text_requests(), question=st.sampled_from(["And now?", "Go on.", "Thanks!"]))
@in_process
def test_04_what_is_answered_is_accepted_when_sent_back(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any], question: str
) -> None:
    first = runner.run(api.post(request_)).json()
    history = [*request_["messages"]]
    if first["content"]:
        history.append({"role": "assistant", "content": first["content"]})
    history.append({"role": "user", "content": question})
    second = runner.run(api.post({**request_, "messages": history}))
    assert second.status == 200, second.body


@given(request_=text_requests(), seed=st.integers(0, 3))
@in_process
def test_16_the_same_seed_and_request_give_the_same_events(
    runner: asyncio.Runner, request_: dict[str, Any], seed: int
) -> None:
    streams = []
    for _ in range(2):
        api = InProcess(SimulatorEngine(SimulatorSettings(seed=seed)))
        streams.append(parse_sse(runner.run(api.post({**request_, "stream": True})).body))
    assert without_ids(streams[0]) == without_ids(streams[1])


def test_16_another_seed_gives_other_answers(runner: asyncio.Runner) -> None:
    request = {
        "model": NEW_MODELS[0],
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "Write 100 words about harbours."}],
    }
    answers = {
        runner.run(InProcess(SimulatorEngine(SimulatorSettings(seed=seed))).post(request)).json()["content"][0]["text"]
        for seed in range(5)
    }
    assert len(answers) == 5


def _said(message: dict[str, Any]) -> str:
    return "".join(block.get("thinking", "") + block.get("text", "") for block in message["content"])


@given(request_=text_requests())
@in_process
def test_16_a_shorter_answer_is_the_beginning_of_the_longer_one(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any]
) -> None:
    request_ = {**request_, "stop_sequences": []}
    short = runner.run(api.post({**request_, "max_tokens": 5})).json()
    whole = runner.run(api.post({**request_, "max_tokens": 4000})).json()
    assert _said(whole).startswith(_said(short))


@given(request_=text_requests())
@in_process
def test_01_padding_changes_no_event(runner: asyncio.Runner, api: InProcess, request_: dict[str, Any]) -> None:
    padded_api = InProcess(stream=StreamSettings(padding=True))
    plain = runner.run(api.post({**request_, "stream": True}))
    padded = runner.run(padded_api.post({**request_, "stream": True}))
    assert len(padded.body) >= len(plain.body)
    assert without_ids(parse_sse(padded.body)) == without_ids(parse_sse(plain.body))
