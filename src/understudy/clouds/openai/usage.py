"""Usage and stop reasons in OpenAI's words."""

from __future__ import annotations

from typing import Any, Final, cast

_FINISH: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    # [guess] OpenAI's word for an answer that was withheld; its SDKs raise for it where an answer is to be parsed.
    "refusal": "content_filter",
}


def finish_reason(stop_reason: object, *, functions: bool) -> str:
    reason = _FINISH.get(stop_reason, "stop") if isinstance(stop_reason, str) else "stop"
    return "function_call" if functions and reason == "tool_calls" else reason


def counted(usage: object) -> dict[str, Any]:
    """A message's usage. The prompt is all of it, read from the cache or not.

    The details are documented as always empty, since this route cannot ask for caching. What an engine cached by
    itself is told.
    """
    figures = cast("dict[str, Any]", usage) if isinstance(usage, dict) else {}
    read = _count(figures, "cache_read_input_tokens")
    prompt = _count(figures, "input_tokens") + _count(figures, "cache_creation_input_tokens") + read
    completion = _count(figures, "output_tokens")
    counted: dict[str, Any] = {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
    }
    if read:
        counted["prompt_tokens_details"] = {"cached_tokens": read}
    return counted


def _count(figures: dict[str, Any], name: str) -> int:
    value = figures.get(name)
    return value if type(value) is int and value >= 0 else 0
