"""Invariant 10 for this route: whatever is sent, what comes back is OpenAI's, and never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi import Answer
from clouds.chat import HEADERS, HELLO, PATH, Chat, accumulate, check_completion, check_error, chunks_of
from clouds.chat_requests import chat_requests, quick
from generated import json_values
from understudy.engines.engine import EngineEvent, EngineTurn, TextDelta
from understudy.settings import HttpSettings
from understudy.wire.errors import ApiError, InternalError, OverloadedError, RateLimitError


@pytest.fixture(scope="module")
def runner() -> Generator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def api() -> Chat:
    return Chat()


def check_any(answer: Answer) -> None:
    if answer.status >= 400:
        check_error(answer)
    elif answer.headers["content-type"].startswith("text/event-stream"):
        accumulate(chunks_of(answer.body))
    else:
        check_completion(answer)


# --- any body, any header ---


@given(body=st.one_of(st.binary(max_size=200), json_values.map(lambda value: json.dumps(value).encode())))
@quick
def test_10_any_body_is_answered_in_openai_s_envelope(runner: asyncio.Runner, api: Chat, body: bytes) -> None:
    check_error(runner.run(api.chat(body)))


_FIELDS = [
    "model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "tools", "tool_choice",
    "functions", "function_call", "parallel_tool_calls", "stop", "temperature", "top_p", "n", "user", "thinking",
    "response_format", "zzz",
]  # fmt: skip


@given(request_=chat_requests(), place=st.sampled_from(_FIELDS), value=json_values)
@quick
def test_10_a_request_with_one_value_replaced_is_answered_or_refused_in_openai_s_form(
    runner: asyncio.Runner, api: Chat, request_: dict[str, Any], place: str, value: Any
) -> None:
    check_any(runner.run(api.chat({**request_, place: value})))


@given(request_=chat_requests(), value=json_values, depth=st.integers(0, 6), data=st.data())
@quick
def test_10_a_request_with_a_leaf_replaced_is_answered_or_refused_in_openai_s_form(
    runner: asyncio.Runner, api: Chat, request_: dict[str, Any], value: Any, depth: int, data: st.DataObject
) -> None:
    spot: Any = {name: request_[name] for name in ("messages", "tools") if name in request_}
    for _ in range(depth):
        keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
        inner = [key for key in keys if isinstance(spot[key], dict | list) and spot[key]]
        if not inner:
            break
        spot = spot[data.draw(st.sampled_from(inner))]
    keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
    spot[data.draw(st.sampled_from(keys))] = value
    check_any(runner.run(api.chat(request_)))


_names = st.sampled_from(
    [b"authorization", b"x-api-key", b"anthropic-version", b"anthropic-beta", b"content-type", b"content-encoding",
     b"accept-encoding", b"content-length", b"origin", b"openai-organization", b"user-agent"]
)  # fmt: skip
_values = st.binary(max_size=60).map(lambda raw: raw.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b""))


@given(headers=st.lists(st.tuples(_names, _values), max_size=8), keep=st.booleans())
@quick
def test_10_any_header_is_answered_in_openai_s_form(
    runner: asyncio.Runner, api: Chat, headers: list[tuple[bytes, bytes]], keep: bool
) -> None:
    usual = [(name.encode(), value.encode()) for name, value in HEADERS.items()] if keep else []
    answer = runner.run(api.call(path=PATH, headers=[*usual, *headers], body=json.dumps(HELLO).encode()))
    check_any(answer)


DEEP = 900


@pytest.mark.parametrize(
    "body",
    [
        b'{"messages":' + b"[" * DEEP + b"]" * DEEP + b"}",
        b'{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"Hi"}],"thinking":'
        + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        b'{"model":"claude-sonnet-4-5","messages":[{"role":"user","content":"Hi"}],"response_format":{"type":'
        b'"json_schema","json_schema":{"schema":' + b'{"type":"array","items":' * DEEP + b"{}" + b"}" * DEEP + b"}}}",
        b'{"model":"claude-sonnet-4-5","messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f",'
        b'"arguments":"{\\"a\\":' + b"[" * DEEP + b"]" * DEEP + b'}"}}]}]}',
    ],
)  # fmt: skip
async def test_depth_is_refused(api: Chat, body: bytes) -> None:
    check_error(await api.chat(body), 400)


# --- each kind of error, from wherever it comes ---


async def test_401_without_a_key_with_a_bad_one_and_with_two_that_differ(api: Chat) -> None:
    for headers in ({}, {"authorization": "Bearer sk-bad"}, {**HEADERS, "x-api-key": "sk-other"}):
        answer = await api.call(path=PATH, headers=headers, body=json.dumps(HELLO).encode())
        assert check_error(answer, 401)["code"] == "authentication_error"


async def test_no_version_header_is_needed_and_any_is_ignored(api: Chat) -> None:
    check_completion(await api.chat(HELLO))
    # A version without temperature, and a beta that does not exist.
    warm = {**HELLO, "temperature": 0.5}
    check_completion(await api.chat(warm, anthropic_version="2026-10-21", anthropic_beta="no-such-beta"))


async def test_404_405_and_413(api: Chat) -> None:
    assert check_error(await api.chat({**HELLO, "model": "gpt-9"}), 404)["code"] == "not_found_error"
    answer = await api.call("GET", path=PATH, headers=HEADERS)
    check_error(answer, 405)
    assert answer.headers["allow"] == "POST"
    small = Chat(http=HttpSettings(max_body_bytes=1024))
    assert check_error(await small.chat({**HELLO, "user": "x" * 1024}), 413)["code"] == "request_too_large"


async def test_a_fault_that_is_found_here_names_its_field(api: Chat) -> None:
    assert check_error(await api.chat({**HELLO, "n": 2}), 400)["param"] == "n"
    assert check_error(await api.chat({**HELLO, "max_tokens": 0.5}), 400)["param"] is None


async def test_the_rules_of_the_messages_api_hold(api: Chat) -> None:
    # Observed on the real route.
    error = check_error(await api.chat({**HELLO, "temperature": 0.5, "top_p": 0.5}), 400)
    assert error["message"].startswith("`temperature` and `top_p` cannot both be specified for this model.")


async def test_the_native_route_answers_in_its_own_form(api: Chat) -> None:
    answer = await api.post({**HELLO, "max_tokens": 0.5})
    assert answer.json()["type"] == "error"
    assert "x-request-id" not in answer.headers
    assert "openai-version" not in answer.headers


class Failing:
    """An engine that raises `error`, at once or after its first words."""

    name = "failing"

    def __init__(self, error: Exception, *, late: bool) -> None:
        self._error = error
        self._late = late

    async def run(self, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
        if self._late:
            yield [TextDelta("Half an ", 3)]
        raise self._error


ERRORS = [
    (RateLimitError("Slower.", headers={"retry-after": "7"}), 429, "rate_limit_error"),
    (OverloadedError(), 529, "overloaded_error"),
    (InternalError(), 500, "api_error"),
    (ValueError("a fault of ours"), 500, "api_error"),
]


@pytest.mark.parametrize(
    ("error", "status", "code", "stream"),
    [*((*each, False) for each in ERRORS), *((*each, True) for each in ERRORS[:3])],
)
async def test_what_fails_before_the_first_word_has_its_status(
    error: Exception, status: int, code: str, stream: bool
) -> None:
    answer = await Chat(Failing(error, late=False)).chat({**HELLO, "model": "public", "stream": stream})
    shown = check_error(answer, status)
    assert shown["code"] == code
    assert "ours" not in shown["message"]
    if isinstance(error, ApiError):
        assert answer.headers.get("retry-after") == error.headers.get("retry-after")
    assert answer.headers["x-should-retry"] == "true"


@pytest.mark.parametrize(("error", "status", "code"), ERRORS)
async def test_what_fails_later_ends_the_stream_with_an_error(error: Exception, status: int, code: str) -> None:
    answer = await Chat(Failing(error, late=True)).chat({**HELLO, "model": "public", "stream": True})
    assert answer.status == 200
    *_, last, rest = answer.body.decode().split("\n\n")
    assert rest == ""
    shown = json.loads(last.removeprefix("data: "))
    assert shown["error"] == {
        "code": code,
        "message": shown["error"]["message"],
        "type": "invalid_request_error",
        "param": None,
    }
    assert "[DONE]" not in answer.body.decode()
