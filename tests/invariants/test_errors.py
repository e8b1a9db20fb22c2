"""Invariant 10: whatever is sent, what comes back is the API's, and never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import HEADERS, Answer, InProcess
from generated import in_process, json_values, text_requests
from streams import check_stream, parse_sse
from understudy.engines.engine import EngineEvent, EngineTurn, Stop, TextDelta
from understudy.wire.errors import OverloadedError


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> InProcess:
    return InProcess()


def check_error(answer: Answer) -> dict[str, Any]:
    """The envelope, whole: type, keys and their order, and the id that the header repeats."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["type", "error", "request_id"]
    assert body["type"] == "error"
    assert set(body["error"]) - {"details"} == {"type", "message"}
    assert isinstance(body["error"]["message"], str) and body["error"]["message"]
    assert body["request_id"] == answer.headers["request-id"]
    assert answer.headers["x-should-retry"] in {"true", "false"}
    return body["error"]


def check_any(answer: Answer) -> None:
    if answer.status >= 400:
        check_error(answer)
    elif answer.headers.get("content-type", "").startswith("text/event-stream"):
        check_stream(parse_sse(answer.body))
    else:
        assert answer.status == 200
        assert answer.headers["request-id"].startswith("req_")


@given(body=st.one_of(st.binary(max_size=200), json_values.map(lambda value: json.dumps(value).encode())))
@in_process
def test_10_any_body_is_answered_in_the_envelope(runner: asyncio.Runner, api: InProcess, body: bytes) -> None:
    check_any(runner.run(api.call(headers=HEADERS, body=body)))


_PLACES = ["model", "max_tokens", "messages", "system", "tools", "tool_choice", "thinking", "metadata", "stream"]


@given(request_=text_requests(), place=st.sampled_from([*_PLACES, "stop_sequences", "zzz"]), value=json_values)
@in_process
def test_10_a_valid_request_with_one_value_replaced_is_answered_or_refused_in_the_envelope(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any], place: str, value: Any
) -> None:
    check_any(runner.run(api.post({**request_, place: value})))


@given(request_=text_requests(), value=json_values, depth=st.integers(0, 3), data=st.data())
@in_process
def test_10_a_valid_request_with_a_leaf_replaced_is_answered_or_refused_in_the_envelope(
    runner: asyncio.Runner, api: InProcess, request_: dict[str, Any], value: Any, depth: int, data: st.DataObject
) -> None:
    spot: Any = request_["messages"]
    for _ in range(depth):
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot))) if isinstance(spot, list) else []
        inner = [key for key in keys if isinstance(spot[key], dict | list) and spot[key]]
        if not inner:
            break
        spot = spot[data.draw(st.sampled_from(inner))]
    keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
    spot[data.draw(st.sampled_from(keys))] = value
    check_any(runner.run(api.post(request_)))


_bytes_of_headers = st.binary(max_size=60).map(
    lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")
)
_names = st.sampled_from(
    [
        b"x-api-key",
        b"authorization",
        b"anthropic-version",
        b"anthropic-beta",
        b"content-type",
        b"content-encoding",
        b"accept-encoding",
        b"content-length",
        b"origin",
        b"user-agent",
        b"anthropic-dangerous-direct-browser-access",
        b"anthropic-workspace-id",
        b"x-anything",
    ]
)


@given(headers=st.lists(st.tuples(_names, _bytes_of_headers), max_size=8), keep=st.booleans())
@in_process
def test_10_any_header_is_answered_in_the_envelope(
    runner: asyncio.Runner, api: InProcess, headers: list[tuple[bytes, bytes]], keep: bool
) -> None:
    usual = [(name.encode(), value.encode()) for name, value in HEADERS.items()] if keep else []
    body = b'{"model":"claude-sonnet-4-5","max_tokens":5,"messages":[{"role":"user","content":"Hi"}]}'
    answer = runner.run(api.call(headers=[*usual, *headers], body=body))
    check_any(answer)
    for value in answer.headers.values():
        assert "\r" not in value and "\n" not in value


@given(
    method=st.one_of(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])),
    path=st.one_of(
        st.sampled_from(
            ["/", "/v1", "/v1/messages/", "/v1/messages", "/v1/models", "/v1/complete", "/v1/files/x", "//"]
        ),
        st.text(max_size=40).map(lambda text: "/" + text),
    ),
    query=st.binary(max_size=30),
)
@in_process
def test_10_any_path_and_method_is_answered_in_the_envelope(
    runner: asyncio.Runner, api: InProcess, method: str, path: str, query: bytes
) -> None:
    answer = runner.run(api.call(method, path, body=b"{}", query=query))
    if path in {"/v1/messages", "/v1/messages/count_tokens", "/v1/models", "/v1/complete"}:
        check_any(answer)
    else:
        check_error(answer)
        assert answer.status == 404
        assert answer.json()["error"] == {"type": "not_found_error", "message": "Not found"}


class Breaking:
    """An engine that breaks after so many batches, with an error of the API or of its own."""

    name = "breaking"

    def __init__(self, after: int, error: Exception) -> None:
        self.after = after
        self.error = error

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        batches: list[list[EngineEvent]] = [[], [TextDelta("one ", 1)], [TextDelta("two ", 1), TextDelta("three", 1)]]
        for place, batch in enumerate(batches):
            if place == self.after:
                raise self.error
            yield batch
        if self.after == 3:
            raise self.error
        yield [Stop("end_turn", 3)]


_REQUEST = {"model": "claude-opus-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize("after", [0, 1, 2, 3])
@pytest.mark.parametrize("ours", [False, True], ids=["overloaded", "broken"])
async def test_10_an_engine_that_breaks_at_any_point_ends_the_stream_with_an_error_and_no_message_stop(
    after: int, ours: bool
) -> None:
    error: Exception = ValueError("a secret of ours") if ours else OverloadedError()
    expected = ("api_error", "Internal server error") if ours else ("overloaded_error", "Overloaded")
    api = InProcess(Breaking(after, error))
    streamed = await api.post({**_REQUEST, "stream": True})
    whole = await api.post(_REQUEST)
    assert whole.status == (500 if ours else 529)
    assert whole.json()["error"] == {"type": expected[0], "message": expected[1]}
    assert whole.headers["x-should-retry"] == "true"
    if after == 0:
        assert streamed.status == whole.status
        assert streamed.json()["error"]["type"] == expected[0]
    else:
        events = parse_sse(streamed.body)
        check_stream(events)
        assert events[-1] == {
            "type": "error",
            "error": {"details": None, "type": expected[0], "message": expected[1]},
            "request_id": streamed.headers["request-id"],
        }
    assert b"secret" not in streamed.body + whole.body
    assert [record.error_type for record in api.records.kept] == [expected[0]] * 2
