"""Cutting at stop sequences."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from generated import in_process
from understudy.messages.stops import StopCutter


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


def test_text_that_only_begins_like_a_stop_sequence_is_given_back_at_the_end() -> None:
    assert cut(["wait: EN"], ["END"]) == ("wait: EN", None)
