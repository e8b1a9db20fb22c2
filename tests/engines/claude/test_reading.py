"""Bodies and streams on their way through, however they are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fake_claude import EVENTS, START, error, frame
from understudy.engines.claude import BadGatewayError, EventReader, with_model
from understudy.engines.claude.body import splice_model

STREAM = b"".join(map(frame, EVENTS))

texts = st.text(st.sampled_from('model"\\: {}[],\nä😀'), max_size=12)
values = st.recursive(
    st.one_of(st.none(), st.integers(-(2**63), 2**64 - 1), st.floats(allow_nan=False, allow_infinity=False), texts),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(texts, st.just("model")), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    rest=st.dictionaries(texts, values, max_size=4),
    place=st.integers(0, 4),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    model=texts,
)
@settings(max_examples=300, deadline=None)
def test_only_the_model_of_a_body_changes(
    rest: dict[str, Any], place: int, ascii_only: bool, indent: int | None, model: str
) -> None:
    rest.pop("model", None)
    items = list(rest.items())
    items.insert(place, ("model", "as-asked"))
    text = json.dumps(dict(items), ensure_ascii=ascii_only, indent=indent).encode()
    parsed = orjson.loads(text)
    changed = with_model(text, parsed, model)
    after = orjson.loads(changed)
    assert after == {**parsed, "model": model}
    assert list(after) == list(parsed)
    spliced = splice_model(text, model)
    if spliced is not None:
        assert spliced == text.replace(b'"as-asked"', orjson.dumps(model))


@pytest.mark.parametrize(
    ("body", "spliced"),
    [
        (b'{ "max_tokens" : 1e2, "model" : "a","x":123456789012345678901234567890}', True),
        (b'{"messages":[{"content":"the \\"model\\": \\"b\\""}],"model":"a"}', True),
        (b'{"tools":[{"input_schema":{"properties":{"model":{"type":"string"}}}}],"model":"a"}', True),
        (b'{"model":"a","metadata":{"model":"b"}}', False),
        (b'{"model":"b","model":"a"}', False),
        (b'{"mod\\u0065l":"a","metadata":{"model":"a"}}', False),
        (b'{"model":"b","\\u006dodel":"a"}', False),
        (b'{"model":"b","mo\\u0064el":"a"}', False),
    ],
)
def test_no_second_model_gets_past_in_whatever_spelling(body: bytes, spliced: bool) -> None:
    parsed = orjson.loads(body)
    changed = with_model(body, parsed, "target")

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(found)) == len(found), "a key twice"
        return dict(found)

    assert json.loads(changed, object_pairs_hook=pairs)["model"] == "target"
    assert (splice_model(body, "target") is not None) == spliced
    if spliced:
        assert changed == body.replace(b'"a"', b'"target"')


def read(chunks: list[bytes], model: str | None = "public") -> tuple[bytes, EventReader]:
    reader = EventReader(model=model, request_id="req_ours", secret="sk-secret")
    return b"".join([reader.feed(chunk) for chunk in chunks]), reader


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % len(data) for place in places}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@given(places=st.lists(st.integers(0, 10_000), max_size=30), crlf=st.booleans())
@settings(max_examples=200, deadline=None)
@example(places=list(range(len(STREAM))), crlf=False)
@example(places=list(range(10_000)), crlf=True)
def test_however_a_stream_is_cut_the_same_bytes_and_figures_come_out(places: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    passed, reader = read(cut(stream, places))
    assert passed == stream.replace(b'"up-model-20260101"', b'"public"')
    assert reader.ended and reader.failure is None
    observed = reader.observed
    assert (observed.message_id, observed.stop_reason, observed.service_tier) == ("msg_up", "end_turn", "standard")
    assert (observed.input_tokens, observed.output_tokens, observed.cache_read_input_tokens) == (11, 42, 5)
    assert (observed.cache_creation_5m_input_tokens, observed.cache_creation_1h_input_tokens) == (4, 3)


@given(places=st.lists(st.integers(0, 10_000), max_size=20))
@settings(max_examples=100, deadline=None)
def test_nothing_but_whole_frames_is_ever_sent_on_and_each_as_soon_as_it_is_whole(places: list[int]) -> None:
    reader = EventReader(model=None, request_id="req_ours")
    came = sent = b""
    for chunk in cut(STREAM, places):
        came += chunk
        sent += reader.feed(chunk)
        assert sent == came[: came.rfind(b"\n\n") + 2 if b"\n\n" in came else 0]


def test_an_error_within_a_stream_is_its_last_event_under_our_request_id() -> None:
    stream = frame(START) + frame(error("overloaded_error")) + frame({"type": "message_stop"})
    passed, reader = read([stream])
    assert reader.ended
    assert passed.count(b"event: ") == 2
    last = json.loads(passed.split(b"data: ")[-1])
    assert last == {**error("overloaded_error"), "request_id": "req_ours"}


def test_an_error_before_the_first_event_is_not_sent_on() -> None:
    passed, reader = read([b": hello\n\n", frame({"type": "ping"}), frame(error("overloaded_error"))])
    assert passed == b"" and not reader.begun
    assert reader.failure is not None and reader.failure["request_id"] == "req_ours"


def test_a_key_that_an_upstream_repeats_does_not_get_through() -> None:
    passed, _ = read([frame(START), frame(error("authentication_error", "wrong: sk-secret"))])
    assert b"sk-secret" not in passed and b"authentication_error" in passed


@pytest.mark.parametrize(
    "garbage",
    [
        b"data: {\n\n",
        b"data: [1]\n\n",
        b"event: message_start\ndata: {}\n\n",
        frame(EVENTS[1]),
        frame({"type": "message_start", "message": 5}),
        frame(START) + frame(START),
        frame({"type": "error", "error": "text"}),
    ],
)
def test_what_is_no_stream_of_the_api_is_refused(garbage: bytes) -> None:
    with pytest.raises(BadGatewayError):
        read([garbage])


@pytest.mark.parametrize("wrong", [-5, "7", None, True, 1.5, {}])
def test_a_number_of_tokens_that_cannot_be_is_not_taken(wrong: Any) -> None:
    start = {"type": "message_start", "message": {**START["message"], "usage": {"input_tokens": 3, "output_tokens": 1}}}
    _, reader = read([frame(start), frame({"type": "message_delta", "delta": {}, "usage": {"output_tokens": wrong}})])
    assert reader.observed.output_tokens == 1
