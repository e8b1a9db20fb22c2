"""Bodies that go on from others: always the value that parsing gives, and never more than that."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.wire.known_bodies import KnownBodies, KnownBody

TEXTS = st.text(max_size=12) | st.sampled_from(["", '"', "\\", "],[", ",", "}", "messages", "é", "🙂", "\u2028"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
# Bodies are known by how they begin.
MODEL = "m" * 200
FRONT = st.dictionaries(TEXTS.filter(lambda name: name != "messages"), VALUES, max_size=3)
FORMATS = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False}])
# What a conversation may become that looks like one, and is none.
SPOILED = st.sampled_from(
    [b",", b"]", b"[", b",,", b"}", b'"', b"\xff", b"],[", b"1", b" ", b"\\", b",]", b'{"messages":[]}']
)


def parsed(text: bytes) -> Any:
    """The value, or None where it is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def learned(bodies: KnownBodies, text: bytes) -> KnownBody:
    bodies.find(text, "owner")
    known = bodies.find(text, "owner")
    assert known is not None
    return known


def conversation(*messages: Any, **others: Any) -> bytes:
    return orjson.dumps({"model": MODEL, "messages": messages, **others})


@settings(max_examples=300, deadline=None)
@given(
    before=FRONT,
    after=FRONT,
    turns=st.lists(st.lists(VALUES, max_size=3), min_size=1, max_size=4),
    taken_back=st.integers(0, 2),
    written=FORMATS,
    spoil=st.none() | SPOILED,
    place=st.floats(0, 1),
)
def test_a_known_body_is_what_parsing_gives(
    before: dict[str, Any],
    after: dict[str, Any],
    turns: list[list[Any]],
    taken_back: int,
    written: dict[str, Any],
    spoil: bytes | None,
    place: float,
) -> None:
    bodies = KnownBodies(shortest=0)
    messages: list[Any] = ["first"]
    for turn in turns:
        messages = [*messages[: max(1, len(messages) - taken_back)], *turn]
        text = json.dumps({"model": MODEL, **before, "messages": messages, **after}, **written).encode()
        for _ in range(2):
            known = bodies.find(text, "owner")
            assert known is None or known.parsed() == orjson.loads(text)
        if spoil is not None:
            at = int(place * len(text))
            spoiled = text[:at] + spoil + text[at:]
            known = bodies.find(spoiled, "owner")
            assert known is None or known.parsed() == parsed(spoiled)


@given(taken=st.integers(0, 3), more=st.lists(VALUES, max_size=3))
def test_what_two_bodies_share_is_the_same_object(taken: int, more: list[Any]) -> None:
    bodies = KnownBodies(shortest=0)
    messages = [{"content": place} for place in range(5)]
    first = learned(bodies, conversation(*messages, tools=[{"name": "a"}]))
    kept = messages[: 5 - taken]
    then = bodies.find(conversation(*kept, *more, tools=[{"name": "a"}]), "owner")
    assert then is not None
    assert then.body["tools"] is first.body["tools"]
    assert all(
        one is other for one, other in zip(then.body["messages"], first.body["messages"][: len(kept)], strict=False)
    )


def test_notes_go_on_as_far_as_the_conversation_does() -> None:
    bodies = KnownBodies(shortest=0)
    messages = [{"content": place} for place in range(6)]
    first = learned(bodies, conversation(*messages))
    for count in (4, 5, 6):
        first.note("stage", count, f"up to {count}")
    on = bodies.find(conversation(*messages, "more"), "owner")
    back = bodies.find(conversation(*messages[:5], "other"), "owner")
    far_back = bodies.find(conversation(*messages[:3], "other"), "owner")
    assert on is not None and back is not None and far_back is not None
    assert on.noted("stage") == (6, "up to 6")
    assert back.noted("stage") == (5, "up to 5")
    assert far_back.noted("stage") == (0, None)
    assert on.noted("another stage") == (0, None)


def test_what_stands_beside_the_messages_may_not_differ() -> None:
    bodies = KnownBodies(shortest=0)
    first = learned(bodies, conversation("a", "b", tools=[1]))
    first.note("stage", 2, "noted")
    other = bodies.find(conversation("a", "b", "c", tools=[2]), "owner")
    assert other is not None
    assert other.parsed() == {"model": MODEL, "messages": ["a", "b", "c"], "tools": [2]}
    assert other.noted("stage") == (0, None)


def test_nothing_is_shared_with_another_owner() -> None:
    bodies = KnownBodies(shortest=0)
    text = conversation("a", "b")
    learned(bodies, text).note("stage", 2, "noted")
    assert bodies.find(text, "another") is None
    known = bodies.find(text, "another")
    assert known is not None
    assert known.noted("stage") == (0, None)


@pytest.mark.parametrize(
    "text",
    [
        b'{"messages":["a"],"messages":["b"]}',
        b'{"messages":["a"],"mess\\u0061ges":["b"]}',
        b'{"messages":{"a":["b"]}}',
        b'{"model":"m"}',
        b'{"messages":[]}',
        b'["messages"]',
        b'{"messages":["a"]',
        b'{"messages":["a"]} x',
        b"",
    ],
)
def test_what_cannot_be_gone_on_from_is_not_remembered(text: bytes) -> None:
    bodies = KnownBodies(shortest=0)
    assert [bodies.find(text, "owner") for _ in range(3)] == [None, None, None]


def test_short_and_huge_bodies_are_left_alone() -> None:
    bodies = KnownBodies()
    for size in (10, 3_000_000):
        text = conversation("x" * size)
        assert [bodies.find(text, "owner") for _ in range(3)] == [None, None, None]


def test_only_so_much_is_remembered() -> None:
    bodies = KnownBodies(shortest=0, most_bytes=10_000)
    texts = [orjson.dumps({"model": f"{place}{MODEL}", "messages": ["x" * 1_000, "y"]}) for place in range(40)]
    for text in texts:
        learned(bodies, text).note("stage", 2, "noted")
    known = [bodies.find(text, "owner") for text in texts[-5:]]
    assert [one is not None and one.noted("stage")[0] for one in known] == [2] * 5
    # The first ones have gone: what is found is learned anew.
    first = bodies.find(texts[0], "owner")
    assert first is not None
    assert first.noted("stage") == (0, None)


def test_of_bodies_that_begin_alike_the_nearest_is_gone_on_from() -> None:
    bodies = KnownBodies(shortest=0)
    branches = [["start", *(f"{branch}{place}" for place in range(5))] for branch in "abcdef"]
    for branch in branches:
        learned(bodies, conversation(*branch)).note("stage", 6, branch[1])
    for branch in branches[-4:]:
        known = bodies.find(conversation(*branch, "more"), "owner")
        assert known is not None
        assert known.noted("stage") == (6, branch[1])
