"""A body checked in slices gets the verdict of the body checked at once."""

from __future__ import annotations

import asyncio
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.wire.errors import InvalidRequestError
from understudy.wire.slices import check_in_slices, long_fields
from understudy.wire.validation import validator

SHAPE = validator("messages", "2023-06-01", ())

blocks = st.sampled_from(
    [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}},
        {"type": "text"},
        {"type": "text", "text": "c", "more": 1},
        {"type": "nonsense"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "aa"}},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": 1}]},
        7,
        {},
    ]
)
good = st.just({"type": "text", "text": "a"})
contents = st.one_of(
    st.just("said"), st.lists(good, max_size=9), st.lists(st.one_of(good, good, good, blocks), max_size=9), st.just(3)
)
messages = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "user", "nobody"]), "content": contents},
            optional={"more": st.just(1)},
        ),
        st.just("no message"),
        st.just({"role": "user"}),
    ),
    max_size=8,
)
tools = st.lists(
    st.sampled_from(
        [
            {"name": "f", "input_schema": {"type": "object"}},
            {"name": "f", "input_schema": {"type": "array"}},
            {"name": "f"},
            {"type": "nonsense"},
            5,
        ]
    ),
    max_size=8,
)
bodies = st.fixed_dictionaries(
    {
        "model": st.sampled_from(["claude-sonnet-4-5", 5]),
        "max_tokens": st.sampled_from([5, 5, "x"]),
        "messages": messages,
    },
    optional={
        "tools": tools,
        "tool_choice": st.sampled_from([{"type": "auto"}, {"type": "never"}]),
        "system": st.one_of(st.just("s"), st.lists(blocks, max_size=8)),
        "unknown": st.just(1),
        "metadata": st.sampled_from([{}, "x"]),
    },
)


def verdict_at_once(body: Any) -> str | None:
    try:
        SHAPE.check(body)
    except InvalidRequestError as error:
        return error.message
    return None


async def verdict_in_slices(body: Any, most: int) -> str | None:
    async def pause() -> None:
        pass

    try:
        await check_in_slices(SHAPE, body, lambda _: True, pause, most)
    except InvalidRequestError as error:
        return error.message
    return None


@settings(max_examples=1_000, deadline=None)
@given(bodies, st.integers(1, 4))
def test_the_verdict_is_that_of_the_whole(body: dict[str, Any], most: int) -> None:
    assert asyncio.run(verdict_in_slices(body, most)) == verdict_at_once(body)


@pytest.mark.parametrize("body", [None, [], "x", {}, {"messages": 5}, {"messages": None, "tools": {}}])
async def test_what_is_no_request_is_refused_alike(body: Any) -> None:
    assert await verdict_in_slices(body, 1) == verdict_at_once(body)


async def test_others_run_while_a_long_body_is_checked() -> None:
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}] * 75_000}],
    }
    assert long_fields(body)
    longest = last = 0.0

    async def pause() -> None:
        nonlocal longest, last
        longest, last = max(longest, perf_counter() - last), perf_counter()

    last = begun = perf_counter()
    await check_in_slices(SHAPE, body, lambda _: True, pause)
    took = perf_counter() - begun
    assert longest < took / 4, (longest, took)
