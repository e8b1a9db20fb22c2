"""Cutting a body into requests while it arrives comes to the same as parsing all of it at once."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.batches.splitting import Splitter, end_of
from understudy.wire.errors import InvalidRequestError, RequestTooLargeError
from understudy.wire.validation import parse_json

_BODIES = (
    b'{"requests":[{"custom_id":"a","params":{"x":[1,2,{"y":"z\\"}]"}],"e":"\xc3\xa9"}},\n {"custom_id":"b",'
    b'"params":{}}, [1,[2,[3,[4]]]], "s\\\\", 12, -1.5e3, null, true],\n"other":{"a":[1]}, "n": 3 }\n ',
    b'{"x\\u0041\xc3\xa9":1,"requests" : [ {"a":1} , {"b":2} ] , "z" : "\xf0\x9f\x98\x80" }',
    b'{"requests":{"a":[1]}}',
    b'{"requests":[1],"requests":[2]}',
    b"[1,2]",
    b' "x" ',
    b"12",
    b"",
)
_BYTES = b'{}[]",:\\ \n0123-+.eEtrufalsn\xc3\xa9\xff\x00abc'


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A body, with some bytes more, fewer or others."""
    body = bytearray(draw(st.sampled_from(_BODIES)))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(body)))
        match draw(st.integers(0, 4)):
            case 0:
                body[at:at] = bytes([draw(st.sampled_from(list(_BYTES)))])
            case 1:
                del body[at : at + 1]
            case 2:
                del body[at:]
            case 3:
                body[at : at + 1] = bytes([draw(st.sampled_from(list(_BYTES)))])
            case _:
                other = draw(st.integers(0, len(body)))
                body = body[:at] + body[min(at, other) : max(at, other)] + body[at:]
    return bytes(body)


def split(body: bytes, sizes: list[int]) -> tuple[Splitter, list[Any]]:
    splitter, found, at, turn = Splitter(10**9), list[Any](), 0, 0
    while at < len(body):
        size = sizes[turn % len(sizes)]
        found += splitter.feed(body[at : at + size])
        at, turn = at + size, turn + 1
    return splitter, found + splitter.close()


@given(damaged(), st.lists(st.integers(1, 60), min_size=1, max_size=5))
@settings(max_examples=600, deadline=None)
def test_requests_and_faults_are_those_of_the_whole(body: bytes, sizes: list[int]) -> None:
    try:
        whole: Any = parse_json(body)
    except InvalidRequestError as expected:
        # orjson's own memory is measured by the length of all it is given.
        if "allocate" not in expected.message:
            with pytest.raises(InvalidRequestError) as refused:
                split(body, sizes)
            assert refused.value.message == expected.message
        return
    splitter, found = split(body, sizes)
    assert splitter.is_object == isinstance(whole, dict)
    if splitter.has_requests and not splitter.is_repeated and "requests" not in splitter.others:
        assert [value for _, value in found] == whole["requests"]
        assert [orjson.loads(raw) for raw, _ in found] == whole["requests"]
        assert [*splitter.others] == [name for name in whole if name != "requests"]


@pytest.mark.parametrize("depth", [1_019, 1_020, 1_021, 1_022, 1_023, 1_024])
@pytest.mark.parametrize("around", [b'{"requests":[%b]}', b'{"requests":%b}', b'{"x":%b}', b"%b"])
def test_depth_is_counted_from_the_whole_body(depth: int, around: bytes) -> None:
    body = around % (b'{"a":' * depth + b"1" + b"}" * depth)
    try:
        parse_json(body)
    except InvalidRequestError as expected:
        with pytest.raises(InvalidRequestError) as refused:
            split(body, [400])
        assert refused.value.message == expected.message
    else:
        split(body, [400])


def test_a_byte_at_a_time_costs_no_more_than_its_length() -> None:
    body = b'{"requests":[' + b",".join([b'{"custom_id":"a","params":{"x":"' + b"y" * 20_000 + b'"}}'] * 10) + b"]}"
    began = time.perf_counter()
    _, found = split(body, [1])
    assert len(found) == 10
    assert time.perf_counter() - began < 10


def test_only_what_is_arriving_is_held() -> None:
    splitter = Splitter(1_000_000)
    splitter.feed(b'{"requests":[')
    for _ in range(1_000):
        splitter.feed(b'{"custom_id":"a","params":{"x":"' + b"y" * 1_000 + b'"}},')
        assert splitter.held < 2_000


@pytest.mark.parametrize("piece", [b"y", b" ", b"[", b"[],", b"1"])
@pytest.mark.parametrize("before", [b'{"requests":[{"x":"', b'{"requests":[', b'{"requests":[[', b'{"', b'{"x":'])
def test_a_value_without_end_is_refused_in_bounds(before: bytes, piece: bytes) -> None:
    splitter = Splitter(300_000)
    splitter.feed(before)
    try:
        for _ in range(400_000 // (10_000 * len(piece)) + 1):
            splitter.feed(piece * 10_000)
    except RequestTooLargeError:
        return
    # It was no JSON at all, of which nothing is held, or so many small values.
    assert splitter.failed or splitter.held < 300_000


_NUMBERS = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(_NUMBERS | st.text() | st.none() | st.lists(st.text() | st.lists(_NUMBERS)), max_size=5))
@settings(max_examples=60, deadline=None)
def test_the_end_of_a_value_is_found(values: Any) -> None:
    for value in (values, dict.fromkeys(map(str, values), values), *values):
        text = orjson.dumps(value)
        assert end_of(text + b"]", 0) == len(text)
