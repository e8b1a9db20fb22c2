"""Counting texts: the same number however they come, in short stretches, one long work at a time."""

from __future__ import annotations

import asyncio
import base64
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from understudy.engines.catalog import Catalog
from understudy.messages.counting import count_prompt
from understudy.tokens.costs import costs_of
from understudy.tokens.pace import Pace
from understudy.tokens.tokenizer import PIECE, count_text, count_texts, cut, warm_up

MIB = 1024 * 1024
WORDS = "The quick brown fox counts naïve tokens — 1,234 of them, 日本語 too.\n"

# Time is this thread's own: what else the machine does meanwhile is no stall of ours. The goal is 20 ms, and no stretch
# takes much more than 10; without pauses they would take hundreds.
STALL = 0.06


async def count_all(texts: list[str]) -> int:
    pace = Pace()
    try:
        return await count_texts(texts, pace)
    finally:
        pace.end()


async def longest_stall(work: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
    """Seconds of work, and the longest stretch of it in which nothing else could run."""
    longest = 0.0

    async def tick() -> None:
        nonlocal longest
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            longest, last = max(longest, now - last), now

    warm_up()
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    begun = time.thread_time()
    await work()
    took = time.thread_time() - begun
    await asyncio.sleep(0)
    ticking.cancel()
    return took, longest


def request(content: Any, **fields: Any) -> dict[str, Any]:
    return {"model": "claude-sonnet-4-5", "messages": [{"role": "user", "content": content}], **fields}


LARGE: dict[str, Callable[[], dict[str, Any]]] = {
    "one long text": lambda: request(WORDS * (2 * MIB // len(WORDS))),
    "noise as base64": lambda: request(base64.b64encode(os.urandom(3 * MIB // 2)).decode()),
    "characters of their own": lambda: request(
        "".join(chr(0x4E00 + place * 7919 % 20_000) for place in range(2 * MIB // 3))
    ),
    "many short blocks": lambda: request([{"type": "text", "text": "a"}] * (2 * MIB // 28)),
    "many short messages": lambda: (
        request("a") | {"messages": [{"role": role, "content": "hi"} for role in ("user", "assistant")] * (MIB // 40)}
    ),
    "a result of many blocks": lambda: request(
        [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "a"}] * (2 * MIB // 28)}]
    ),
    "a large schema": lambda: request(
        "a", tools=[{"name": "f", "input_schema": {"properties": {str(name): {} for name in range(2 * MIB // 10)}}}]
    ),
    "many tools": lambda: request("a", tools=[{"name": "f", "input_schema": {"type": "object"}}] * (2 * MIB // 50)),
    "a long tool loop": lambda: (
        request("a")
        | {
            "messages": [
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "b"}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t"}]},
            ]
            * (2 * MIB // 180)
        }
    ),
    "a PDF of noise": lambda: request(
        [
            {
                "type": "document",
                "source": {
                    "type": "base64",
                    "media_type": "application/pdf",
                    "data": base64.b64encode(b"%PDF-1.7" + os.urandom(3 * MIB // 2)).decode(),
                },
            }
        ]
    ),
}


@pytest.mark.parametrize("name", LARGE)
async def test_two_megabytes_of_anything_are_counted_without_a_stall(name: str) -> None:
    large = LARGE[name]()
    model = Catalog().find("claude-sonnet-4-5")
    assert model is not None
    took, stalled = await longest_stall(lambda: count_prompt(large, model))
    print(f"{name}: {took * 1000:.0f} ms, longest stall {stalled * 1000:.1f} ms")
    assert stalled < STALL


async def test_200_000_tokens_are_counted_in_150_ms() -> None:
    text = ""
    while count_text(text) < 200_000:
        text += WORDS * 500
    text = f"{os.urandom(8).hex()} {text}"[1:]
    took, stalled = await longest_stall(lambda: count_all([f"{place}{piece}" for place, piece in enumerate(cut(text))]))
    print(f"{took * 1000:.0f} ms, longest stall {stalled * 1000:.1f} ms")
    assert took < 0.3  # twice the goal, for a slower machine
    assert stalled < STALL


async def test_ten_long_texts_at_once_stall_no_longer_than_one() -> None:
    texts = [f"{place} {WORDS}" * (MIB // len(WORDS)) for place in range(10)]

    async def work() -> None:
        await asyncio.gather(*(count_all([text]) for text in texts))

    took, stalled = await longest_stall(work)
    print(f"{took * 1000:.0f} ms, longest stall {stalled * 1000:.1f} ms")
    assert stalled < STALL


async def test_a_short_text_does_not_wait_for_a_long_one() -> None:
    long = asyncio.create_task(count_all([f"{place} {WORDS * 900}" for place in range(200)]))
    await asyncio.sleep(0)
    assert await asyncio.wait_for(count_all(["short"]), 1) == 1
    assert not long.done()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long


async def test_work_that_was_given_up_lets_the_next_one_go_on() -> None:
    texts = [f"{place} {WORDS * 900}!" for place in range(100)]
    first, second = asyncio.create_task(count_all(texts)), asyncio.create_task(count_all(texts))
    await asyncio.sleep(0.02)
    first.cancel()
    assert await asyncio.wait_for(second, 30) > 0


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
async def test_a_text_counts_the_same_alone_in_a_list_and_again(size: int) -> None:
    text = (WORDS * (size // len(WORDS) + 1))[:size]
    assert count_text(text) == await count_all([text]) == count_text(text)
    assert "".join(cut(text)) == text


def test_the_names_of_control_tokens_are_texts_like_others() -> None:
    assert count_text("<|endoftext|>") > 1


@pytest.mark.parametrize(
    ("model", "percent"),
    [
        ("claude-3-haiku-20240307", 110),
        ("claude-opus-4-20250514", 110),
        ("claude-haiku-4-5-20251001", 110),
        ("claude-sonnet-4-6", 110),
        ("claude-opus-4-6", 110),
        ("claude-opus-4-7", 142),
        ("claude-opus-4-8", 142),
        ("claude-sonnet-5", 142),
        ("claude-mythos-preview", 142),
        ("a-name-of-ones-own", 142),
    ],
)
def test_each_model_counts_as_its_generation_does(model: str, percent: int) -> None:
    assert costs_of(model).text_percent == percent
