"""What the official SDK makes of connections that break, and of streams that go wrong."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx
import httpx2
import pytest

from understudy.testing import Answer, ClaudeApi, Failure, Fault

TEXT = "This answer is long enough for a good number of deltas, whatever comes in between."


def stream_events(api: ClaudeApi, answer: Answer) -> tuple[list[str], BaseException | None]:
    """The raw events that came, and what ended them."""
    api.respond(answer)
    kinds: list[str] = []
    try:
        for event in api.client.with_options(max_retries=0).messages.create(
            model="claude-sonnet-5-5", max_tokens=200, messages=[{"role": "user", "content": "x"}], stream=True
        ):
            kinds.append(event.type)
    except Exception as error:
        return kinds, error
    return kinds, None


WHOLE_START = ["message_start", "content_block_start", "content_block_delta", "content_block_delta"]


@pytest.mark.parametrize("events", [1, 2, 3, 4])
def test_a_cut_stream_ends_after_exactly_so_many_events(api: ClaudeApi, events: int) -> None:
    kinds, error = stream_events(api, Answer(text=TEXT, fault=Fault(kind="cut", after_events=events)))
    assert kinds == WHOLE_START[:events]
    assert isinstance(error, httpx2.RemoteProtocolError)


def test_a_stream_that_is_cut_slowly_ends_alike(api: ClaudeApi) -> None:
    answer = Answer(text=TEXT, delay_between=0.01, fault=Fault(kind="cut", after_events=4))
    kinds, error = stream_events(api, answer)
    assert kinds == WHOLE_START
    assert isinstance(error, httpx2.RemoteProtocolError)


@pytest.mark.parametrize("streamed", [False, True])
def test_a_connection_cut_before_the_answer_is_a_connection_error(api: ClaudeApi, streamed: bool) -> None:
    api.respond(Answer(text=TEXT, fault=Fault(kind="cut")))
    with pytest.raises(anthropic.APIConnectionError):
        api.client.with_options(max_retries=0).messages.create(
            model="claude-sonnet-5-5", max_tokens=200, messages=[{"role": "user", "content": "x"}], stream=streamed
        )
    assert api.requests[-1].status is None


def test_the_sdk_tries_again_after_a_cut(api: ClaudeApi) -> None:
    api.respond(Fault(kind="cut"), Answer(text="again"))
    message = api.client.messages.create(
        model="claude-sonnet-5-5", max_tokens=200, messages=[{"role": "user", "content": "x"}]
    )
    assert message.content[0].to_dict()["text"] == "again"


def test_a_fault_alone_befalls_the_engine_s_own_answer(api: ClaudeApi) -> None:
    kinds, error = stream_events(api, Answer(fault=Fault(kind="cut", after_events=2)))
    assert kinds == WHOLE_START[:2]
    assert error is not None


@pytest.mark.parametrize("events", [1, 3])
def test_an_error_event_ends_a_stream(api: ClaudeApi, events: int) -> None:
    fault = Fault(kind="error", after_events=events, error=Failure(status=529, message="Overloaded now"))
    kinds, error = stream_events(api, Answer(text=TEXT, fault=fault))
    assert kinds == WHOLE_START[:events]
    assert isinstance(error, anthropic.APIStatusError)
    assert error.body == {
        "type": "error",
        "error": {"details": None, "type": "overloaded_error", "message": "Overloaded now"},
        "request_id": api.requests[-1].request_id,
    }


def test_an_error_before_the_first_event_is_a_plain_status(api: ClaudeApi) -> None:
    kinds, error = stream_events(api, Answer(text=TEXT, fault=Fault(kind="error")))
    assert kinds == []
    assert isinstance(error, anthropic.APIStatusError)
    assert error.status_code == 529


def test_a_malformed_event_stands_where_it_should(api: ClaudeApi) -> None:
    kinds, error = stream_events(api, Answer(text=TEXT, fault=Fault(kind="malformed", after_events=3)))
    assert kinds == WHOLE_START[:3]
    assert isinstance(error, json.JSONDecodeError)


def test_a_whole_answer_can_be_malformed(api: ClaudeApi) -> None:
    api.respond(Answer(text=TEXT, fault=Fault(kind="malformed")))
    answer = raw(api, stream=False)
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_fault_behind_the_last_event_never_comes(api: ClaudeApi) -> None:
    kinds, error = stream_events(api, Answer(text="x", fault=Fault(kind="cut", after_events=500)))
    assert kinds[-1] == "message_stop"
    assert error is None


def raw(api: ClaudeApi, **more: Any) -> httpx.Response:
    body = {"model": "claude-sonnet-5-5", "max_tokens": 200, "messages": [{"role": "user", "content": "x"}], **more}
    headers = {"x-api-key": api.api_key, "anthropic-version": "2023-06-01"}
    return httpx.post(f"{api.base_url}/v1/messages", json=body, headers=headers, trust_env=False)


@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_pieces_of_any_size_make_the_same_stream(counting_api: ClaudeApi, size: int) -> None:
    counting_api.respond(Answer(text="Grüße 👋 " * 5, chunk_bytes=size))
    pieces = raw(counting_api, stream=True)
    counting_api.reset()
    counting_api.respond(Answer(text="Grüße 👋 " * 5))
    assert pieces.text == raw(counting_api, stream=True).text


def test_the_server_goes_on_after_every_fault(api: ClaudeApi) -> None:
    for kind in ("cut", "error", "malformed"):
        for events in range(5):
            api.reset()
            stream_events(api, Answer(text=TEXT, fault=Fault(kind=kind, after_events=events)))
    api.reset()
    assert raw(api).status_code == 200
