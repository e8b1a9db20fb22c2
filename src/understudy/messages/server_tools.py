"""The turn of a request that uses server tools: the engine is asked, what it calls is run, and it is asked again.

Sources: server-tools.md and handling-stop-reasons.md (2026-08); recorded answers of 2025-09 to 2026-08. One message
holds all of it. Calls of server tools that come together with one of a client's tool stay without a result: they are
run when the client's results have come. So does the call that comes when the loop has gone round ten times.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final, cast

from understudy.engines.engine import EngineEvent, PromptTooLongError
from understudy.engines.routing import PassOn
from understudy.messages.blocks import Events
from understudy.messages.looping import LoopingAnswer
from understudy.messages.turn import Turn
from understudy.tools.protocol import ToolCall
from understudy.tools.running import ToolRun
from understudy.wire.errors import InternalError, OverloadedError
from understudy.wire.server_tools import CALLS, RESULTS

MOST_ROUNDS: Final = 10
"""Calls of the engine that lead to runs of tools; the next one's calls are left to the next request (recorded)."""

# Seconds for which code that goes on may take before its answer begins.
_PATIENCE: Final = 3.0
_ANSWERS: Final = RESULTS | {"mcp_tool_result"}

_Block = dict[str, Any]


async def stream_with_tools(turn: Turn, tools: ToolRun) -> AsyncGenerator[Events, None]:
    """As `stream_turn`. Closing it stops the engine, or the tool."""
    async with tools:
        answer = LoopingAnswer(turn, tools)
        waiting = waiting_calls(turn.request["messages"])
        if waiting:
            async with aclosing(_before_engine(answer, tools, waiting)) as begun:
                async for events in begun:
                    yield events
            if answer.ended:
                return
        for left in range(MOST_ROUNDS, -1, -1):
            # "The compaction trigger is checked at the start of each sampling iteration" (compaction.md).
            if turn.compaction is not None and turn.compaction.is_due(turn.input_tokens):
                async with aclosing(answer.compact(turn.compaction)) as summarized:
                    async for events in summarized:
                        yield events
                if answer.ended:
                    return
            async with aclosing(_batches(turn, answer)) as batches:
                async for batch in batches:
                    started = await answer.engine_started(batch)
                    if started is not None:
                        yield answer.took([started])
                    events = answer.took(answer.feed(batch))
                    answer.account()
                    if turn.admission is not None:
                        await turn.admission.produced(turn.record.output_tokens or 0)
                    if events:
                        yield events
                    if answer.ended:
                        return
                    if answer.calls_tools:
                        break
            if answer.ended:
                yield answer.took(answer.last)
                return
            if not answer.calls_tools:
                raise InternalError
            if not left:
                yield answer.took(answer.pause())
                return
            async with aclosing(answer.run(answer.calls())) as ran:
                async for events in ran:
                    yield events
            if answer.ended or await answer.go_on():
                yield answer.took(answer.last)
                return


async def _before_engine(
    answer: LoopingAnswer, tools: ToolRun, waiting: list[ToolCall]
) -> AsyncGenerator[Events, None]:
    """The answer begins with the results of what waits (recorded), which may take their time. Code that goes on and
    soon waits for the client again is all of the answer, and such an answer comes whole."""
    start = answer.took([await answer.begin_unasked()])
    held: Events | None = [] if tools.resumes(waiting[0]) else None
    if held is None:
        yield start
    ran = answer.run(waiting)
    async with aclosing(ran if held is None else _late(ran, _PATIENCE)) as found:
        async for events in found:
            if held is None:
                yield events or []
            elif events is not None:
                held += events
            else:
                yield start
                if held:
                    yield held
                held = None
    if held is not None and answer.ended:
        for event in answer.unasked():
            yield [event]
        return
    if held is not None:
        yield start
        yield held
    if answer.ended or await answer.go_on():
        yield answer.took(answer.last)


async def _late(coming: AsyncGenerator[Events, None], seconds: float) -> AsyncGenerator[Events | None, None]:
    """What is coming, and None once if it has not come to its end after so many seconds."""
    clock = asyncio.get_running_loop().time
    until: float | None = clock() + seconds
    async with aclosing(coming):
        while True:
            step = asyncio.ensure_future(anext(coming, None))
            try:
                if until is not None:
                    await asyncio.wait({step}, timeout=max(until - clock(), 0.0))
                    if not step.done():
                        until = None
                        yield None
                events = await step
            finally:
                if not step.done():
                    step.cancel()
                    await asyncio.wait({step})
            if events is None:
                return
            yield events


async def _batches(turn: Turn, answer: LoopingAnswer) -> AsyncGenerator[list[EngineEvent], None]:
    """What the engine yields. An answer that has begun ends where there is no room for what tools have brought."""
    try:
        async with aclosing(turn.route.engine.run(answer.engine_turn)) as batches:
            async for batch in batches:
                yield batch
    except PromptTooLongError:
        if not answer.begun:
            raise
        answer.overflow()
    except PassOn:
        if not answer.begun:
            raise
        # Who takes bytes cannot go on with what has begun here.
        raise OverloadedError from None


def waiting_calls(messages: list[_Block]) -> list[ToolCall]:
    """The server tools of the turn at hand that have no result yet: of one that was paused, or that waited for a
    client's results. A conversation that keeps the rules has no others."""
    calls: list[ToolCall] = []
    answered: set[str] = set()
    for message in reversed(messages):
        content = message.get("content")
        blocks = cast("list[_Block]", content) if isinstance(content, list) else []
        if message["role"] == "assistant":
            answered.update(block["tool_use_id"] for block in blocks if block["type"] in _ANSWERS)
            calls[:0] = [
                ToolCall(block["id"], block["name"], block["input"], block.get("server_name"))
                for block in blocks
                if block["type"] in CALLS and block["id"] not in answered
            ]
        elif (
            message["role"] == "user"
            and content
            and (not blocks or any(block["type"] != "tool_result" for block in blocks))
        ):
            break
    return calls
