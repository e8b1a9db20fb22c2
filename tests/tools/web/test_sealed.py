"""Sealed text of web results."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.tools.web.sealed import MOST_BYTES, Sealed

KEYS = [("new", b"n" * 32), ("old", b"o" * 32)]
SEALED = Sealed(KEYS)


@settings(max_examples=60)
@given(st.text(max_size=500))
def test_what_is_sealed_opens_again_and_shows_nothing(text: str) -> None:
    sealed = SEALED.seal("content", "org", text)
    assert SEALED.open("content", "org", sealed) == text
    assert sealed.startswith("E")
    if len(text) > 8:
        assert text.encode("utf-8", "surrogatepass") not in base64.b64decode(sealed)


def test_it_is_bound_to_its_organization_and_kind() -> None:
    sealed = SEALED.seal("content", "org", "text")
    assert SEALED.open("content", "other", sealed) is None
    assert SEALED.open("index", "org", sealed) is None
    assert SEALED.open("contento", "rg", sealed) is None


def test_a_changed_bit_anywhere_is_noticed() -> None:
    raw = base64.b64decode(SEALED.seal("content", "org", "some text"))
    for place in range(len(raw) * 8):
        changed = bytearray(raw)
        changed[place // 8] ^= 1 << place % 8
        assert SEALED.open("content", "org", base64.b64encode(changed).decode()) is None


@pytest.mark.parametrize("text", ["", "E", "EA==", "Eg", "not base64!", "é", "A" * 400, "E" * 300_000, "EgAA", "/" * 8])
def test_anything_else_opens_as_nothing(text: str) -> None:
    assert SEALED.open("content", "org", text) is None


def test_another_spelling_of_the_same_bytes_is_refused() -> None:
    sealed = SEALED.seal("content", "org", "text")
    assert SEALED.open("content", "org", sealed + "\n") is None
    if sealed.endswith("="):
        assert SEALED.open("content", "org", sealed.rstrip("=")) is None


def test_old_keys_still_open_and_unknown_ones_do_not() -> None:
    sealed = Sealed(KEYS[1:]).seal("content", "org", "text")
    assert SEALED.open("content", "org", sealed) == "text"
    assert Sealed(KEYS[:1]).open("content", "org", sealed) is None


def test_text_that_is_too_long_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="too long"):
        SEALED.seal("content", "org", "x" * (MOST_BYTES + 1))
