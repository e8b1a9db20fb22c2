"""Cutting at stop sequences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated import in_process
from understudy.messages.stops import StopCutter, check_stop_sequences
from understudy.wire.errors import InvalidRequestError


def cut(pieces: list[str], sequences: list[str]) -> tuple[str, str | None]:
    cutter = StopCutter(sequences)
    out = ""
    for piece in pieces:
        text, matched = cutter.feed(piece)
        out += text
        if matched is not None:
            return out, matched
    return out + cutter.rest(), None


_short = st.text("ab ", min_size=1, max_size=4)


@given(pieces=st.lists(st.text("ab ", max_size=6), max_size=8), sequences=st.lists(_short, max_size=3))
@in_process
def test_the_cut_is_the_same_however_the_text_is_cut_into_pieces(pieces: list[str], sequences: list[str]) -> None:
    text = "".join(pieces)
    expected = cut(list(text), sequences)
    assert cut(pieces, sequences) == expected
    assert cut([text], sequences) == expected


@given(pieces=st.lists(st.text("ab ", max_size=6), max_size=8), sequences=st.lists(_short, max_size=3))
@in_process
def test_nothing_is_lost_and_no_stop_sequence_goes_out(pieces: list[str], sequences: list[str]) -> None:
    text = "".join(pieces)
    out, matched = cut(pieces, sequences)
    assert not any(sequence in out for sequence in sequences)
    if matched is None:
        assert out == text
    else:
        assert text.startswith(out + matched)


@given(pieces=st.lists(st.text("ab ", max_size=6), max_size=8), sequences=st.lists(_short, min_size=17, max_size=60))
@in_process
def test_many_sequences_are_cut_as_few_are(pieces: list[str], sequences: list[str]) -> None:
    text = "".join(pieces)
    expected = None
    for end in range(1, len(text) + 1):
        ending = [sequence for sequence in sequences if text[:end].endswith(sequence)]
        if ending:
            longest = max(ending, key=len)
            expected = (text[: end - len(longest)], longest)
            break
    assert cut(pieces, sequences) == (expected or (text, None))
    assert cut([text], sequences[:3]) == cut(list(text), sequences[:3])


def test_more_or_longer_sequences_than_can_be_looked_for_are_refused() -> None:
    check_stop_sequences(["x" * 1_000] * 8_191)
    with pytest.raises(InvalidRequestError, match="stop_sequences: List should have at most"):
        check_stop_sequences(["x"] * 8_192)
    with pytest.raises(InvalidRequestError, match=r"stop_sequences\.1: String should have at most"):
        check_stop_sequences(["x", "x" * 1_001])


def test_text_that_only_begins_like_a_stop_sequence_is_given_back_at_the_end() -> None:
    assert cut(["wait: EN"], ["END"]) == ("wait: EN", None)
