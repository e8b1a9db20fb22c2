"""What of a prompt is reused, whose it is, and where its breakpoints stand: by llama.cpp's own numbers."""

from __future__ import annotations

import asyncio
import base64
from contextlib import aclosing
from typing import Any

import pytest

from engines.llamacpp.llama_turns import (
    WEATHER,
    answer,
    events_of,
    llama,
    prompt_usage,
    scripted_model,
    stop_of,
    tiny,
    turn,
    user,
)
from pictures import png
from tests.gguf.models import model_file
from understudy.engines.engine import EngineTurn
from understudy.engines.llamacpp.engine import LlamaEngine

LONG = " ".join(f"word{number}" for number in range(200))


async def reused(engine: LlamaEngine, asked: EngineTurn) -> int:
    found = prompt_usage(await events_of(engine, asked)).reused
    assert found is not None
    return found


def belonging(tenant: str, asked: EngineTurn) -> EngineTurn:
    asked.tenant = tenant
    return asked


async def test_a_prompt_that_begins_alike_is_not_computed_again() -> None:
    async with llama(tiny()) as engine:
        first = turn(user("one"), system=LONG, max_tokens=2)
        assert await reused(engine, first) == 0
        second = turn(user("two"), system=LONG, max_tokens=2)
        shared = await reused(engine, second)
        assert shared >= await engine.count(second) - 12
        # A conversation that goes on reuses its answer's beginning too.
        assert await reused(engine, turn(user("other"), max_tokens=2)) < 12


async def test_prompts_that_share_nothing_do_not_drive_each_other_out() -> None:
    async with llama(tiny(), n_parallel=2) as engine:
        other = LONG.replace("word", "name")
        for _ in range(2):
            for system in (LONG, other):
                await events_of(engine, turn(system=system, max_tokens=1))
        for system in (LONG, other):
            assert await reused(engine, turn(system=system, max_tokens=1)) > 400


async def test_tenants_reuse_nothing_of_each_other() -> None:
    async with llama(tiny(), n_parallel=2) as engine:
        for tenant in ("a", "b"):
            assert await reused(engine, belonging(tenant, turn(system=LONG, max_tokens=2))) == 0
        for tenant in ("a", "b"):
            assert await reused(engine, belonging(tenant, turn(system=LONG, max_tokens=2))) > 400
        # A third takes a slot over, and finds nothing in it.
        assert await reused(engine, belonging("c", turn(system=LONG, max_tokens=2))) == 0
        assert await reused(engine, belonging("c", turn(system=LONG, max_tokens=2))) > 400
        # And what was taken from one is gone for it.
        found = [await reused(engine, belonging(tenant, turn(system=LONG, max_tokens=2))) for tenant in ("a", "b")]
        assert min(found) == 0


async def test_a_tenant_that_gave_up_leaves_nothing_to_the_next() -> None:
    async with llama(tiny(), n_parallel=1) as engine:
        await events_of(engine, belonging("a", turn(system=LONG, max_tokens=2)))
        holding = engine.run(belonging("a", turn(system=LONG, max_tokens=2000)))
        await anext(holding)
        waiting = asyncio.create_task(events_of(engine, belonging("b", turn(system=LONG, max_tokens=2))))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await holding.aclose()
        assert await reused(engine, belonging("b", turn(system=LONG, max_tokens=2))) == 0


async def test_breakpoints_stand_where_the_next_prompt_still_agrees() -> None:
    system = [{"type": "text", "text": LONG}]
    said = {"role": "assistant", "content": "Fine."}
    async with llama(tiny()) as engine:
        asked = turn(user("How are you?"), said, user("Good."), system=system, tools=[WEATHER], max_tokens=1)
        prefixes: list[dict[str, Any]] = [
            {"messages": []},
            {"messages": [user("How are you?")]},
            {"messages": [user("How are you?"), said, user("Good.")]},
        ]
        offsets = await engine.offsets(asked, prefixes)
        total = await engine.count(asked)
        assert 400 < offsets[0] < offsets[1] < offsets[2] <= total
        # The same blocks have the same offsets in the conversation that goes on from there.
        longer = turn(
            user("How are you?"), said, user("Good."), said, user("x"), system=system, tools=[WEATHER], max_tokens=1
        )
        assert await engine.offsets(longer, prefixes) == offsets
        # And llama.cpp agrees.
        await events_of(engine, asked)
        assert await reused(engine, longer) >= offsets[2] - 16
        changed = turn(user("Who are you?"), system=system, tools=[WEATHER], max_tokens=1)
        assert offsets[0] - 16 <= await reused(engine, changed) < offsets[1]


async def test_a_prompt_that_was_counted_is_not_rendered_again() -> None:
    async with llama(tiny()) as engine:
        asked = turn(system=LONG)
        await engine.count(asked)
        posted: list[str] = []
        connection = engine._server.connection  # pyright: ignore[reportPrivateUsage]
        post = connection.post

        async def watched(path: str, *more: Any) -> dict[str, Any]:
            posted.append(path)
            return await post(path, *more)

        connection.post = watched  # pyright: ignore[reportAttributeAccessIssue]
        await events_of(engine, asked)
        assert posted == []


async def test_a_call_is_gone_on_with_where_it_stopped() -> None:
    # Every step of an answer goes on in its own slot, however many answers there are.
    async with llama(tiny(), n_parallel=4) as engine:
        asked = [turn(user(f"{number} {LONG}"), tools=[WEATHER], tool_choice={"type": "any"}) for number in range(6)]
        found = await asyncio.gather(*[events_of(engine, one) for one in asked])
        assert {stop_of(events).reason for events in found} == {"tool_use"}


@pytest.mark.slow
async def test_an_image_is_seen_and_counted() -> None:
    source = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png(32, 32)).decode()}
    asked = turn(user([{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]), max_tokens=5)
    async with llama(tiny(), mmproj=model_file("mmproj")) as engine:
        usage = prompt_usage(await events_of(engine, asked))
        assert usage.input_tokens == await engine.count(asked)
        assert usage.input_tokens > await engine.count(turn(user("What is it?"))) + 2
        asked.request |= {"tools": [WEATHER], "tool_choice": {"type": "any"}, "max_tokens": 60}
        asked.max_tokens = 60
        assert (await answer(engine, asked))[-1] == ("stop", "tool_use")


async def test_closing_before_the_first_sign_frees_the_slot() -> None:
    async with llama(scripted_model("Yes."), n_parallel=1) as engine:
        async with aclosing(engine.run(turn(system=LONG))):
            pass
        assert (await answer(engine, turn()))[0] == ("text", "Yes.")
