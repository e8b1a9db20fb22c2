"""A completion that came whole, as the chunks that a stream of it would have had."""

from __future__ import annotations

from typing import Any, Final, cast

from .calls import Fields
from .errors import UpstreamError, read_error

# In the order in which models produce them.
_PARTS: Final = ("reasoning_content", "reasoning", "content", "refusal", "function_call", "tool_calls")
# Characters of a piece of a text that is counted in pieces.
_PIECE: Final = 64
_TAG: Final = "</think>"


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
        if not value or (name == "reasoning" and fields.get("reasoning_content")):
            continue
        pieces: list[Any] = [value]
        if isinstance(value, str) and (not kept or _TAG in value):
            pieces = [value[start : start + _PIECE] for start in range(0, len(value), _PIECE)]
        found += [{"choices": [{"index": 0, "delta": {name: piece}}]} for piece in pieces]
    found.append({**completion, "choices": [{**choice, "message": None, "delta": {}}]})
    return found
