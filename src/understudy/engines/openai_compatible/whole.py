"""A completion that came whole, as the chunks that a stream of it would have had."""

from __future__ import annotations

from typing import Any, Final, Literal, cast

from understudy.engines.engine import EngineEvent, EngineTurn, PromptUsage, Stop, TextDelta
from understudy.tokens.tokenizer import count_text

from .answer import FAILED, REASONS, SHARE, SPARE, usage_of
from .calls import Fields
from .errors import UpstreamError, read_error

# In the order in which models produce them.
_PARTS: Final = ("reasoning_content", "reasoning", "content", "refusal", "function_call", "tool_calls")
# What some servers say a second time, in the words of an older API, by what it is called now.
_OTHER_NAMES: Final = {"reasoning": "reasoning_content", "function_call": "tool_calls"}
_PLAIN: Final = frozenset({"content", "role"})
# Characters of a piece of a text that is counted in pieces.
_PIECE: Final = 64
_TAG: Final = "</think>"
_OPENING: Final = "<"


def chunks_of(completion: Fields, max_tokens: int) -> list[Fields]:
    """One chunk for each part of the answer, so that each is counted by itself, and one for all else.

    An error, or a chunk, is left as it is. Texts come in pieces, as they would in a stream, where the upstream does
    not say that it kept to `max_tokens`, so that they can be cut; and where thinking stands in them.
    Raises UpstreamError for what is none of these.
    """
    choices = completion.get("choices")
    first: Any = cast("list[Any]", choices)[0] if isinstance(choices, list) and choices else None
    message: Any = cast("Fields", first).get("message") if isinstance(first, dict) else None
    if not isinstance(message, dict):
        if read_error(completion) is None and not (isinstance(first, dict) and "delta" in first):
            raise UpstreamError("The model's server sent what is no answer.")
        return [completion]
    choice, fields = cast("Fields", first), cast("Fields", message)
    usage: Any = completion.get("usage")
    produced: Any = cast("Fields", usage).get("completion_tokens") if isinstance(usage, dict) else None
    kept = isinstance(produced, int) and produced <= max_tokens
    found: list[Fields] = []
    for name in _PARTS:
        value: Any = fields.get(name)
        if not value or (name in _OTHER_NAMES and fields.get(_OTHER_NAMES[name])):
            continue
        pieces: list[Any] = [value]
        if isinstance(value, str) and (not kept or _TAG in value):
            pieces = [value[start : start + _PIECE] for start in range(0, len(value), _PIECE)]
        found += [{"choices": [{"index": 0, "delta": {name: piece}}]} for piece in pieces]
    found.append({**completion, "choices": [{**choice, "message": None, "delta": {}}]})
    return found


def plain_answer(
    completion: Fields, turn: EngineTurn, think_tags: Literal["no", "yes", "open"]
) -> list[EngineEvent] | None:
    """The events of an answer that is a text and nothing else, as the chunks of it would give them but for the text's
    tokens, which the upstream has counted. None of any other, and where somebody sees its pieces."""
    choices: Any = completion.get("choices")
    usage: Any = completion.get("usage")
    if choices.__class__ is not list or len(choices) != 1 or usage.__class__ is not dict or not turn.whole:
        return None
    choice: Any = choices[0]
    message: Any = choice.get("message") if choice.__class__ is dict and not choice.get("index") else None
    if message.__class__ is not dict or "error" in completion or completion.get("object") == "error":
        return None
    if any(value and name not in _PLAIN for name, value in message.items()):
        return None
    text: Any = message.get("content")
    if text.__class__ is not str or not text or text.isspace():
        return None
    try:
        size = len(text) if text.isascii() else len(text.encode())
    except UnicodeEncodeError:
        # Half a character is mended where pieces are.
        return None
    # Thinking may stand in it.
    if think_tags == "open" or (think_tags == "yes" and text.lstrip().startswith(_OPENING)):
        return None
    prompt, cached, produced = usage_of(cast("Fields", usage))
    reason: Any = choice.get("finish_reason") or "stop"
    most = turn.max_tokens
    if produced is None or not 0 < produced <= most or reason.__class__ is not str or reason in FAILED:
        return None
    stop = REASONS.get(reason, "end_turn")
    # An upstream that says that it kept to its limit is believed as far as that can be.
    within = most * SHARE + SPARE
    if stop == "refusal" or (size > within and count_text(text) > within):
        return None
    events: list[EngineEvent] = [TextDelta(text, produced)]
    if prompt:
        events.append(PromptUsage(prompt, min(cached or 0, prompt)))
    events.append(Stop(stop, produced))
    return events
