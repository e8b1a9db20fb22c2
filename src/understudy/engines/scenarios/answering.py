"""A scripted answer as an engine's events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterator
from typing import cast

import orjson

from understudy.engines.engine import (
    BlockEnd,
    EngineEvent,
    EngineTurn,
    InputDelta,
    RedactedThinking,
    Stop,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.engines.scenarios.model import Answer, Redacted, Text, Thinking, ToolCall
from understudy.tokens.tokenizer import encode, split
from understudy.wire.server_tools import SERVER

# [guess] tokens that a call costs beside its input; the simulator's neighbourhood, never measured here.
_CALL_TOKENS = 20


async def play(answer: Answer, turn: EngineTurn) -> AsyncGenerator[list[EngineEvent], None]:
    """The events of `answer`, a batch a delta when it is paced and all at once when it is not."""
    events = _events(answer, turn.max_tokens, {function.name for function in turn.server_functions})
    if turn.whole or answer.delay_between == 0:
        if answer.delay_between:
            events = list(events)
            await asyncio.sleep(answer.delay_between * max(sum(map(_is_delta, events)) - 1, 0))
        yield []
        yield list(events)
        return
    yield []
    begun = False
    for event in events:
        if _is_delta(event):
            if begun:
                await asyncio.sleep(answer.delay_between)
            begun = True
        yield [event]


def _is_delta(event: EngineEvent) -> bool:
    return isinstance(event, TextDelta | ThinkingDelta | InputDelta)


def _events(answer: Answer, max_tokens: int, served: Collection[str]) -> Iterator[EngineEvent]:
    """All events, up to the one that reaches `max_tokens`. `served`: names of functions that the server runs."""
    produced = 0
    for event in _uncut(answer, served):
        tokens = getattr(event, "tokens", 0)
        if produced + tokens > max_tokens:
            if isinstance(event, TextDelta | ThinkingDelta | InputDelta):
                yield from _first(event, max_tokens - produced)
            yield Stop("max_tokens", max_tokens)
            return
        produced += tokens
        yield event
    calls = any(isinstance(block, ToolCall) for block in answer.blocks)
    reason = answer.stop_reason or ("tool_use" if calls else "end_turn")
    yield Stop(cast("StopReason", reason), max(produced, 1), answer.stop_details)


def _first(event: TextDelta | ThinkingDelta | InputDelta, tokens: int) -> Iterator[EngineEvent]:
    """The first `tokens` tokens of a delta."""
    if tokens <= 0:
        return
    text = event.partial_json if isinstance(event, InputDelta) else event.text
    for piece, count in split(encode(text)[:tokens], (tokens,)):
        yield type(event)(piece, count)
        return


def _uncut(answer: Answer, served: Collection[str]) -> Iterator[EngineEvent]:
    for block in answer.blocks:
        if isinstance(block, Redacted):
            yield RedactedThinking(block.data, max(len(encode(block.data)), 1))
        elif isinstance(block, ToolCall):
            yield ToolUse(block.name, SERVER if block.name in served else None, _CALL_TOKENS)
            for piece, count in _pieces(orjson.dumps(block.input).decode(), answer.delta_tokens):
                yield InputDelta(piece, count)
            yield BlockEnd()
        elif isinstance(block, Thinking):
            for piece, count in _pieces(block.thinking, answer.delta_tokens):
                yield ThinkingDelta(piece, count)
            yield BlockEnd()
        else:
            yield from _text(block, answer.delta_tokens)
            yield BlockEnd()


def _text(block: Text, size: int) -> Iterator[EngineEvent]:
    for piece, count in _pieces(block.text, size):
        yield TextDelta(piece, count)


def _pieces(text: str, size: int) -> Iterator[tuple[str, int]]:
    return split(encode(text), (size,))
