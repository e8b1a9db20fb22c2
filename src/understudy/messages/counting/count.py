"""The tokens of a whole prompt. What count_tokens answers and what usage says come from here, so they are equal."""

from __future__ import annotations

from collections.abc import Generator
from operator import is_not
from typing import Any, Final, cast

from understudy.engines.catalog import Model
from understudy.messages.counting.media import pdf_tokens
from understudy.messages.counting.prompt import Prompt, plain_tokens
from understudy.tokens.pace import Pace
from understudy.tokens.tokenizer import count_texts
from understudy.wire.known_bodies import KnownBody, Notes

# Items read, and texts gathered, before the clock is looked at.
ITEMS: Final = 16
_STAGE: Final = "count_prompt"
# What is read before the messages.
_FRONT: Final = ("tools", "system", "tool_choice", "thinking", "output_config", "output_format")
_TEXTS: Final = 256


async def count_prompt(request: dict[str, Any], model: Model, known: KnownBody | None = None) -> int:
    """Tokens of the prompt of a validated Messages or count_tokens request; at least 1. `known`: the body that it is,
    as far as it was not edited."""
    plain = plain_tokens(request, model)
    if plain is not None:
        return plain
    messages = cast("list[dict[str, Any]]", request["messages"])
    pace = Pace()
    try:
        notes = Notes(same_prompt(request, known), _STAGE, lambda _, read: read.reads(model))
        first = notes.first
        if notes.begun is not None:
            prompt: Prompt = notes.begun.copied(request)
        else:
            prompt = Prompt(request, model)
            prompt.read_front()
            if prompt.waiting:
                await read_waiting(prompt, pace)
            if notes.worth:
                await count_read(prompt, pace)
            prompt.end_front()
        for place, message in enumerate(messages[first:] if first else messages, first):
            if place in notes.worth:
                await count_read(prompt, pace)
                if prompt.reads(model):
                    notes.take(place, prompt.copied({}))
            prompt.read_message(message)
            if prompt.waiting:
                await read_waiting(prompt, pace)
            if place % ITEMS == ITEMS - 1 and pace.due():
                await count_read(prompt, pace)
                await pace.pause()
        prompt.end_messages()
        if prompt.waiting:
            await read_waiting(prompt, pace)
        await count_read(prompt, pace)
        return prompt.all_tokens()
    finally:
        pace.end()


def same_prompt(request: dict[str, Any], known: KnownBody | None) -> KnownBody | None:
    """`known`, if the prompt of `request` still is the one that it came with."""
    if known is None or any(request.get(name) is not known.body.get(name) for name in _FRONT):
        return None
    sent, messages = known.body["messages"], request["messages"]
    if messages is not sent and (len(messages) != len(sent) or any(map(is_not, messages, sent))):
        return None
    return known


async def count_read(prompt: Prompt, pace: Pace) -> None:
    """Count the texts that were read."""
    texts, prompt.texts = prompt.texts, []
    prompt.text_tokens += await count_texts(texts, pace)


async def read_waiting(prompt: Prompt, pace: Pace) -> None:
    """Read what was put aside: lists that may be long, and PDFs."""
    while prompt.waiting:
        items, read = prompt.waiting.pop()
        for start in range(0, len(items), ITEMS):
            for item in items[start : start + ITEMS]:
                scan = read(item)
                if scan is not None:
                    prompt.fixed += pdf_tokens(await _paced(scan, pace))
            if len(prompt.texts) > _TEXTS:
                await count_read(prompt, pace)
            if pace.due():
                await pace.pause()


async def _paced(scan: Generator[None, None, int | None], pace: Pace) -> int | None:
    while True:
        try:
            next(scan)
        except StopIteration as end:
            return end.value
        if pace.due():
            await pace.pause()
