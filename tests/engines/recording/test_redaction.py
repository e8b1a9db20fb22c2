"""Secrets do not get into a recording."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.recording.redaction import REMOVED, redact_frames, redact_text, redact_value

# Put together here, so that no scanner takes this file for a leak.
SECRETS = [
    "sk-" + "understudy-api-" + "a1B2" * 8,
    "sk_" + "live_" + "x9" * 12,
    "gh" + "p_" + "Z" * 36,
    "github" + "_pat_" + "a" * 30,
    "AK" + "IA" + "ABCDEFGHIJKLMNOP",
    "AI" + "za" + "b" * 35,
    "xo" + "xb-" + "1234567890-abc",
    "ey" + "J" + "a" * 20 + ".ey" + "J" + "b" * 20 + "." + "c" * 20,
    "Bearer " + "abcdefgh" * 4,
    "-----BEGIN " + "PRIVATE KEY-----\nMIIB\n-----END " + "PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS, ids=lambda secret: secret[:6])
def test_a_key_in_a_text_is_removed_and_the_rest_stays(secret: str) -> None:
    assert redact_text(f"use {secret} please") == f"use {REMOVED} please"


@pytest.mark.parametrize(
    "text",
    ["sk-short", "a task-force of people", "the bearer of news", "toolu_011C", "claude-sonnet-5-5", "disk-" + "a" * 20],
)
def test_ordinary_text_stays(text: str) -> None:
    assert redact_text(text) == text


def test_fields_named_after_secrets_are_removed() -> None:
    value = {"mcp_servers": [{"authorization_token": "anything", "url": "x"}], "api_key": "k", "max_tokens": 5}
    assert redact_value(value) == {
        "mcp_servers": [{"authorization_token": REMOVED, "url": "x"}],
        "api_key": REMOVED,
        "max_tokens": 5,
    }


def frame(event: dict[str, Any]) -> str:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"


@settings(max_examples=60, deadline=None)
@given(
    secret=st.sampled_from(SECRETS),
    before=st.text(alphabet="ab é\n", max_size=12),
    after=st.text(alphabet="yz é\n", max_size=12),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_a_key_spread_over_deltas_is_removed_whole(secret: str, before: str, after: str, cuts: list[int]) -> None:
    text = f"{before} {secret} {after}"
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(places)]
    frames = [
        (0.1, frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}))
        for piece in pieces
    ]
    kept = redact_frames([(0.0, 'event: ping\ndata: {"type": "ping"}\n\n'), *frames])
    deltas = [json.loads(one.partition("data: ")[2])["delta"]["text"] for _, one in kept[1:]]
    assert "".join(deltas) == f"{before} {REMOVED} {after}"
    assert [seconds for seconds, _ in kept] == [0.0] + [0.1] * len(pieces)
