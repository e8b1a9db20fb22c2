"""The parts of an answer as events: cut into tokens, into pieces, and at the most tokens that were asked for."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections.abc import Callable, Iterator
from typing import Final

from understudy.engines.engine import (
    BlockEnd,
    EngineEvent,
    InputDelta,
    RedactedThinking,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolUse,
)
from understudy.engines.simulator.parts import Call, Part, Refusal, Text, Thinking
from understudy.tokens.tokenizer import decode, encode, split

# Tokens in one delta for each value of a random byte. Recorded streams of 2026 have deltas of 9 characters in the
# median, 30 at the ninth decile; o200k tokens of English are 4 to 5 characters long.
_DELTA_TOKENS: Final = bytes((1, 1, 2, 2, 2, 2, 3, 3, 4, 7)[byte * 10 >> 8] for byte in range(256))

# Tokens of a call beside its input: about what recorded answers with one short call report.
_CALL_TOKENS: Final = 24


def deliver(parts: list[Part], max_tokens: int, budget: int | None, *, whole: bool) -> Iterator[EngineEvent]:
    """The events of an answer that consists of `parts`, its Stop included.

    `budget` bounds the tokens of thinking. `whole`: each part comes in one piece.
    """
    left = max_tokens
    calls = False
    for place, part in enumerate(parts):
        if place and (isinstance(part, Text) and part.citation is None):
            # Two texts in a row are blocks of their own: a cited one, and what joins it to the next.
            yield BlockEnd()
        if isinstance(part, Refusal):
            details = {"type": "refusal", "category": None, "explanation": part.explanation}
            yield Stop("refusal", max_tokens - left, details)
            return
        if isinstance(part, Call):
            if left < _CALL_TOKENS:
                yield Stop("max_tokens", max_tokens)
                return
            calls = True
            left -= _CALL_TOKENS
            yield ToolUse(part.name, part.toolset_name, _CALL_TOKENS)
            if not part.input:
                continue
            # With a space behind commas and colons, as the service writes it.
            tokens = encode(json.dumps(part.input, ensure_ascii=False))
            make: Callable[[str, int], EngineEvent] = InputDelta
        elif isinstance(part, Text):
            if part.citation is not None and left:
                yield part.citation
            tokens = encode(part.text)
            make = TextDelta
        elif isinstance(part, Thinking):
            tokens = encode(part.text)[:budget]
            make = ThinkingDelta
        else:
            tokens = encode(part.text)[:budget]
            if len(tokens) > left:
                yield Stop("max_tokens", max_tokens)
                return
            left -= len(tokens)
            yield RedactedThinking(decode(tokens), len(tokens))
            continue
        cut = len(tokens) > left
        if cut:
            tokens = tokens[:left]
        if whole:
            if tokens:
                yield make(decode(tokens), len(tokens))
        else:
            for piece, count in split(tokens, _sizes(tokens)):
                yield make(piece, count)
        left -= len(tokens)
        if cut:
            yield Stop("max_tokens", max_tokens)
            return
    yield Stop("tool_use" if calls else "end_turn", max(max_tokens - left, 1))


def text_events(text: str, max_tokens: int) -> list[EngineEvent]:
    """The same for an answer that is one text, whole: what most answers are."""
    tokens = encode(text)
    count = len(tokens)
    if count <= max_tokens:
        return [TextDelta(text, count), Stop("end_turn", count or 1)]
    if not max_tokens:
        return [Stop("max_tokens", 0)]
    return [TextDelta(decode(tokens[:max_tokens]), max_tokens), Stop("max_tokens", max_tokens)]


def _sizes(tokens: array[int]) -> bytes:
    """Sizes of deltas, in tokens; the beginning of an answer is always cut alike, however long it is."""
    return hashlib.blake2b(tokens[:4].tobytes()).digest().translate(_DELTA_TOKENS)
