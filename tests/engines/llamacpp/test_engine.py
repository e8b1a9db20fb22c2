"""The engine on real workers: text, thinking, limits, errors, and what happens when somebody goes away."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import aclosing

import psutil
import pytest

from engines.llamacpp.llama_turns import (
    TIME,
    WEATHER,
    answer,
    events_of,
    llama,
    prompt_usage,
    scripted_model,
    stop_of,
    tiny,
    told,
    turn,
    user,
)
from understudy.engines.engine import TextDelta
from understudy.engines.llamacpp.engine import LlamaEngine
from understudy.engines.llamacpp.supervisor import LlamaWorker, WorkerSettings
from understudy.wire.errors import ApiError, InvalidRequestError

SENTENCE = "Hello there, it says 😀 日本語 too."
THOUGHT = "<think>\nNow I think.\n</think>\n\nThe answer is 42."


async def test_an_answer_is_streamed_as_it_was_written() -> None:
    async with llama(scripted_model(SENTENCE)) as engine:
        events = await events_of(engine, turn())
        assert told(events)[1:] == [("text", SENTENCE), ("stop", "end_turn")]
        assert len([event for event in events if isinstance(event, TextDelta)]) > 3
        assert stop_of(events).output_tokens > 3


async def test_the_first_batch_has_the_prompts_usage() -> None:
    async with llama(tiny()) as engine:
        asked = turn(user("How are you today, my friend?"))
        counted = await engine.count(asked)
        async with aclosing(engine.run(asked)) as batches:
            first = await anext(batches)
        assert prompt_usage(first).input_tokens == counted > 8


async def test_max_tokens_cuts_an_answer_that_does_not_end() -> None:
    async with llama(tiny()) as engine:
        for most in (1, 7, 40):
            stop = stop_of(await events_of(engine, turn(max_tokens=most)))
            assert (stop.reason, stop.output_tokens) == ("max_tokens", most)


async def test_max_tokens_of_nought_reads_the_prompt_only() -> None:
    async with llama(tiny()) as engine:
        asked = turn(user("word " * 100), max_tokens=0)
        events = await events_of(engine, asked)
        assert told(events)[1:] == [("stop", "max_tokens")]
        assert stop_of(events).output_tokens == 0
        again = await events_of(engine, turn(user("word " * 100)))
        assert (prompt_usage(again).reused or 0) >= 100


async def test_a_stop_sequence_ends_the_decoding() -> None:
    # To cut there is the turn's affair; what matters here is that llama.cpp makes no more than that. Where a model may
    # think, the sequence could stand in its thinking, so there it is left to the turn.
    bare = "{% for m in messages %}{{ m.content + '\\n' }}{% endfor %}"
    async with llama(scripted_model(SENTENCE), chat_template=bare) as engine:
        seen = ""
        async with aclosing(engine.run(turn(stop_sequences=["says"]))) as batches:
            async for batch in batches:
                seen += "".join(event.text for event in batch if isinstance(event, TextDelta))
                if "says" in seen:
                    break
        assert seen == "Hello there, it says"


async def test_a_stop_sequence_loses_nothing() -> None:
    async with llama(scripted_model(THOUGHT)) as engine:
        # In thinking it means nothing.
        asked = turn(stop_sequences=["think", "I"], thinking="enabled")
        assert await answer(engine, asked) == [
            ("thinking", "Now I think."),
            ("text", "The answer is 42."),
            ("stop", "end_turn"),
        ]


async def test_thinking_is_told_apart() -> None:
    async with llama(scripted_model(THOUGHT)) as engine:
        assert await answer(engine, turn(thinking="enabled")) == [
            ("thinking", "Now I think."),
            ("text", "The answer is 42."),
            ("stop", "end_turn"),
        ]


async def test_thinking_that_was_not_asked_for_is_left_out() -> None:
    async with llama(scripted_model(THOUGHT)) as engine:
        events = await events_of(engine, turn())
        assert told(events)[1:] == [("text", "The answer is 42."), ("stop", "end_turn")]
        # It was made, so it is paid for.
        assert stop_of(events).output_tokens > 8


async def test_a_template_is_told_whether_to_think() -> None:
    async with llama(tiny()) as engine:
        assert await engine.count(turn()) > await engine.count(turn(thinking="enabled"))


async def test_thinking_is_cut_at_its_budget() -> None:
    async with llama(scripted_model("<think>\n" + "one two three four five six seven eight nine.")) as engine:
        asked = turn(thinking="enabled", max_tokens=40)
        asked.request["thinking"] = {"type": "enabled", "budget_tokens": 5}
        kinds = [part[0] for part in await answer(engine, asked)]
        assert kinds == ["thinking", "text", "stop"]


async def test_an_answer_that_the_client_began_is_gone_on_with() -> None:
    async with llama(tiny()) as engine:
        begun = await engine.count(turn(user("hi"), {"role": "assistant", "content": "Well then"}))
        assert begun > await engine.count(turn(user("hi"), thinking="enabled"))
        assert (await answer(engine, turn(user("hi"), {"role": "assistant", "content": "Well"})))[-1][0] == "stop"


async def test_a_prompt_that_is_too_long_is_refused_before_anything_is_computed() -> None:
    async with llama(tiny(), n_ctx=256) as engine:
        with pytest.raises(InvalidRequestError) as caught:
            await events_of(engine, turn(user("word " * 400)))
        tokens = await engine.count(turn(user("word " * 400)))
        assert caught.value.message == f"prompt is too long: {tokens} tokens > 255 maximum"


async def test_an_answer_ends_where_the_context_does() -> None:
    async with llama(tiny(), n_ctx=256, n_parallel=1) as engine:
        events = await events_of(engine, turn(user("word " * 100), max_tokens=1000))
        assert stop_of(events).reason == "max_tokens"
        assert stop_of(events).output_tokens < 256


async def test_an_image_for_a_model_that_does_not_see_is_refused_by_name() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "eA=="}}
    async with llama(tiny()) as engine:
        with pytest.raises(InvalidRequestError, match=r"messages\.0\.content\.0\.image"):
            await engine.count(turn(user([image])))


async def test_tools_and_results_are_counted_as_they_are_read() -> None:
    called = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Oslo", "days": 1}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"}
    conversation = [user("Weather?"), {"role": "assistant", "content": [called]}, user([result])]
    async with llama(tiny()) as engine:
        for asked in (
            turn(*conversation, tools=[WEATHER, TIME]),
            turn(*conversation, tools=[WEATHER], system="Be brief."),
            turn(user("日本語 😀 <|im_end|> \u0000 x")),
            turn(user([{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "abc"}}])),
            turn(tools=[WEATHER], tool_choice={"type": "tool", "name": "get_weather"}),
        ):
            counted = await engine.count(asked)
            assert prompt_usage(await events_of(engine, asked)).input_tokens == counted


async def test_closing_an_answer_stops_the_decoding() -> None:
    async with llama(tiny(), n_parallel=1) as engine:
        async with aclosing(engine.run(turn(max_tokens=6000))) as batches:
            await anext(batches)
            await anext(batches)
        began = time.perf_counter()
        # The only slot is free again.
        await events_of(engine, turn(max_tokens=1))
        assert time.perf_counter() - began < 0.5


async def test_an_answer_that_waits_for_a_slot_can_be_given_up() -> None:
    async with llama(tiny(), n_parallel=1) as engine:
        await engine.count(turn())
        async with aclosing(engine.run(turn(max_tokens=6000))) as first:
            await anext(first)
            waiting = asyncio.create_task(events_of(engine, turn(max_tokens=2)))
            behind = asyncio.create_task(events_of(engine, turn(max_tokens=3)))
            await asyncio.sleep(0.05)
            waiting.cancel()
        assert stop_of(await behind).output_tokens == 3


async def test_eight_at_once_are_all_answered() -> None:
    async with llama(scripted_model(SENTENCE)) as engine:
        found = await asyncio.gather(*[answer(engine, turn(user(f"question {number}"))) for number in range(8)])
        assert found == [[("text", SENTENCE), ("stop", "end_turn")]] * 8


async def test_a_worker_that_dies_is_an_api_error() -> None:
    worker = LlamaWorker(WorkerSettings(model=tiny(), n_ctx=4096, n_threads=1, warmup=False))
    await worker.start()
    try:
        engine = LlamaEngine("llama", worker)
        with pytest.raises(ApiError) as caught:
            async with aclosing(engine.run(turn(max_tokens=4000))) as batches:
                await anext(batches)
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
                async for _ in batches:
                    pass
        assert (caught.value.status, caught.value.type) == (500, "api_error")
        # A new worker answers the next one, once it is noticed that the old one is gone.
        while worker.state == "ready" and worker.pid is not None and psutil.pid_exists(worker.pid):
            await asyncio.sleep(0.01)
        assert stop_of(await events_of(engine, turn(max_tokens=2))).output_tokens == 2
    finally:
        await worker.stop()


async def test_our_own_work_for_a_token_is_small() -> None:
    async with llama(tiny()) as engine:
        await events_of(engine, turn(max_tokens=50))
        best = 1.0
        for _ in range(3):
            began = time.process_time()
            events = await events_of(engine, turn(max_tokens=1000))
            best = min(best, (time.process_time() - began) / len(events))
        assert best < 200e-6, f"{best * 1e6:.0f} µs"


async def test_sampling_is_passed_on() -> None:
    async with llama(tiny()) as engine:
        asked = turn(temperature=0.0, top_k=1, top_p=0.9, max_tokens=30)
        assert await answer(engine, asked) == await answer(engine, asked)
        assert await answer(engine, turn(temperature=1.0)) != await answer(engine, turn(temperature=1.0))
