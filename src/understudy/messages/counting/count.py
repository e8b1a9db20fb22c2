"""The tokens of a whole prompt. What count_tokens answers and what usage says come from here, so they are equal."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final, cast

from understudy.engines.catalog import Model
from understudy.messages.counting.media import pdf_tokens
from understudy.messages.counting.prompt import Prompt
from understudy.tokens.pace import Pace
from understudy.tokens.tokenizer import count_texts

# Items read, and texts gathered, before the clock is looked at.
ITEMS: Final = 16
_TEXTS: Final = 256


async def count_prompt(request: dict[str, Any], model: Model) -> int:
    """Tokens of the prompt of a validated Messages or count_tokens request; at least 1."""
    prompt = Prompt(request, model)
    pace = Pace()
    try:
        prompt.read_front()
        if prompt.waiting:
            await read_waiting(prompt, pace)
        prompt.end_front()
        messages = cast("list[dict[str, Any]]", request["messages"])
        for place, message in enumerate(messages):
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
