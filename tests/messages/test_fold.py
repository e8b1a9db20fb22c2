"""The fold: events to the Message."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generated import in_process
from understudy.messages.fold import Fold, largest_closed_prefix

_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1000, 1000), st.text('ab"\\é😀\n{[,:', max_size=6)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text('ab"', max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_objects = st.dictionaries(st.text('ab"\\', max_size=3), _values, max_size=4)


@given(value=_objects, ascii_only=st.booleans())
@in_process
def test_a_whole_input_folds_to_itself(value: dict[str, Any], ascii_only: bool) -> None:
    assert largest_closed_prefix(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(value=_objects, ascii_only=st.booleans(), data=st.data())
@in_process
def test_an_input_cut_anywhere_folds_to_an_object_whose_keys_it_had(
    value: dict[str, Any], ascii_only: bool, data: st.DataObject
) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    closed = largest_closed_prefix(text[: data.draw(st.integers(0, len(text)))])
    assert isinstance(closed, dict)
    assert set(closed) <= set(value)


@pytest.mark.parametrize(
    ("cut", "closed"),
    [
        ('{"city": "Par', {"city": "Par"}),
        ('{"city": "Paris", "unit', {"city": "Paris"}),
        ('{"city": "Paris", "unit":', {"city": "Paris"}),
        ('{"days": [1, 2', {"days": [1, 2]}),
        ('{"days": [1, {"a": true}, {"b"', {"days": [1, {"a": True}, {}]}),
        ('{"text": "a\\', {"text": "a"}),
        ('{"text": "\\u00', {}),
        ("", {}),
        ("nonsense", {}),
    ],
)
def test_a_cut_input_keeps_what_can_be_closed(cut: str, closed: dict[str, Any]) -> None:
    assert largest_closed_prefix(cut) == closed


def test_blocks_of_every_kind_are_folded() -> None:
    fold = Fold()
    usage = {"input_tokens": 9, "output_tokens": 1, "service_tier": "standard"}
    message = {"id": "msg_1", "content": [], "stop_reason": None, "container": None, "usage": usage}
    citation = {"type": "char_location", "cited_text": "x"}
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        (
            {"type": "thinking", "thinking": "", "signature": ""},
            [
                {"type": "thinking_delta", "thinking": "I "},
                {"type": "thinking_delta", "thinking": "see"},
                {"type": "signature_delta", "signature": "c2ln"},
            ],
        ),
        (
            {"citations": [], "type": "text", "text": ""},
            [
                {"type": "citations_delta", "citation": citation},
                {"type": "text_delta", "text": "Hello"},
            ],
        ),
        (
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": ""},
                {"type": "input_json_delta", "partial_json": '{"a": '},
                {"type": "input_json_delta", "partial_json": "[1]}"},
            ],
        ),
        (
            {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
            [
                {"type": "input_json_delta", "partial_json": ""},
            ],
        ),
        ({"type": "compaction", "content": None}, [{"type": "compaction_delta", "content": "summary"}]),
    ]
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}, {"type": "ping"}]
    for index, (start, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    delta = {"stop_reason": "tool_use", "stop_sequence": None, "container": None}
    usage_delta = {"input_tokens": 9, "output_tokens": 40, "output_tokens_details": {"thinking_tokens": 3}}
    events.append({"type": "message_delta", "delta": delta, "usage": usage_delta})
    events.append({"type": "message_stop"})
    fold.add_all(events)
    assert fold.message["content"] == [
        {"type": "thinking", "thinking": "I see", "signature": "c2ln"},
        {"citations": [citation], "type": "text", "text": "Hello"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}},
        {"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}},
        {"type": "compaction", "content": "summary"},
    ]
    assert fold.message["stop_reason"] == "tool_use"
    assert list(fold.message["usage"]) == ["input_tokens", "output_tokens", "output_tokens_details", "service_tier"]
    assert fold.message["usage"]["output_tokens"] == 40
    assert message["content"] == [] and message["usage"] is usage and usage["output_tokens"] == 1


def test_an_input_that_only_opens_brackets_costs_little_memory() -> None:
    # Kept for each place, what closes it would be 10 GB here.
    assert largest_closed_prefix("[" * 150_000) == {}
    assert largest_closed_prefix('{"a":' * 500 + '{"b": [1, 2') == json.loads(
        '{"a":' * 500 + '{"b": [1, 2]}' + "}" * 500
    )


def test_an_upstreams_own_count_leaves_nothing_of_the_estimate() -> None:
    """It comes with the end alone, after a beginning that supposed that the cache was written."""
    fold = Fold()
    written = {"ephemeral_5m_input_tokens": 5_503, "ephemeral_1h_input_tokens": 0}
    estimate = {"input_tokens": 6, "cache_creation_input_tokens": 5_503, "cache_creation": written, "output_tokens": 1}
    fold.add({"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": estimate}})
    told = {"input_tokens": 3_990, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 10, "output_tokens": 2}
    fold.add({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": told})
    nothing = {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0}
    assert fold.message["usage"] == {**told, "cache_creation": nothing}
    assert written["ephemeral_5m_input_tokens"] == 5_503
