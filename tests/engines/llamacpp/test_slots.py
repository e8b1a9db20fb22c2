"""Who gets which slot, and in what order; and what llama.cpp's errors become."""

from __future__ import annotations

import asyncio
from array import array
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from understudy.engines.llamacpp import slots as slots_module
from understudy.engines.llamacpp.errors import as_api_errors
from understudy.engines.llamacpp.failures import LlamaError, LlamaGoneError, LlamaTimeoutError
from understudy.engines.llamacpp.prompts import Prompt, common_tokens
from understudy.engines.llamacpp.slots import Slots
from understudy.wire.errors import ApiError, OverloadedError


def prompt(*ids: int) -> Prompt:
    return Prompt(len(ids), array("i", ids).tobytes(), "")


async def take(slots: Slots, tenant: str, asked: Prompt) -> tuple[int, bool]:
    async with slots.hold(tenant, asked) as slot:
        mine = slot.mine
        slot.take(asked)
        return slot.id, mine


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_common_tokens_are_those_both_begin_with(one: list[int], other: list[int]) -> None:
    length = 0
    while length < min(len(one), len(other)) and one[length] == other[length]:
        length += 1
    assert common_tokens(prompt(*one), prompt(*other)) == length


async def test_a_prompt_goes_where_its_beginning_is() -> None:
    slots = Slots(3)
    first, _ = await take(slots, "a", prompt(1, 2, 3, 4))
    other, _ = await take(slots, "a", prompt(7, 8, 9))
    assert first != other
    assert await take(slots, "a", prompt(1, 2, 3, 4, 5)) == (first, True)
    assert await take(slots, "a", prompt(7, 8)) == (other, True)


async def test_what_is_of_another_tenant_is_not_used() -> None:
    slots = Slots(2)
    first, mine = await take(slots, "a", prompt(1, 2, 3))
    assert not mine
    second, mine = await take(slots, "b", prompt(1, 2, 3))
    assert (second != first, mine) == (True, False)
    # No slot is empty: the one unused for longest is taken over, and is foreign.
    assert await take(slots, "c", prompt(1, 2, 3)) == (first, False)
    assert await take(slots, "c", prompt(1, 2, 3)) == (first, True)
    assert await take(slots, "a", prompt(1, 2, 3)) == (second, False)


async def test_a_slot_in_which_nothing_was_begun_is_nobodys() -> None:
    slots = Slots(1)
    await take(slots, "a", prompt(1))
    async with slots.hold("b", prompt(1)):
        pass
    assert await take(slots, "b", prompt(1)) == (0, False)


async def test_those_that_wait_come_in_order() -> None:
    slots = Slots(1)
    order: list[int] = []

    async def one(number: int) -> None:
        async with slots.hold("", prompt(number)):
            order.append(number)
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(one(number)) for number in range(6)]
    await asyncio.sleep(0)
    tasks[2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 1, 3, 4, 5]


async def test_who_has_no_patience_left_is_refused_and_waits_no_longer() -> None:
    slots = Slots(1)
    async with slots.hold("a", prompt(1)):
        with pytest.raises(OverloadedError):
            async with slots.hold("b", prompt(2), patience=0.01):
                pass
    async with asyncio.timeout(1):
        await take(slots, "c", prompt(3))


async def test_too_many_that_wait_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots_module, "_MOST_WAITING", 2)
    slots = Slots(1)
    async with AsyncExitStack() as held:
        await held.enter_async_context(slots.hold("", prompt(1)))
        waiting = [asyncio.create_task(take(slots, "", prompt(1))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(OverloadedError):
            await take(slots, "", prompt(1))
    assert [slot for slot, _ in await asyncio.gather(*waiting)] == [0, 0]


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (LlamaGoneError("gone"), 500, "api_error"),
        (LlamaTimeoutError("late"), 504, "timeout_error"),
        (LlamaError(503, "unavailable_error", "Loading model"), 529, "overloaded_error"),
        (LlamaError(500, "server_error", "Context size has been exceeded."), 529, "overloaded_error"),
        (LlamaError(500, "server_error", "got exception"), 500, "api_error"),
        (LlamaError(401, "authentication_error", "Invalid API Key"), 500, "api_error"),
        (LlamaError(400, "invalid_request_error", "no"), 400, "invalid_request_error"),
    ],
)
def test_errors_of_the_worker_are_errors_of_the_api(error: Exception, status: int, kind: str) -> None:
    with pytest.raises(ApiError) as caught, as_api_errors():
        raise error
    assert (caught.value.status, caught.value.type) == (status, kind)
    assert "Invalid API Key" not in caught.value.message


def test_a_prompt_that_llama_cpp_finds_too_long_is_named_with_its_numbers() -> None:
    details = {"n_prompt_tokens": 900, "n_ctx": 512}
    with pytest.raises(ApiError, match="prompt is too long: 900 tokens > 512 maximum"), as_api_errors():
        raise LlamaError(400, "exceed_context_size_error", "too long", details)
