"""Server-sent events, however their bytes are cut and whatever ends their lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.openai_compatible import sse
from understudy.engines.openai_compatible.sse import EventReader, EventTooLongError


def read(*pieces: bytes) -> list[list[bytes]]:
    reader = EventReader()
    return [event for piece in pieces for event in reader.feed(piece)] + reader.end()


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_all_line_ends_are_known(end: bytes) -> None:
    assert read(b"data: 1" + end * 2 + b"data:2" + end * 2) == [[b"1"], [b"2"]]


def test_what_is_no_data_is_passed_over() -> None:
    assert read(b": hello\nid: 4\nevent: x\nretry: 1\ndata: 1\n\n: only this\n\nevent: y\n\n") == [[b"1"]]


def test_an_event_may_have_several_lines() -> None:
    assert read(b"data: 1\ndata:\ndata:  2\n\n") == [[b"1", b"", b" 2"]]


def test_an_error_field_counts_as_data() -> None:
    assert read(b'error: {"a":1}\n\n') == [[b'{"a":1}']]


def test_the_last_event_needs_no_blank_line() -> None:
    assert read(b"data: 1") == [[b"1"]]
    assert read(b"data: 1\r") == [[b"1"]]


@pytest.mark.parametrize("pieces", [[b"\xef\xbb\xbfdata: 1\n\n"], [b"\xef", b"\xbb", b"\xbfda", b"ta: 1\n\n"]])
def test_a_byte_order_mark_is_no_part_of_a_name(pieces: list[bytes]) -> None:
    assert read(*pieces) == [[b"1"]]


def test_an_event_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MOST_BYTES", 100)
    with pytest.raises(EventTooLongError):
        read(*[b"data: 0123456789"] * 10)
    with pytest.raises(EventTooLongError):
        read(*[b"data: 0123456789\n"] * 20)


LINES = st.sampled_from([b"data: {}", b"data:\xf0\x9f\x98\x80", b"", b": c", b"data", b"event: e", b"data: a:b"])


@given(st.lists(st.tuples(LINES, st.sampled_from([b"\n", b"\r\n", b"\r"]))), st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_the_cuts_make_no_difference(lines: list[tuple[bytes, bytes]], bom: bool, data: st.DataObject) -> None:
    body = b"\xef\xbb\xbf" * bom + b"".join(line + end for line, end in lines)
    whole = read(body)
    assert read(*[body[place : place + 1] for place in range(len(body))]) == whole
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=5)))
    assert read(*[body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]) == whole
