"""Compaction: where a conversation grows too long, the model writes a summary that takes the place of all before it.

Sources: build-with-claude/compaction.md (2026-08-22), the SDK's types, and recorded answers of 2026-04 to 2026-08. How
a turn is carried on after it stands in `messages/compacting`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast

from understudy.engines.catalog import Model
from understudy.wire.errors import InvalidRequestError

COMPACT: Final = "compact_20260112"

_Block: TypeAlias = dict[str, Any]

_TRIGGER: Final = 150_000
# The least trigger that may be asked for is 50,000 tokens, which the window of a model on a small machine never holds.
# A trigger that the window has no room for is taken for three quarters of the window, so that the summary, its prompt
# and an answer still fit. The service has no such models.
_ROOM: Final = 0.95
_SHARE_OF_WINDOW: Final = 0.75
# How long a summary may be is not documented; their example has 3,500 tokens [guess].
_MOST_SUMMARY: Final = 8_192
_SUMMARY_OF_WINDOW: Final = 8
_LEAST_SUMMARY: Final = 16
_CONTEXT_1M: Final = "context-1m-2025-08-07"

INSTRUCTIONS: Final = (
    "Write a summary of the conversation up to here. It takes the place of everything above: whoever goes on with the "
    "work reads the summary and nothing else. Keep what is needed for that: what the user wants, in the user's own "
    "words where they matter; the newest request, and whether it has been answered; what was done and found, with "
    "names, numbers, paths and decisions; what is left to do, and the next step. Call no tool: answer with text alone, "
    "and put the summary in <summary></summary> tags."
)
"""What the model is asked for where the request does not say."""

_SUMMARY: Final = re.compile(r"<summary>(.*?)(?:</summary>|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Compaction:
    """The compaction that a request asks for. `trigger`: tokens of the prompt that it begins at. `most_tokens`: of the
    summary. `members`, where there is one, makes what stands in the block beside a summary."""

    trigger: int
    instructions: str
    pauses: bool
    most_tokens: int
    members: Callable[[str], _Block] | None = None

    def is_due(self, input_tokens: int) -> bool:
        """Whether a prompt is that long: compaction comes "when input tokens reach" the trigger."""
        return input_tokens >= self.trigger


def compaction_of(request: _Block, model: Model, betas: Collection[str] = ()) -> Compaction | None:
    """The compaction among the edits of a validated request; of several the first."""
    management = cast("_Block", request.get("context_management") or {})
    for edit in cast("list[_Block]", management.get("edits") or ()):
        if edit["type"] == COMPACT:
            trigger = cast("_Block", edit.get("trigger") or {}).get("value", _TRIGGER)
            window = window_of(model, betas)
            if trigger > window * _ROOM:
                trigger = int(window * _SHARE_OF_WINDOW)
            return Compaction(
                trigger,
                instructions_or_ours(edit.get("instructions")),
                bool(edit.get("pause_after_compaction")),
                most_tokens(model),
            )
    return None


def instructions_or_ours(instructions: str | None) -> str:
    """Custom instructions "completely replace" ours; blank ones count as none (the SDK says so of the newer form)."""
    return instructions if instructions and not instructions.isspace() else INSTRUCTIONS


def window_of(model: Model, betas: Collection[str]) -> int:
    if model.max_input_tokens_with_context_1m is not None and _CONTEXT_1M in betas:
        return model.max_input_tokens_with_context_1m
    return model.max_input_tokens


def most_tokens(model: Model) -> int:
    """How long a summary may be. The request's `max_tokens` is the answer's [guess]."""
    return max(min(_MOST_SUMMARY, model.max_tokens, model.max_input_tokens // _SUMMARY_OF_WINDOW), 1)


def room_for_summary(window: int, input_tokens: int, most_tokens: int) -> int:
    """How long the summary of a prompt may be. Raises InvalidRequestError where it would be none."""
    room = window - input_tokens
    if room < _LEAST_SUMMARY:
        raise InvalidRequestError(f"prompt is too long: {input_tokens} tokens leave no room for a summary")
    return min(most_tokens, room)


def asking_for_summary(request: _Block, messages: list[_Block], instructions: str, most_tokens: int) -> _Block:
    """The request for the summary of `messages`, as it is counted and looked up in the prompt cache: all that was
    cached of the conversation is read again, and what is written stands before the instructions (recorded)."""
    asked: _Block = {**request, "max_tokens": most_tokens}
    cache_control = asked.pop("cache_control", None)
    if cache_control is not None:
        messages = _marked(messages, cache_control)
    asked["messages"] = [*messages, {"role": "user", "content": [{"type": "text", "text": instructions}]}]
    return asked


def _marked(messages: list[_Block], cache_control: _Block) -> list[_Block]:
    """The conversation with the automatic breakpoint on its last block. Where that is none that can have one, the
    summary goes without: it is read once."""
    last = messages[-1]
    content: str | list[_Block] | None = last.get("content")
    if isinstance(content, str) and content:
        content = [{"type": "text", "text": content}]
    if last["role"] == "system" or not content or content[-1]["type"] not in {"text", "tool_result", "image"}:
        return messages
    assert isinstance(content, list)
    block = content[-1]
    if block.get("cache_control") or block.get("text") == "":
        return messages
    return [*messages[:-1], {**last, "content": [*content[:-1], {**block, "cache_control": cache_control}]}]


def as_run(request: _Block) -> _Block:
    """The request for a summary as the engine gets it: what would force another kind of answer is left out."""
    kept = {name: value for name, value in request.items() if name not in {"stop_sequences", "output_format"}}
    config = cast("_Block | None", kept.get("output_config"))
    if config and config.get("format"):
        kept["output_config"] = {name: value for name, value in config.items() if name != "format"}
    if cast("_Block", kept.get("tool_choice") or {}).get("type") in {"any", "tool"}:
        kept["tool_choice"] = {"type": "auto"}
    return kept


def summary_in(text: str) -> str | None:
    """The summary in what a model wrote; None where there is none. What stands outside the tags is not part of it, and
    a text without tags is a summary as a whole."""
    found = _SUMMARY.search(text)
    summary = (found[1] if found else text).strip()
    return summary or None


def uncompacted(request: _Block) -> _Block:
    """The request as if nothing had ever been compacted: what `original_input_tokens` counts [guess: it is documented
    as the count "before context management was applied"]."""
    messages: list[_Block] = []
    changed = False
    for message in cast("list[_Block]", request["messages"]):
        content = message.get("content")
        if isinstance(content, list) and any(block["type"] == "compaction" for block in cast("list[_Block]", content)):
            changed = True
            left = [block for block in cast("list[_Block]", content) if block["type"] != "compaction"]
            if not left:
                continue
            message = {**message, "content": left}
        messages.append(message)
    return {**request, "messages": messages} if changed else request
